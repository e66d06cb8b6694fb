"""A personality read by Claude before there is an agent: its choices, its cost, and the built-in words where it can't be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lab.agents.budget.money import Daily, budget_day
from lab.agents.budget.views import BEFORE, OUTSIDE, By
from lab.agents.claude.config import ClaudeSettings
from lab.agents.personality import detect
from lab.agents.service import Lab
from lab.agents.views import Personality
from lab.store.models import Universe
from tests.agents.model_server import Model, Reply, asked, fails, says

WORDS = "A careful trader for NVDA and Tesla: buy what fell too far below the average price of the day, as in March 2024"
SAID = {
    "risk": "conservative",
    "style": "mean-reversion trader",
    "focus": ["VWAP fade"],
    "markets": ["any market", "liquid stocks"],
    "risk_words": ["A careful trader"],
    "style_words": ["fell too far", "words nobody wrote"],
    "focus_words": ["below the average price  of the day"],
    "markets_words": [],
}


@pytest.fixture
def lab(tmp_path: Path, claude: ClaudeSettings) -> Iterator[Lab]:
    opened = Lab(tmp_path / "home", claude)
    yield opened
    opened.close()


def test_claude_reads_who_an_agent_shall_be_from_plain_english(lab: Lab, model: Model) -> None:
    model.brain = lambda body: says(SAID)
    found = lab.minds.read_personality(WORDS)
    assert found.personality == Personality("conservative", "mean-reversion trader", ("VWAP fade",), ("liquid stocks",))
    assert found.because["style"] == ("fell too far",), "what the person did not write is not quoted"
    assert found.because["focus"] == ("below the average price of the day",)
    assert found.read_by.startswith("Read by claude-sonnet-5-5 for $0.0")
    sent = model.bodies[0]
    assert "tools" not in sent
    assert not [word for word in ("NVDA", "Tesla", "2024", "March") if word in asked(sent)]
    (row,) = lab.usage.calls()
    assert (row.purpose, row.agent, row.state) == ("personality", BEFORE, "settled")
    assert [r.key for r in lab.usage.by(By.ITERATION)] == [OUTSIDE]
    assert lab.usage.whole_lab().spent_micros == row.charged_micros > 0
    assert lab.minds.read_personality(WORDS) == found
    assert len(model.bill) == 1, "the same words are not paid for twice"


def test_what_the_next_iteration_may_cost_is_said_before_it_starts(lab: Lab, claude: ClaudeSettings) -> None:
    with lab.store.write() as rows:
        span = {"first_session": date(2024, 1, 2), "learning_until": date(2024, 1, 2), "last_session": date(2024, 1, 2)}
        rows.add(Universe(name="U", tickers=["A"], timeframe="1m", source="demo", **span))
    agent_id = lab.create_agent("Ann", WORDS, detect(WORDS).personality, 1)
    assert re.fullmatch(
        r"The next iteration may cost \$0.0\d\d to \$0.0\d\d, by its token budget; \$1.000 left today.", lab.minds.ahead(agent_id)
    )
    lab.usage.set_budget(agent_id, 20_000)
    assert lab.minds.ahead(agent_id).endswith("$0.020 left today, so it may have to wait for tomorrow.")
    lab.minds.choose(agent_id, "built-in")
    assert lab.minds.ahead(agent_id) == ""


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (says({**SAID, "risk": "reckless"}), "does not have the form"),
        (says({**SAID, "focus": []}), "does not have the form"),
        (Reply([], "refusal"), "refused this request"),
        (fails(401, "authentication_error"), "key was not accepted"),
    ],
)
def test_where_claude_gives_no_answer_the_built_in_words_do_and_say_why(lab: Lab, model: Model, reply: Reply, sentence: str) -> None:
    model.brain = lambda body: reply
    found = lab.minds.read_personality(WORDS)
    assert found.personality == detect(WORDS).personality
    assert found.read_by.startswith("Read by the built-in words")
    assert sentence in found.read_by


def test_without_a_key_budget_or_words_on_trading_nothing_is_asked(
    tmp_path: Path, claude: ClaudeSettings, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = Lab(tmp_path / "poor", replace(claude, daily=Daily(10**6, 100)))
    assert "budget of the whole lab does not cover" in poor.minds.read_personality(WORDS).read_by
    assert "nothing about trading" in poor.minds.read_personality("be nice").read_by
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert "no key for Claude is set" in poor.minds.read_personality(WORDS).read_by
    poor.close()
    assert model.calls == 0


def test_a_question_that_a_closed_terminal_left_open_counts_in_full_and_is_shown_in_doubt(lab: Lab, model: Model) -> None:
    from lab.store.models import ModelCall, utc_now

    with lab.store.write() as session:
        about = {"purpose": "personality", "model": "m", "prompt_version": "", "prices_of": "", "request_hash": "x", "prompt": "{}"}
        money = {"reserved_micros": 5, "charged_micros": 5, "day": budget_day(utc_now()), "attempt": 1}
        session.add(ModelCall(agent_id=0, iteration_id=0, **money, **about))
    model.brain = lambda body: says(SAID)
    lab.minds.read_personality(WORDS)
    assert [row.state for row in lab.usage.calls()] == ["settled", "in doubt"]
