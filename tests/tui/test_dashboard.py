"""The dashboard: what it shows of each agent, and every key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.tui.screens.confirm import Confirm
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


async def test_deleting_asks_first(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("D")
        await until(pilot, "Delete VWAP Guardian with its 2 iterations")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        assert 1 in fake.rows
        await pilot.press("D")
        await until(pilot, "Delete VWAP Guardian")
        await pilot.press("y")
        await until(pilot, lambda: 1 not in fake.rows and "VWAP Guardian" not in on_screen(pilot))


async def test_stopping_asks_first(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("j", "j", "x")
        await until(pilot, "Stop the iteration of Reversal Artist?")
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
