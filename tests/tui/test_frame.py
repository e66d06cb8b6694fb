"""Opening, watching, leaving and failing: what holds on every screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot

from lab.errors import LabError
from lab.tui.app import LabApp
from lab.tui.screens.dashboard import Dashboard
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab


def on_screen(pilot: Pilot[None]) -> str:
    """The whole screen as text."""
    width, height = pilot.app.size
    return "\n".join("".join(segment.text for segment in strip) for strip in pilot.app.screen._compositor.render_strips())[
        : (width + 1) * height
    ]


async def test_a_workspace_that_cannot_be_opened_says_why_and_ends_with_status_1(tmp_path: Path) -> None:
    def refuse(_: Path) -> FakeLab:
        raise LabError("The folder /x is read-only: make it writable or set LAB_HOME to another.")

    app = LabApp(tmp_path, refuse, lambda _: None, tmp_path)  # type: ignore[arg-type,return-value]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.1)
        shown = " ".join(on_screen(pilot).split())
        assert "read-only" in shown
        await pilot.press("q")
    assert app.return_code == 1


async def test_a_terminal_too_small_says_so_and_comes_back_when_it_grows(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(40, 10)) as pilot:
        await pilot.pause(0.2)
        assert "40x10" in on_screen(pilot)
        assert "60x20" in on_screen(pilot)
        await pilot.press("i")
        assert not any(call.startswith("start") for call in fake.calls)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.1)
        assert isinstance(pilot.app.screen, Dashboard)
        await pilot.resize_terminal(50, 30)
        await pilot.pause(0.1)
        assert "50x30" in on_screen(pilot)


async def test_sixty_by_twenty_is_still_readable(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(60, 20)) as pilot:
        await pilot.pause(0.2)
        for words in ("VWAP Guardian", "Sharpe", "SYNTHETIC", "? Help", "q Quit"):
            assert words in on_screen(pilot)


async def test_nothing_is_read_or_drawn_while_nothing_changes(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.3)
        reads = fake.calls.count("agents")
        screen = pilot.app.screen
        assert isinstance(screen, Dashboard)
        shown = []
        screen.show = shown.append  # type: ignore[method-assign,assignment]
        await pilot.pause(0.7)
        assert fake.calls.count("agents") == reads
        fake.changed()
        await pilot.pause(0.7)
        assert fake.calls.count("agents") == reads + 1
        assert shown == []


async def test_a_change_made_elsewhere_shows_within_a_second(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        fake.delete_agent(2)
        await pilot.pause(0.8)
        assert "Gap Hunter" not in on_screen(pilot)


async def test_quitting_while_iterations_run_asks_and_leaves_a_worker(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        fake.calls.clear()
        await pilot.press("q")
        await pilot.pause(0.1)
        assert "1 iteration is running" in on_screen(pilot)
        await pilot.press("n")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Dashboard)
        assert "ensure_worker" not in fake.calls
        await pilot.press("q", "y")
        await pilot.pause(0.1)
    assert "ensure_worker" in fake.calls
    assert not app.return_code


async def test_quitting_an_idle_laboratory_does_not_ask(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(FakeLab(tmp_path, running=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("q")
        await pilot.pause(0.1)
    assert app._exit


async def test_unfinished_iterations_get_a_worker_at_the_start(make_app: MakeApp, fake: FakeLab, tmp_path: Path) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        assert fake.calls.count("ensure_worker") == 1
    idle = FakeLab(tmp_path, running=False)
    async with make_app(idle).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        assert "ensure_worker" not in idle.calls


async def test_what_was_interrupted_is_told_at_the_start(make_app: MakeApp, fake: FakeLab) -> None:
    fake.notices = ("Iteration 1 of Reversal Artist was interrupted in its step “backtest”; it goes on.",)
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        assert any("Reversal Artist was interrupted" in str(notice.message) for notice in pilot.app._notifications)


async def test_help_lists_the_keys_of_the_place(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(100, 40)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("question_mark")
        await pilot.pause(0.1)
        shown = on_screen(pilot)
        for words in ("Keys: Agents", "Starts a learning iteration", "One row down", "Finds any action"):
            assert words in shown
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Dashboard)


async def test_the_palette_offers_every_action_with_its_key(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(100, 40)) as pilot:
        await pilot.pause(0.2)
        commands = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {"New agent  (n)", "Import file  (f)", "Approvals  (p)", "Quit  (q)", "Theme: paper"} <= commands
        await pilot.press("ctrl+p")
        await pilot.press(*"theme: paper", "enter")
        await pilot.pause(0.3)
        assert pilot.app.theme == "paper"


async def test_a_crash_writes_a_log_without_local_variables(
    make_app: MakeApp, fake: FakeLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(fake)

    def break_down() -> None:
        secret = "sk-" + "very-secret"
        raise ValueError(f"broke with {len(secret)}")

    async def crash() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(0.1)
            app.call_later(break_down)
            await pilot.pause(0.2)

    with pytest.raises(ValueError, match="broke"):
        await crash()
    assert app.return_code == 1
    log = (tmp_path / "logs" / "lab.log").read_text()
    assert "broke with" in log
    assert "very-secret" not in log.replace('"very-secret"', "")
    printed = capsys.readouterr().err
    assert "lab.log" in " ".join(printed.split()).replace(" ", "")
    assert "very-secret" not in printed


def test_the_first_paint_does_not_wait_for_heavy_imports() -> None:
    heavy = ["polars", "sqlmodel", "sqlalchemy", "anthropic", "numpy", "scipy", "plotext", "pandas"]
    code = (
        "import sys, lab.tui.app, lab.tui.screens.opening, lab.tui.screens.dashboard, lab.tui.screens.welcome;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
