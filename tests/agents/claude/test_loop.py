"""The whole loop with a model: what is stored, what is paid, what is not paid twice, and what waits for the next day."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from lab.agents.budget.errors import OutOfBudget
from lab.agents.budget.money import Daily, budget_day, next_day_at
from lab.agents.budget.views import By
from lab.agents.claude.config import ClaudeSettings
from lab.agents.errors import StrategistFailed
from lab.agents.service import Lab
from lab.agents.views import IterationView
from lab.store.models import AgentIteration, CallState, IterationStep, ModelCall, Trial, utc_now
from lab.work.queue import claim, waiting
from tests.agents.model_server import Body, Model, Reply, asked, competent, fails, says, uses

Think = Callable[..., IterationView]
COSTS = {"settled", "in doubt"}


def calls(lab: Lab) -> list[ModelCall]:
    with lab.store.read() as session:
        return list(session.exec(select(ModelCall).order_by(ModelCall.id)))


def test_an_iteration_with_a_model_runs_to_its_end_and_every_call_is_a_row(lab: Lab, agent_id: int, think: Think, model: Model) -> None:
    view = think(lab, agent_id)
    assert view.row.status in ("awaiting approval", "no proposal")
    assert [step.state for step in view.steps] == ["done"] * 6
    rows = calls(lab)
    assert [row.purpose for row in rows] == ["strategy", "analysis", *["refinement"] * 5]
    assert {row.state for row in rows} == {CallState.SETTLED}
    assert all(0 < row.charged_micros <= row.reserved_micros and row.latency_ms >= 0 and row.reply for row in rows)
    for row, body, used in zip(rows, model.bodies, model.bill, strict=True):
        sent = {key: value for key, value in body.items() if key != "stream"}
        assert json.loads(row.prompt) == sent, "the prompt is stored exactly as it was sent"
        kept = (row.input_tokens, row.cache_write_tokens, row.cache_read_tokens, row.output_tokens)
        assert kept == (used.input, used.cache_write, used.cache_read, used.output)
    with lab.store.read() as session:
        trials = session.exec(select(Trial)).all()
        row = session.get_one(AgentIteration, view.row.id)
    assert len(trials) == 4, "the version and three variants, each a trial for ever"
    assert "claude-sonnet-5-5 runs, blind" in row.strategist


def test_a_refinement_the_model_chose_is_measured_on_sessions_it_never_saw(lab: Lab, agent_id: int, think: Think, model: Model) -> None:
    def choosy(body: Body) -> Reply:
        reply = competent(body)
        chosen = json.loads(reply.content[0]["text"])["reply"] if reply.stop_reason == "end_turn" else {}
        return says({"choice": 1, "title": "a change for T01", "rationale": "It has a reason."}) if "choice" in chosen else reply

    model.brain = choosy
    view = think(lab, agent_id, "try something else")
    assert view.proposal is not None, "what the person asks for is shown, whatever it measured"
    assert view.proposal.title == f"a change for {next(t for t in view.universe.tickers if t in view.proposal.title)}"
    assert view.proposal.effect.confirmed_sessions > 0
    seen = json.dumps(model.bodies[-1]["messages"])
    assert f"{view.proposal.effect.daily_difference * 1e4:+.1f} basis points" not in seen


def test_what_was_paid_for_is_not_bought_again_after_a_break(lab: Lab, agent_id: int, think: Think, model: Model) -> None:
    model.script[5] = fails(400, "invalid_request_error", "something")  # in the middle of the search for a refinement
    iteration_id = lab.start_iteration(agent_id)
    with pytest.raises(StrategistFailed, match="refused the request"):
        think(lab, agent_id, iteration_id=iteration_id)
    before = [row.id for row in calls(lab) if row.state == CallState.SETTLED]
    with lab.store.write() as session:
        row = session.get_one(AgentIteration, iteration_id)
        row.iteration_status, row.failure = "failed", "The server refused the request"  # as the worker says it
        steps = {step.step: step.id for step in session.exec(select(IterationStep))}
    lab.minds.resume(iteration_id)
    view = think(lab, agent_id, iteration_id=iteration_id)
    assert view.row.status in ("awaiting approval", "no proposal")
    with lab.store.read() as session:
        assert steps.items() <= {step.step: step.id for step in session.exec(select(IterationStep))}.items()
    rows = calls(lab)
    assert [row.id for row in rows if row.state == CallState.SETTLED][: len(before)] == before
    assert sum(row.state == CallState.SETTLED for row in rows) == 7, "as many as an undisturbed iteration buys"
    assert len({row.request_hash for row in rows if row.state == CallState.SETTLED}) == 7
    assert len(model.bill) == 7


def test_a_call_that_a_killed_program_left_open_counts_in_full_and_is_shown_in_doubt(
    lab: Lab, agent_id: int, think: Think, model: Model
) -> None:
    iteration_id = lab.start_iteration(agent_id)
    with lab.store.write() as session:
        session.add(
            ModelCall(
                agent_id=agent_id,
                iteration_id=iteration_id,
                day=budget_day(utc_now()),
                purpose="strategy",
                attempt=1,
                model="m",
                reserved_micros=5,
                charged_micros=5,
                prompt_version="",
                prices_of="",
                request_hash="x",
                prompt="{}",
            )
        )
    think(lab, agent_id, iteration_id=iteration_id)
    assert calls(lab)[0].state == CallState.IN_DOUBT
    row = next(row for row in lab.usage.by(By.MODEL, days=3) if row.key == "m")
    assert (row.in_doubt, row.cost_micros, row.in_doubt_micros) == (1, 5, 5)


def test_out_of_budget_the_iteration_pauses_until_new_york_midnight_and_goes_on_with_more(
    lab: Lab, agent_id: int, think: Think, claude: ClaudeSettings, model: Model
) -> None:
    iteration_id = lab.start_iteration(agent_id)
    small = replace(claude, daily=Daily(60_000, 5_000_000))
    with pytest.raises(OutOfBudget):
        think(lab, agent_id, iteration_id=iteration_id, settings=small)
    with lab.store.read() as session:
        row = session.get_one(AgentIteration, iteration_id)
    assert row.iteration_status not in ("failed", "cancelled")
    assert "goes on by itself at 00:00 New York time" in row.pause_reason
    assert row.paused_until == next_day_at(utc_now())
    assert lab.iteration(iteration_id).explanation == row.pause_reason
    assert claim(lab.store, "somebody") is None, "no worker takes it today"
    assert waiting(lab.store) == 0
    assert waiting(lab.store, paused=True) == 1
    assert claim(lab.store, "somebody", at=row.paused_until + timedelta(seconds=1)) == iteration_id, "it goes on by itself the next day"
    with lab.store.write() as session:
        session.get_one(AgentIteration, iteration_id).lease_owner = None
    bought = len(model.bill)
    lab.usage.set_budget(agent_id, 2_000_000)
    assert claim(lab.store, "somebody") == iteration_id, "with a raised budget it goes on at once"
    view = think(lab, agent_id, iteration_id=iteration_id, settings=small)
    assert view.row.status in ("awaiting approval", "no proposal")
    assert len(model.bill) == 7 > bought


def test_without_a_key_or_where_it_is_chosen_the_built_in_strategist_runs_and_says_so(
    lab: Lab, agent_id: int, think: Think, model: Model, claude: ClaudeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.minds.choose(agent_id, "built-in")
    view = think(lab, agent_id)
    with lab.store.read() as session:
        assert session.get_one(AgentIteration, view.row.id).strategist == "The built-in strategist runs, as chosen for this agent."
    assert model.calls == 0
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    opened = Lab(lab.workspace.home, claude)
    assert "No key for it is set" in opened.minds.choose(agent_id, "auto")
    assert "Claude was chosen, but no key" in opened.minds.choose(agent_id, "claude")
    opened.close()


def test_tools_only_read_or_propose_and_what_they_are_asked_wrongly_is_told(lab: Lab, agent_id: int, think: Think, model: Model) -> None:
    wishes = [
        uses("find_functions", {"word": "volume"}, "a"),
        uses("evidence", {"dimension": "nothing such"}, "b"),
        uses("trade_bars", {"id": "S9999"}, "c"),
        uses("own_history", {}, "d"),
        uses("delete_everything", {"path": "/"}, "e"),
        uses("test_variant", {"title": "t", "why": "w", "scan": "long = import os"}, "f"),
        uses("test_variant", {"title": "t", "why": "w"}, "g"),
    ]

    def nosy(body: Body) -> Reply:
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if "Find one change" not in asked(body):
            return competent(body)
        if turn == len(wishes):
            told = re.search(r"Bars are there for (S\d+)", json.dumps(body["messages"]))
            assert told is not None
            return uses("trade_bars", {"id": told[1]}, "h")
        return wishes[turn] if turn < len(wishes) else says({"choice": 0, "title": "", "rationale": "Nothing."})

    model.brain = nosy
    view = think(lab, agent_id)
    answers = [part["content"] for m in model.bodies[-1]["messages"] for part in m["content"] if part["type"] == "tool_result"]
    assert "relative_volume" in answers[0]
    assert "There are breakdowns by hour of day" in answers[1]
    assert answers[2].startswith("Bars are there for S")
    assert "version 1.0 (current)" in answers[3]
    assert answers[4] == "There is no tool 'delete_everything'."
    assert "line 1" in answers[5] or "column" in answers[5] or "Write" in answers[5]
    assert "does the same as the current version" in answers[6]
    assert answers[7].startswith("time, open, high, low, close (entry = 100)")
    assert view.row.status == "no proposal"
    with lab.store.read() as session:
        assert len(session.exec(select(Trial)).all()) == 1, "nothing of this was a trial"
