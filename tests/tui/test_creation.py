"""Making and changing an agent by keyboard."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input, TextArea

from lab.agents.alike import alike
from lab.agents.claude.config import ClaudeSettings
from lab.agents.errors import BadAgent
from lab.agents.jobs import BarsSlice
from lab.agents.personality import FOCUSES, MARKETS, RISKS, STYLES
from lab.agents.sampling import Sample, SignalCount
from lab.agents.service import Lab
from lab.agents.views import Personality
from lab.store.models import Universe
from lab.tui.screens.creation import CreationScreen
from lab.tui.widgets.choices import Choices
from tests.agents.model_server import KEY, Model, says, serving
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import REAL_UNIVERSE, FakeLab
from tests.tui.session import Session, session

WORDS = "an aggressive vwap scalper"
BARS = BarsSlice("bars", ("AAPL", "AMD"), "1m", date(2025, 1, 2), date(2025, 3, 3), "SPY", None, "", False, date(2025, 3, 3))


async def type_words(s: Session) -> None:
    """Fill in name and instructions, at once: typing key by key is shown by the first test."""
    s.app.screen.query_one("#name", Input).value = "Nimble"
    await s.press("tab")
    s.app.screen.query_one("#instructions", TextArea).text = WORDS
    await s.until(lambda: chosen(s, "risk") == ("aggressive",), "words read")


def chosen(s: Session, part: str) -> tuple[str, ...]:
    return s.app.screen.query_one(f"#{part}", Choices).chosen


async def test_the_personality_appears_as_one_types_with_the_words_it_was_read_from(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("n")
        await s.at("creation")
        await s.press(*"Nimble", "tab")
        await s.press(*(("space" if key == " " else key) for key in WORDS))
        await s.sees("aggressive from “aggressive”")
        await s.sees("vwap bounce from “vwap”")
        assert chosen(s, "style") == ("scalper",)


async def test_ctrl_g_creates_the_agent_and_opens_it(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        await s.press("ctrl+g")
        await s.at("agent")
        assert [row.name for row in fake.rows.values()][-1] == "Nimble"
        assert fake.rows[4].personality.risk == "aggressive"
        await s.sees("Nimble")


async def test_created_at_once_it_is_what_the_last_words_typed_say(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        s.app.screen.query_one("#instructions", TextArea).text = "a conservative swing trader"
        await s.app.screen.action_create()  # type: ignore[attr-defined]
        await s.at("agent")
        assert (fake.rows[4].personality.risk, fake.rows[4].personality.style) == ("conservative", "swing trader")


async def test_every_part_can_be_chosen_and_no_longer_follows_the_words(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        await s.press("tab")
        await s.press("left", "space")
        await s.until(lambda: chosen(s, "risk") == ("balanced",), "balanced chosen")
        await s.press("down", "right", "space")
        await s.until(lambda: chosen(s, "style") == ("day trader",), "style chosen")
        await s.press("tab", "right", "space")
        await s.until(lambda: len(chosen(s, "focus")) == 2, "a second focus")
        await s.press("tab", "space")
        await s.press("shift+tab", "shift+tab", "shift+tab", "shift+tab")
        s.app.screen.query_one("#instructions", TextArea).text = "a conservative vwap scalper"
        await s.sees("balanced your choice")
        await s.press("ctrl+g")
        await s.at("agent")
        assert fake.rows[4].personality.risk == "balanced"
        assert fake.rows[4].personality.style == "day trader"
        assert len(fake.rows[4].personality.focus) == 2


async def test_a_market_excludes_any_market_and_the_other_way_round(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("n")
        await s.at("creation")
        choices = s.app.screen.query_one("#markets", Choices)
        choices.focus()
        await s.press("right", "space", "right", "space")
        assert chosen(s, "markets") == ("rising market", "falling market")
        await s.press("left", "left", "space")
        assert chosen(s, "markets") == ("any market",)
        await s.press("right", "space", "space")
        assert chosen(s, "markets") == ("any market",)


async def test_words_that_changed_nothing_are_named(make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    read = replace(fake.detect(WORDS), not_understood=("news", "earnings"))
    monkeypatch.setattr(fake, "detect", lambda _: read)
    async with session(make_app, fake) as s:
        await s.press("n")
        await s.sees("not understood: “news”, “earnings”")


async def test_limits_are_shown_and_typed_as_percent_of_equity(make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    view = fake.agent(1)
    saved: list[dict[str, float] | None] = []
    monkeypatch.setattr(fake, "agent", lambda _: replace(view, risk_config={"max_exposure": 1.0, "max_position": 0.25}))
    monkeypatch.setattr(fake, "update_agent", lambda *_, risk, **__: saved.append(risk))
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        assert "100 % of equity in all positions" in s.flow("#settings-text")
        await s.press("e")
        await s.at("settings")
        limit = s.app.screen.query_one("#limit-max_position", Input)
        assert limit.value == "25"
        limit.value = "35"
        await s.press("ctrl+g")
        await s.until(lambda: saved == [{"max_position": 0.35}], "saved")


async def test_backspace_goes_back_to_what_was_read(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        await s.press("tab", "left", "space")
        await s.until(lambda: chosen(s, "risk") == ("balanced",), "balanced chosen")
        await s.press("backspace")
        await s.until(lambda: chosen(s, "risk") == ("aggressive",), "read again")


async def test_the_last_focus_cannot_be_let_go(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        s.app.screen.query_one("#focus", Choices).focus()
        await s.press("space")
        assert len(chosen(s, "focus")) == 1


@pytest.mark.parametrize(("field", "sentence"), [("name", "Give the agent a name."), ("instructions", "These say nothing about trading.")])
async def test_an_error_stands_at_its_field_and_nothing_typed_is_lost(
    make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch, field: str, sentence: str
) -> None:
    def refuse(*_: object) -> int:
        raise BadAgent(field, sentence)

    monkeypatch.setattr(fake, "create_agent", refuse)
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        await s.press("ctrl+g")
        await s.sees(f"✗ {sentence}")
        assert s.place == "creation"
        assert s.app.screen.query_one("#name", Input).value == "Nimble"
        assert s.app.screen.query_one("#instructions", TextArea).text == WORDS
        assert s.app.focused is not None
        assert s.app.focused.id == field


async def test_a_name_that_is_taken_is_said_while_it_is_typed(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await s.press(*"gap", "space", *"hunter")
        await s.sees("exists already")
        await s.press("2")
        await s.until(lambda: "exists already" not in s.text(), "error gone")
        await s.press(*"x" * 80)
        await s.sees("A name has at most 80 characters; what the agent shall do goes into the field below.")


async def test_examples_fill_in_one_after_the_other_and_never_a_taken_name(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await s.press("f2")
        await s.until(lambda: "VWAP Guardian 2" in s.text(), "first example")
        await s.press("f2")
        await s.until(lambda: "Gap Hunter 2" in s.text(), "second example")
        await s.press("escape")
        await s.at("dashboard")


async def test_leaving_with_own_words_asks(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        await type_words(s)
        await s.press("escape")
        await s.at("confirm")
        await s.press("n")
        await s.at("creation")
        assert s.app.screen.query_one("#instructions", TextArea).text == WORDS
        await s.press("f2")
        await s.at("confirm")
        await s.press("n")
        await s.at("creation")
        await s.press("escape")
        await s.at("confirm")
        await s.press("y")
        await s.at("dashboard")


async def test_an_agent_much_like_this_one_is_pointed_out(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        assert not s.app.screen.query_one("#alike").display
        s.app.screen.query_one("#instructions", TextArea).text = "a conservative vwap scalper"
        await s.sees("like VWAP Guardian: also conservative scalper, looks for vwap bounce")
        s.app.screen.query_one("#instructions", TextArea).text = "an aggressive breakout momentum gap trader"
        await s.until(lambda: "like VWAP Guardian" not in s.text(), "no longer alike")


PERSONALITIES = st.builds(
    Personality,
    st.sampled_from(RISKS),
    st.sampled_from(STYLES),
    st.lists(st.sampled_from(FOCUSES), min_size=1, max_size=3, unique=True).map(tuple),
    st.lists(st.sampled_from(MARKETS[1:]), max_size=2, unique=True).map(lambda found: tuple(found) or MARKETS[:1]),
)


@given(PERSONALITIES, st.lists(PERSONALITIES, max_size=6))
def test_a_twin_is_always_found_and_first_and_a_stranger_never(wanted: Personality, others: list[Personality]) -> None:
    row = FakeLab(Path()).rows[1]
    agents = [replace(row, id=n, personality=one) for n, one in enumerate([*others, wanted])]
    found = alike(wanted, agents)
    assert found[0][0].personality == wanted
    assert all(words for _, words in found)
    stranger = replace(wanted, focus=tuple(set(FOCUSES) - set(wanted.focus)), style="none of these")
    assert alike(stranger, [agents[-1]]) == ()


class Counter:
    """Answers when told to; ended by closing it."""

    made: ClassVar[list[Counter]] = []

    def __init__(self, sample: Sample) -> None:
        self.go = asyncio.Event()
        self.closed = False
        Counter.made.append(self)

    async def count(self, scan: str, execution: str) -> SignalCount:
        await self.go.wait()
        return SignalCount(9, 20, 2, 4)

    async def close(self) -> None:
        self.closed = True


async def test_a_dry_run_counts_signals_beside_the_typing_and_can_be_stopped(
    make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CreationScreen, "make_counter", Counter)
    monkeypatch.setattr(Counter, "made", [])
    fake.sample = Sample("Demo market", True, BARS)
    async with session(make_app, fake, (100, 40)) as s:
        await s.open("creation")
        await type_words(s)
        await s.press("ctrl+t")
        await s.until(lambda: Counter.made, "counting")
        await s.press("ctrl+t")
        await s.until(lambda: Counter.made[0].closed, "stopped")
        await s.until(lambda: "Dry run:" not in s.text(), "nothing said of it")
        await s.press("ctrl+t")
        await s.until(lambda: len(Counter.made) == 2, "counting again")
        await s.press("space")
        Counter.made[1].go.set()
        await s.sees(
            "vwap bounce: 19 signals a month on Demo market (synthetic); counted 9 signals in the last 20 sessions on 2 of 4 tickers."
        )
        await s.until(lambda: Counter.made[1].closed, "the process is ended")
        await s.press("x")
        await s.until(lambda: "signals a month" not in s.text(), "what is out of date is gone")


async def test_a_dry_run_of_words_without_trading_says_so_at_the_words(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (100, 40)) as s:  # type: ignore[arg-type]  # the real laboratory instead of the one in memory
        await s.open("creation")
        s.app.screen.query_one("#instructions", TextArea).text = "be nice"
        await s.press("ctrl+t")
        await s.sees("These instructions say nothing about trading.")
        draft = learned.first_draft(WORDS, learned.detect(WORDS).personality, 1)
        assert learned.check_scripts(draft.scan_script, draft.execution_script, 1) == ()
        assert draft.pattern == "VWAP bounce"
        assert len(learned.agents()) == 1, "nothing is made by trying"


async def test_the_universe_can_be_chosen(make_app: MakeApp, fake: FakeLab) -> None:
    fake.universes.append(REAL_UNIVERSE)
    async with session(make_app, fake) as s:
        await s.open("creation")
        await s.sees("SYNTHETIC 1m bars")
        s.app.screen.query_one("#universe", Choices).focus()
        await s.press("right", "space")
        await s.sees("4 tickers, 1h bars")


async def test_without_bars_it_says_what_to_do(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        fake.universes.clear()
        fake.changed()
        await s.open("creation")
        await s.sees("make the demo market or import a file")
        await s.press("ctrl+g")
        await s.is_told("There are no bars yet")


async def test_settings_are_changed_and_saved(make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: dict[str, object] = {}

    def update(agent_id: int, **changes: object) -> None:
        saved.update(changes, agent_id=agent_id)

    monkeypatch.setattr(fake, "update_agent", update)
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("e")
        await s.at("settings")
        limit = s.app.screen.query_one("#limit-risk_percent", Input)
        limit.value = ""
        await s.press("ctrl+g")
        await s.sees("must be a number")
        limit.value = "0.7"
        s.app.screen.query_one("#risk", Choices).focus()
        await s.press("right", "space")
        await s.press("ctrl+g")
        await s.at("agent")
        assert saved["agent_id"] == 1
        assert saved["risk"] == {"risk_percent": 0.7}
        assert isinstance(saved["personality"], Personality)
        assert saved["personality"].risk == "balanced"


async def test_settings_left_unchanged_ask_nothing(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("e")
        await s.at("settings")
        await s.press("escape")
        await s.at("agent")


async def test_claude_reads_the_personality_by_a_key_and_what_it_reads_can_be_changed(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    said = {"risk": "conservative", "style": "swing trader", "focus": ["support bounce"], "markets": ["calm market"]}
    quotes = {"risk_words": ["vwap scalper"], "style_words": [], "focus_words": [], "markets_words": []}
    with serving(Model(brain=lambda body: says({**said, **quotes}))) as model:
        lab = Lab(tmp_path / "home", ClaudeSettings(tmp_path, base_url=model.url))
        with lab.store.write() as rows:
            day = date(2024, 1, 2)
            rows.add(
                Universe(name="U", tickers=["A"], timeframe="1m", source="demo", first_session=day, learning_until=day, last_session=day)
            )
        async with session(make_app, lab, (120, 40)) as s:  # type: ignore[arg-type]
            await s.open("creation")
            await s.press("ctrl+l")
            await s.sees("Say in a sentence how the agent should trade")
            await type_words(s)
            await s.press("ctrl+l")
            await s.until(lambda: chosen(s, "style") == ("swing trader",), "Claude's reading is shown")
            await s.sees("conservative from “vwap scalper”")
            await s.sees("Read by claude-sonnet-5-5 for $0.0")
            await s.press("tab", "right", "space")
            await s.until(lambda: chosen(s, "risk") == ("balanced",), "balanced chosen instead")
            s.app.screen.query_one("#instructions", TextArea).text = WORDS + " in rising markets"
            await s.until(lambda: chosen(s, "style") == ("scalper",), "other words are read by the built-in words at once")
            assert chosen(s, "risk") == ("balanced",)
            monkeypatch.delenv("ANTHROPIC_API_KEY")
            await s.press("ctrl+l")
            await s.sees("Read by the built-in words: no key for Claude is set")
        assert model.calls == 1
