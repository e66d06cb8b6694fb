"""Whatever goes wrong with a model, the worker ends the iteration in a sentence, the money accounted for, and it can be gone on with."""

from __future__ import annotations

import asyncio
import re
import shutil
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from lab.agents.budget.money import Daily
from lab.agents.claude.calls import Caller
from lab.agents.claude.config import ClaudeSettings
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.cli.commands import app
from lab.store.database import Store
from lab.store.models import STEPS, IterationStep, ModelCall
from lab.work import worker
from lab.work.queue import Lease
from tests.agents.books import agree
from tests.agents.model_server import KEY, MODEL, Model, Reply, competent, fails, says
from tests.end_to_end.iterations import make_workspace


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the server does, and what has to come of it."""

    name: str
    reply: Reply
    sentence: str
    state: str
    attempts: int
    """So often is it asked before the iteration ends."""
    model: str = MODEL


SOON = {"retry-after": "0"}
TROUBLES = [
    Trouble("too many requests", fails(429, "rate_limit_error", headers=SOON), "asks for patience", "released", 3),
    Trouble("overloaded", fails(529, "overloaded_error", headers=SOON), "overloaded; try again later", "released", 3),
    Trouble("server error", fails(500, "api_error", headers=SOON), "failed with status 500", "released", 3),
    Trouble("a hang", Reply(hang=True), r"did not answer within \d+ s", "in doubt", 3),
    Trouble("a cut stream", says({"scan": "x" * 400}, cut_after_events=4), "cut off in the middle|connection broke", "in doubt", 3),
    Trouble(
        "the organisation's spend limit",
        fails(400, "invalid_request_error", "You have reached your specified API usage limits. You will regain access on 2026-12-01."),
        "may not spend more: You have reached your specified API usage limits",
        "released",
        1,
    ),
    Trouble(
        "the workspace's spend limit",
        fails(429, "rate_limit_error", "Limit reached", error_code="enforced_spend_limit_reached"),
        "may not spend more: Limit reached",
        "released",
        1,
    ),
    Trouble("no credit", fails(402, "billing_error", "Your credit balance is too low"), "may not spend more: Your credit", "released", 1),
    Trouble("an expired key", fails(401, "authentication_error", "invalid x-api-key"), "key was not accepted.*has expired", "released", 1),
    Trouble("an unknown model", fails(404, "not_found_error", "model: x"), "does not know the model.*LAB_CLAUDE_MODEL", "released", 1),
    Trouble("a model without a price", says("{}"), "has no price, so it is not called", "", 0, model="claude-dearer-9"),
]
IN_THE_SUITE = {"a hang", "an expired key"}
"""The others' sentences and money are looked at without a worker in test_calls.py."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("errors") / "home"
    make_workspace(home, tickers=2)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    async def soon(seconds: float) -> None:
        del seconds

    def threads(processes: int, limits: object) -> Executor:
        return ThreadPoolExecutor(1)

    monkeypatch.setattr(Caller.__init__, "__defaults__", (soon,))
    monkeypatch.setattr(worker, "Executor", threads)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CONFIG", str(tmp_path / "config"))
    return Path(shutil.copytree(made, tmp_path / "home"))


def work(home: Path, claude: ClaudeSettings) -> int:
    """The worker, until nothing waits; returns how many iterations came to an end."""

    async def learn(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        await run_iteration(store, iteration_id, executor, lease, claude=claude)

    return asyncio.run(worker.run(home, drain=True, run_iteration=learn))


def calls(lab: Lab) -> list[ModelCall]:
    with lab.store.read() as session:
        return list(session.exec(select(ModelCall).order_by(ModelCall.id)))


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(each, id=each.name, marks=() if each.name in IN_THE_SUITE else pytest.mark.slow) for each in TROUBLES],
)
def test_trouble_ends_in_a_sentence_with_the_money_accounted_for_and_the_iteration_goes_on(
    home: Path, model: Model, trouble: Trouble
) -> None:
    claude = ClaudeSettings(home.parent / "config", trouble.model, model.url, silence_seconds=0.3, daily=Daily(10**9, 10**9))
    model.brain = lambda body: replace(trouble.reply)
    assert work(home, claude) == 1

    lab = Lab(home, claude)
    view = lab.iteration(1)
    assert view.row.status == "failed"
    assert re.search(trouble.sentence, view.explanation)
    assert view.explanation.endswith(".")
    seen = " ".join(CliRunner().invoke(app, ["show", "1"]).output.split())
    assert re.search(trouble.sentence, seen), "the person sees the sentence"
    rows = calls(lab)
    assert len(rows) == trouble.attempts
    assert {row.state for row in rows} <= {trouble.state}
    books = agree(rows, model.bill)
    assert books.spent == (books.in_doubt if trouble.state == "in doubt" else 0)
    assert lab.usage.total(days=2).cost_micros == books.spent
    with lab.store.read() as session:
        assert session.exec(select(IterationStep)).all() == [], "no half a step"

    lab.minds.resume(1)
    model.brain = competent
    assert work(home, replace(claude, model=MODEL, silence_seconds=30.0)) == 1
    assert lab.iteration(1).row.status in ("awaiting approval", "no proposal")
    assert [step.state for step in lab.iteration(1).steps] == ["done"] * len(STEPS)
    assert agree(calls(lab), model.bill).in_doubt == books.in_doubt, "gone on with, nothing is in doubt but what was"
    lab.close()


@pytest.mark.slow
def test_trouble_in_the_middle_keeps_what_was_paid_for(home: Path, model: Model) -> None:
    """An error in the search for a refinement: gone on with, no earlier reply is asked for again."""
    claude = ClaudeSettings(home.parent / "config", MODEL, model.url, silence_seconds=30.0, daily=Daily(10**9, 10**9))
    model.script |= {5: fails(401, "authentication_error", "invalid x-api-key")}
    work(home, claude)
    lab = Lab(home, claude)
    assert "key was not accepted" in lab.iteration(1).explanation
    paid = [row.request_hash for row in calls(lab) if row.state == "settled"]
    assert len(paid) == 4
    lab.minds.resume(1)
    work(home, claude)
    settled = [row.request_hash for row in calls(lab) if row.state == "settled"]
    assert settled[:4] == paid
    assert len(set(settled)) == len(settled)
    assert agree(calls(lab), model.bill).in_doubt == 0
    lab.close()
