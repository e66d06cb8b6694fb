"""The agent screen and the comparison of versions."""

from __future__ import annotations

from dataclasses import replace

from lab.tui.widgets.line_table import LineTable
from lab.tui.widgets.tabs import TabLine
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import Session, session


def tab(s: Session) -> str:
    return s.app.screen.query_one(TabLine).active


async def test_tabs_are_gone_through_by_arrows_and_vi_keys_around_the_end(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        seen = [tab(s)]
        for key in ("right", "l", "right", "l", "right", "l", "right"):
            await s.press(key)
            seen.append(tab(s))
        assert seen == ["overview", "iterations", "versions", "knowledge", "trades", "graduation", "usage", "settings"]
        await s.press("l")
        assert tab(s) == "overview"
        await s.press("h")
        assert tab(s) == "settings"
        await s.press("left")
        assert tab(s) == "usage"


async def test_the_shown_tab_is_named_in_a_terminal_too_narrow_for_all(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (60, 20)) as s:
        await s.open("agent", 1)
        for name in ("Overview", "Iterations", "Versions", "Knowledge", "Trades", "Graduation", "Usage", "Settings"):
            await s.sees(f"[{name}]")
            assert "‹" in s.text() or "›" in s.text()
            await s.press("right")


async def test_the_overview_shows_the_result_its_uncertainty_and_that_bars_are_synthetic(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (120, 36)) as s:
        await s.open("agent", 1)
        for words in ("SYNTHETIC", "54.3%", "44–64%", "-0.4 to 2.9", "buy and hold SPY +5.2%"):
            await s.sees(words)
        for words in ("no evidence", "I took 94 trades", "drawdown"):
            await s.sees(words)


async def test_an_agent_without_result_teaches_the_next_key(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 3)
        await s.sees("No result yet. i starts")
        await s.sees("▸ backtest")
        await s.press("right", "right")
        await s.sees("No version yet")


async def test_i_starts_an_iteration_and_shows_it(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        fake.rows[1] = replace(fake.rows[1], pending_approvals=0)
        await s.open("agent", 1)
        await s.press("i")
        await s.at("iteration")
        assert "start_iteration 1" in fake.calls
        assert "ensure_worker" in fake.calls


async def test_w_starts_one_with_words_of_guidance(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        fake.rows[1] = replace(fake.rows[1], pending_approvals=0)
        await s.open("agent", 1)
        await s.press("w")
        await s.at("ask_line")
        await s.press("escape")
        await s.at("agent")
        await s.press("w")
        await s.at("ask_line")
        await s.press(*"mornings", "enter")
        await s.at("iteration")
        assert "start_iteration 1 mornings" in fake.calls


async def test_a_waiting_decision_keeps_the_next_iteration_back_and_says_why(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("i")
        await s.is_told("waits for your decision first")
        assert not any(call.startswith("start") for call in fake.calls)


async def test_enter_opens_the_iteration_under_the_cursor(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "down", "enter")
        await s.at("iteration")
        await s.sees("VWAP Guardian #1")


async def test_two_marked_versions_are_compared(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "right")
        await s.sees("● current")
        await s.press("space", "down", "space")
        await s.sees("c compares the two marked versions")
        await s.press("c")
        await s.at("compare")
        await s.sees("version 1.0 → 1.1")
        await s.sees("win rate 51.2% 41–61% 54.3% 44–64%")
        await s.sees("loud: volume filter 2.0 → 3.0")
        assert "Equity of 1.1, dotted that of 1.0" in s.flow("#curves")
        await s.press("s")
        await s.sees("version 1.1 → 1.0")
        await s.press("escape")
        await s.at("agent")


async def test_trades_that_appeared_vanished_and_ended_otherwise_are_listed_and_opened(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (120, 36)) as s:
        await s.open("compare", 101, 102)
        await s.sees("+ 2 appeared (+$38); - 2 vanished (-$50); ~ 1 ended otherwise (+$99 instead of +$41); 3 trades the same")
        await s.press("right", "slash", *"vanished", "enter")
        table = s.app.screen.query_one(LineTable)
        await s.until(lambda: [row_id for row_id, _ in table.rows] == [(11, 1), (11, 5)], "those of the older version")
        await s.press("down", "enter")
        await s.at("trade")
        await s.sees("2 of 2")
        assert (s.app.screen.data.iteration_id, s.app.screen.data.place) == (11, 5)  # type: ignore[attr-defined]


async def test_win_rate_and_sharpe_are_drawn_over_the_versions_with_their_intervals(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right")
        for words in ("Win rate by version", "Sharpe by version", "1.0", "1.1"):
            await s.sees(words)
        drawn = s.text()
        assert drawn.count("●") == 4
        assert drawn.count("┬") + drawn.count("┴") >= 6
        await s.open("agent", 2)
        await s.press("right")
        assert "by version" not in s.text(), "one version is no line"


async def test_the_newest_trades_are_on_a_tab_and_open_as_candles(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press(*["right"] * 4)
        await s.sees("40 trades of version 1.1, iteration 2, by entry")
        await s.press("o", "down", "enter")
        await s.at("trade")
        await s.sees("2 of 40")


async def test_what_an_agent_cost_is_on_a_tab_with_its_budget_and_every_call(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("h", "h")
        for words in ("$0.310 of $1.00, $0.690 left", "analysis $0.310", "in doubt", "$0.040 to $0.120 an iteration"):
            await s.sees(words)
        await s.press("plus", *"2.5", "enter")
        await s.until(lambda: fake.usage.daily[1] == 2_500_000, "the budget is set")
        await s.press("enter")
        await s.at("call")


async def test_c_without_marks_compares_with_the_current_version(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "right", "c")
        await s.at("compare")
        await s.sees("version 1.0 → 1.1")


async def test_enter_on_a_version_compares_it_too(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "right", "enter")
        await s.at("compare")


async def test_m_makes_an_older_version_current_after_asking(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "right", "m")
        await s.at("confirm")
        await s.press("n")
        await s.at("agent")
        assert not any(call.startswith("make_current") for call in fake.calls)
        await s.press("m")
        await s.at("confirm")
        await s.press("y")
        await s.at("agent")
        await s.until(lambda: "make_current 101" in fake.calls, "made current")
        await s.sees("v1.0")
        await s.press("m")
        await s.is_told("current already")


async def test_version_keys_do_nothing_on_other_tabs(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("m", "c")
        assert s.place == "agent"
        assert not s.told()


async def test_the_insight_under_the_cursor_is_shown_in_full(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "right", "right")
        await s.sees("(58% of 41 against 49% of 53)")
        await s.press("down")
        await s.sees("Retired: Contradicted by iteration 2.")


async def test_settings_show_the_system_prompt(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("h")
        await s.until(lambda: "You are a conservative VWAP scalper." in s.flow("#settings-text"), "the prompt is there")
        await s.sees("the built-in strategist runs")


async def test_delete_asks_for_the_name_and_leaves(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 2)
        await s.press("D", "y", "enter")
        await s.is_told("That is not its name: Gap Hunter stays.")
        assert 2 in fake.rows
        await s.press("D", *"Gap", "space", *"Hunter", "enter")
        await s.at("dashboard")
        assert 2 not in fake.rows


async def test_x_stops_the_running_iteration_after_asking(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 3)
        await s.press("x")
        await s.at("confirm")
        await s.press("y")
        await s.until(lambda: "cancel_iteration 31" in fake.calls, "stopped")


async def test_a_change_from_elsewhere_appears_and_the_cursor_stays(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("agent", 1)
        await s.press("right", "down")
        table = s.app.screen.query_one("#iteration-table", LineTable)
        assert table.cursor_id == 11
        fake._add_iteration(13, 1, 3, "1.2", None, "queued")
        fake.changed()
        await s.sees("◌ queued")
        assert table.cursor_id == 11
