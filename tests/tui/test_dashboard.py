"""The dashboard: what it shows of each agent, and every key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.agents.firm import SHARED_SESSIONS, firm_of
from lab.agents.service import Lab
from lab.agents.views import AgentRow
from lab.tui.screens.confirm import Confirm
from lab.tui.widgets.charts import EquityChart
from lab.tui.widgets.line_table import LineTable
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab, result
from tests.tui.seeing import on_screen, said, until


def decide_all(fake: FakeLab) -> None:
    """No proposal waits any more."""
    fake.proposals.clear()
    fake.rows = {agent_id: replace(row, pending_approvals=0) for agent_id, row in fake.rows.items()}
    fake.changed()


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_an_agents_standing_is_seen_at_a_glance(make_app: MakeApp, fake: FakeLab, size: tuple[int, int]) -> None:
    async with make_app(fake).run_test(size=size) as pilot:
        for words in ("VWAP Guardian", "1.1", "54.3%", "1.24", "no evidence", "1 to approve", "backtest 4/6", "SYNTHETIC"):
            await until(pilot, words)
        for words in (
            "conservative scalper",
            "(44–64%) of 94",
            "(-0.4 to 2.9)",
            "+3.1%",
            "I took 94 trades",
            "1 iteration running",
            "2 to approve",
        ):
            await until(pilot, words)


async def test_figures_of_another_version_say_so(make_app: MakeApp, fake: FakeLab) -> None:
    fake.rows[1] = replace(fake.rows[1], current_version="1.2")
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "of 1.1")
        await until(pilot, "Figures of version 1.1; 1.2 is not measured yet")


async def test_a_result_without_trades_shows_no_figures(make_app: MakeApp, fake: FakeLab) -> None:
    fake.rows[1] = replace(fake.rows[1], result=result(trades=0, total_return=0.0))
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "no trades:")
        assert "Return" not in on_screen(pilot)


async def test_a_long_name_keeps_clear_of_the_counters(make_app: MakeApp, fake: FakeLab) -> None:
    fake.rows[1] = replace(fake.rows[1], name="The very patient guardian of every volume-weighted average price")
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "The very patient")
        await pilot.press("enter")
        await until(pilot, "Overview")
        await until(pilot, "… 1 iteration running")


async def test_the_detail_follows_the_cursor(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("j", "j")
        await until(pilot, "Backtest: 11 of 20 tickers")
        assert "Fade exhausted moves" in on_screen(pilot)


async def test_a_wide_terminal_shows_the_equity_chart(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(120, 36)) as pilot:
        await until(pilot, "Equity of VWAP Guardian")
        await until(pilot, "drawdown")
        drawn = pilot.app.screen.query_one(EquityChart).render().plain
        await pilot.press("j")
        await until(pilot, "Equity of Gap Hunter")
        await until(pilot, lambda: pilot.app.screen.query_one(EquityChart).render().plain != drawn)
        await pilot.press("k")
        await until(pilot, lambda: pilot.app.screen.query_one(EquityChart).render().plain == drawn)


async def test_an_iteration_starts_with_a_worker_and_shows_at_once(make_app: MakeApp, fake: FakeLab) -> None:
    decide_all(fake)
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await until(pilot, lambda: "ensure_worker" in fake.calls)
        fake.calls.clear()
        await pilot.press("i")
        await until(pilot, "queued")
        await until(pilot, lambda: "ensure_worker" in fake.calls)
        assert fake.calls.count("start_iteration 1") == 1


async def test_why_a_key_does_nothing_is_said(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("i", "j", "x", "j", "i")
        await until(pilot, lambda: len(said(pilot)) == 3)
        assert said(pilot) == [
            "VWAP Guardian has a proposal that waits for your decision: p opens it.",
            "Gap Hunter is not iterating.",
            "Reversal Artist is iterating already.",
        ]
        assert not any(call.startswith("start") for call in fake.calls)


async def test_deleting_asks_for_the_agents_name(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("D")
        await until(pilot, "Delete VWAP Guardian with 2 iterations")
        await pilot.press("y", "enter")
        await until(pilot, lambda: any("That is not its name" in notice for notice in said(pilot)))
        assert 1 in fake.rows
        await pilot.press("D", *"VWAP", "space", *"Guardian", "enter")
        await until(pilot, lambda: 1 not in fake.rows and "VWAP Guardian" not in on_screen(pilot).replace("Deleted VWAP Guardian", ""))


async def test_agents_are_sorted_by_a_letter_and_the_cursor_stays_on_its_agent(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(120, 36)) as pilot:
        await until(pilot, "VWAP Guardian")
        table = pilot.app.screen.query_one(LineTable)
        await pilot.press("down")
        seen = {}
        for letter in "wsprtivcnn":
            await pilot.press("o", letter)
            await until(pilot, lambda: getattr(pilot.app.screen, "PLACE", "") == "dashboard")
            await pilot.pause()
            seen[letter] = [row_id for row_id, _ in table.rows]
            assert table.cursor_id == 2
        assert seen["w"] == [1, 2, 3]
        assert seen["s"] == seen["p"] == seen["r"] == seen["c"] == [1, 2, 3], "what is not measured comes last"
        assert seen["n"] == [1, 3, 2], "the same letter again: backwards"
        assert "by name, backwards" in on_screen(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_everything_about_an_agent_can_be_reached_at_any_size(make_app: MakeApp, fake: FakeLab, size: tuple[int, int]) -> None:
    wanted = {"Agent", "Now", "Ver", "It", "Trades", "Win", "Interval", "Sharpe", "P&L", "Today", "Verdict", "trend"}
    async with make_app(fake).run_test(size=size) as pilot:
        await until(pilot, "VWAP Guardian")
        table = pilot.app.screen.query_one(LineTable)
        seen = set(table.render_line(0).text.split())
        if size[0] >= 120:
            assert {"Interval", "P&L", "Today", "Verdict"} <= seen
        for _ in range(3):
            await pilot.press("l")
            seen |= set(table.render_line(0).text.split())
        assert wanted <= seen


async def test_keys_work_on_all_marked_agents(make_app: MakeApp, fake: FakeLab) -> None:
    decide_all(fake)
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await until(pilot, lambda: "ensure_worker" in fake.calls)
        await pilot.press("asterisk")
        await until(pilot, "3 marked")
        await pilot.press("i")
        await until(pilot, lambda: any("2 iterations started, 1 not: Reversal Artist is iterating" in words for words in said(pilot)))
        assert [row.step for row in fake.rows.values()] == ["queued", "queued", "backtest"]
        await until(pilot, lambda: "marked" not in on_screen(pilot))
        await pilot.press("home", "2", "space", "x", "y")  # the last key is typed before a question could have been drawn
        await until(pilot, lambda: sum(call.startswith("cancel_iteration") for call in fake.calls) == 2)
        await pilot.press("home", "2", "space", "D", *"delete", "space", "2", "enter")
        await until(pilot, lambda: set(fake.rows) == {3})


async def test_the_firm_is_summed_up_over_its_agents(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(160, 40)) as pilot:
        made = sum(row.result.equity[-1][1] - 100_000 for row in fake.rows.values() if row.result is not None)
        await until(pilot, f"3 agents +${made:,.0f}")
        await until(pilot, "together on the learning spans")
        await until(pilot, "today $0.540, $4.46 left")


def _made(agent_id: int, steps: Sequence[float]) -> AgentRow:
    """An agent whose account changed by so much on each day."""
    equity = [(date(2025, 9, 2) + timedelta(days=n), 100_000.0 + sum(steps[: n + 1])) for n in range(len(steps))]
    measured = replace(result(), starting_equity=100_000.0, final_equity=equity[-1][1], equity=tuple(equity))
    return replace(FakeLab(Path()).rows[1], id=agent_id, result=measured)


@given(st.lists(st.integers(-500, 500), min_size=SHARED_SESSIONS, max_size=40).filter(lambda steps: len(set(steps)) > 1), st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_agents_that_do_the_same_are_wholly_correlated_and_opposites_are_not(steps: list[int], copies: int) -> None:
    same = firm_of([_made(n, steps) for n in range(copies)])
    assert same.correlation == pytest.approx(1.0)
    assert same.pnl == pytest.approx(copies * sum(steps))
    opposite = firm_of([_made(1, steps), _made(2, [-step for step in steps])])
    assert opposite.correlation == pytest.approx(-1.0)
    assert opposite.curve[-1][1] == pytest.approx(0.0, abs=1e-6)


def test_one_agent_has_nothing_to_be_correlated_with() -> None:
    assert firm_of([_made(1, [1.0, 2.0, -1.0])]).correlation is None
    assert firm_of([]).pnl == 0


def test_agents_that_traded_in_other_years_are_not_called_uncorrelated() -> None:
    steps = [100.0, -50.0] * 20
    one, later = _made(1, steps), _made(2, steps)
    assert later.result is not None
    moved = tuple((day + timedelta(days=400), value) for day, value in later.result.equity)
    assert firm_of([one, replace(later, result=replace(later.result, equity=moved))]).correlation is None


async def test_made_up_money_among_real_is_named(make_app: MakeApp, fake: FakeLab) -> None:
    fake.rows = {agent_id: replace(row, synthetic=agent_id == 1) for agent_id, row in fake.rows.items()}
    async with make_app(fake).run_test(size=(120, 36)) as pilot:
        await until(pilot, "together 1 SYNTHETIC")


async def test_a_real_workspace_shows_its_agent_and_the_firm(make_app: MakeApp, learned: Lab) -> None:
    async with make_app(learned).run_test(size=(120, 36)) as pilot:
        await until(pilot, "VWAP Guardian")
        await until(pilot, "1 agent ")
        await until(pilot, "together")


async def test_stopping_asks_first(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("j", "j", "x")
        await until(pilot, "Stop the iteration of Reversal Artist for good?")
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        assert "cancel_iteration 31" not in fake.calls
        await pilot.press("x")
        await until(pilot, "Stop the iteration")
        await pilot.press("y")
        await until(pilot, lambda: "cancel_iteration 31" in fake.calls)


@pytest.mark.parametrize(("key", "name"), [("n", "creation"), ("p", "approvals"), ("f", "import_file"), ("F", "fetch"), ("enter", "agent")])
async def test_keys_open_their_screens(make_app: MakeApp, fake: FakeLab, key: str, name: str) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press(key)
        await until(pilot, lambda: getattr(pilot.app.screen, "PLACE", "") == name)


async def test_names_and_analyses_are_shown_as_text(make_app: MakeApp, fake: FakeLab) -> None:
    hostile = "[red]x[/] \x1b[2J[@click=app.quit]y[/]"
    fake.rows[1] = replace(fake.rows[1], name=hostile, latest_analysis=hostile, universe=hostile, progress_note=hostile)
    async with make_app(fake).run_test(size=(120, 36)) as pilot:
        await until(pilot, "Equity of [red]x[/]")
        assert "\x1b" not in on_screen(pilot)
        assert on_screen(pilot).count("[red]x[/] ") >= 3
        await pilot.press("D")
        await until(pilot, "Delete [red]x[/]")


async def test_with_data_but_no_agent_the_first_key_is_named(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, running=False)
    lab.rows.clear()
    lab.proposals.clear()
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "n describes the first one in plain English")
        await pilot.press("i")
        await until(pilot, lambda: any("n makes one" in notice for notice in said(pilot)))
