"""Money on screen: what models cost, budgets raised by a key, prompts and replies as sent, who thinks for an agent."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lab.agents.budget.money import budget_day
from lab.agents.rules import Refinements, Rule
from lab.agents.service import Lab
from lab.store.models import AgentIteration, CallState, ModelCall, utc_now
from lab.tui.screens.minding import rule_from, rule_words
from lab.tui.widgets.tabs import TabLine
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import Session, session


async def _tab(s: Session, name: str) -> None:
    s.app.screen.query_one(TabLine).active = name
    await s.pilot.pause()


def _asked(lab: Lab, text: str = "You trade T07.", state: CallState = CallState.SETTLED) -> None:
    """One call of the agent's iteration, as the caller stores it."""
    with lab.store.write() as rows:
        rows.add(
            ModelCall(
                agent_id=1,
                iteration_id=1,
                day=budget_day(utc_now()),
                purpose="analysis",
                attempt=1,
                model="claude-test",
                state=state,
                reserved_micros=90_000,
                charged_micros=31_000,
                input_tokens=1_000,
                cache_read_tokens=3_000,
                output_tokens=500,
                prompt_version="analysis-1",
                prices_of="2026-01-01",
                request_hash="x",
                prompt=json.dumps({"system": [{"text": text}], "messages": []}),
                reply=json.dumps({"content": [{"type": "text", "text": "I took \x1b[31m94[/] trades."}]}),
            )
        )


async def test_usage_shows_where_the_money_went_and_what_is_left(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (120, 36)) as s:
        await s.press("g", "u")
        await s.until(lambda: s.place == "usage" and s.app.screen.data is not None, "usage is read")
        for words in (
            "Today $0.540 of $5.00, $4.46 left",
            "1 call in doubt ($0.020",
            "70% of prompt tokens",
            "VWAP Guardian",
            "Left today",
            "Cost a day",
            "Cost an iteration",
            "█ from the cache",
        ):
            await s.sees(words)
        for tab, words in (("purpose", "strategy"), ("model", "claude-test"), ("day", "2026-03-01"), ("iteration", "VWAP Guardian #2")):
            await _tab(s, tab)
            await s.sees(words)
            assert s.app.screen.query_one(TabLine).active == tab


async def test_a_budget_is_raised_by_a_key_even_typed_ahead(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("usage")
        await s.until(lambda: s.app.screen.data is not None, "usage is read")
        await s.press("down", "plus", *"2.5", "enter")
        await s.until(lambda: fake.usage.daily[1] == 2_500_000, "the first agent's budget is set")
        await s.is_told("Budget of VWAP Guardian: $2.50 a day.")
        await s.press("plus", *"lots", "enter")
        await s.is_told("is no amount")
        assert fake.usage.daily == {0: 5_000_000, 1: 2_500_000, 2: 1_000_000, 3: 1_000_000}


async def test_prompt_and_reply_of_a_real_iteration_are_shown_as_sent_and_harmless(make_app: MakeApp, learned: Lab) -> None:
    _asked(learned, "You trade T07. [b]\x1b]0;x\x07")
    _asked(learned, "Second prompt.", CallState.IN_DOUBT)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await s.press("C")
        await s.until(lambda: s.place == "call" and s.app.screen.data is not None, "the call is read")
        for words in ("You trade T07. [b]", "I took 94[/] trades.", "$0.031 of $0.090 reserved", "3,000 from it"):
            await s.sees(words)
        assert "\x1b" not in s.text()
        await s.press("z")
        await s.sees('"content": [')
        await s.press("z", "right")
        await s.sees("Second prompt.")
        await s.sees("in doubt")
        await s.press("right")
        await s.is_told("This is the last call of the list.")
        await s.press("escape")
        await s.until(lambda: s.place == "iteration", "back")
        await s.open("usage")
        await s.until(lambda: s.app.screen.data is not None, "usage is read")
        await _tab(s, "calls")
        await s.sees("in doubt")
        await s.press("enter")
        await s.until(lambda: s.place == "call", "a call opens from the list too")


async def test_an_iteration_out_of_budget_says_until_when_and_goes_on_by_one_key(make_app: MakeApp, learned: Lab) -> None:
    reason = "VWAP Guardian's budget of $1.00 a day has $0.0029 left. It goes on by itself at 00:00 New York time."
    with learned.store.write() as rows:
        row = rows.get_one(AgentIteration, 1)
        row.iteration_status, row.paused_until, row.pause_reason = "analyse", utc_now() + timedelta(hours=3), reason
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await s.sees("It goes on by itself at 00:00 New York time")
        await s.press("plus")
        await s.sees("What waits for budget goes on at once")
        await s.press(*"2.5", "enter")
        await s.is_told("Budget of VWAP Guardian: $2.50 a day.")
        await s.until(lambda: learned.iteration(1).paused_until is None, "it goes on")
        assert learned.usage.budget(1).daily_micros == 2_500_000


async def test_without_a_model_there_is_nothing_to_show(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await s.press("C")
        await s.is_told("No model was asked for this iteration")


async def test_the_analysis_shows_while_it_is_being_written(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        fake.usage.coming_in = "I took 94 trades and [b]"
        await s.open("iteration", 31)
        await s.press("right")
        await s.sees("The agent is writing: I took 94 trades and [b]")
        fake.usage.coming_in += " lost."
        fake.changed()
        await s.sees("94 trades and [b] lost.")


async def test_an_agents_strategist_budget_and_learning_are_set_on_its_settings(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("agent", 1)
        await _tab(s, "settings")
        await s.sees("only when told")
        await s.press("S", "b")
        await s.sees("as chosen for this agent")
        await s.press("plus", *"0.5", "enter")
        await s.sees("$0.500 left today of $0.500")
        await s.press("L", "w")
        await s.until(lambda: s.place == "ask_line", "asked for the end")
        await s.press(*"4 iterations, $2", "enter")
        await s.until(lambda: learned.minds.rule(1) is not None, "a rule is set")
        await s.sees("by itself until 4 iterations or $2.00 spent; refinements wait for you")
        await s.press("L", "o")
        await s.until(lambda: learned.minds.rule(1) is None, "the rule is gone")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("10 iterations, $2, 3 without progress", Rule(max_iterations=10, max_micros=2_000_000, patience=3)),
        ("$0.75", Rule(max_micros=750_000, patience=None)),
        ("5 iterations", Rule(max_iterations=5, patience=None)),
        ("for ever", None),
    ],
)
def test_the_ends_of_learning_are_read_from_words(words: str, rule: Rule | None) -> None:
    assert rule_from(words, Refinements.WAIT) == rule
    if rule is not None:
        assert "wait for you" in rule_words(rule)
