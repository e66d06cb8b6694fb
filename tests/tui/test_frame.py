"""Opening, watching, leaving and failing: what holds on every screen."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from textual.events import Key

from lab.agents.agent_views import WorkspaceState
from lab.agents.keys import FILE, save_polygon_key
from lab.errors import LabError
from lab.store.fetch_states import FetchState
from lab.tui.app import LabApp
from lab.tui.screens.dashboard import Dashboard
from lab.tui.widgets.line_table import LineTable
from tests.tui.conftest import MakeApp
from tests.tui.fake_data import fetch
from tests.tui.fake_lab import FakeLab
from tests.tui.seeing import on_screen, said, until
from tests.tui.session import session


async def test_a_workspace_that_cannot_be_opened_says_why_and_ends_with_status_1(tmp_path: Path) -> None:
    def refuse(_: Path) -> FakeLab:
        raise LabError("The folder /x is read-only: make it writable or set LAB_HOME to another.")

    app = LabApp(tmp_path, refuse, lambda _: None, tmp_path)  # type: ignore[arg-type,return-value]
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "read-only")
        await pilot.press("q")
        await until(pilot, lambda: app._exit)
    assert app.return_code == 1


async def test_a_terminal_too_small_says_so_and_comes_back_when_it_grows(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: any(isinstance(screen, Dashboard) for screen in app.screen_stack))
        await until(pilot, "This terminal is 40x10. lab needs 60x20")
        await pilot.press("i")
        assert not any(call.startswith("start") for call in fake.calls)
        await pilot.resize_terminal(80, 24)
        await until(pilot, "VWAP Guardian")
        await pilot.resize_terminal(50, 30)
        await until(pilot, "50x30")


async def test_sixty_by_twenty_is_still_readable(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(60, 20)) as pilot:
        for words in ("VWAP Guardian", "Sharpe", "SYNTHETIC", "? Help", "q Quit"):
            await until(pilot, words)


async def test_nothing_is_read_or_drawn_while_nothing_changes(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(100, 30)) as pilot:
        await until(pilot, "I took 94")
        await pilot.pause(0.6)
        reads = fake.calls.count("agents")
        screen = pilot.app.screen
        assert isinstance(screen, Dashboard)
        shown: list[object] = []
        screen.show = shown.append  # type: ignore[method-assign,assignment]
        await pilot.pause(0.8)
        assert fake.calls.count("agents") == reads
        fake.changed()
        await until(pilot, lambda: fake.calls.count("agents") == reads + 1)
        await pilot.pause(0.1)
        assert shown == []


async def test_agents_show_before_the_workspace_is_open_without_sums_and_a_key_then_holds_up_nothing(
    make_app: MakeApp, fake: FakeLab
) -> None:
    opened, state = threading.Event(), fake.state

    def slow() -> WorkspaceState:
        opened.wait(20)
        return state()

    fake.state = slow  # type: ignore[method-assign]
    async with make_app(fake).run_test(size=(120, 36)) as pilot:
        await until(pilot, "VWAP Guardian")
        assert "$0.00" not in on_screen(pilot), "what was spent is not known yet"
        await pilot.press("question_mark")
        opened.set()
        await pilot.press("escape")
        await until(pilot, "1 iteration running")
        await until(pilot, "$0.00")


async def test_a_change_made_elsewhere_shows(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "Gap Hunter")
        fake.delete_agent(2)
        await until(pilot, lambda: "Gap Hunter" not in on_screen(pilot))


async def test_quitting_while_iterations_run_asks_and_leaves_a_worker(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await until(pilot, lambda: "ensure_worker" in fake.calls)
        fake.calls.clear()
        await pilot.press("q")
        await until(pilot, "1 iteration running. What shall become of it?")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        assert "ensure_worker" not in fake.calls
        await pilot.press("q", "h")
        await until(pilot, lambda: app._exit)
    assert "ensure_worker" in fake.calls
    assert not app.return_code


async def test_quitting_before_it_is_known_what_runs_asks_all_the_same(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "1 iteration running")
        app.set_reactive(LabApp.state, None)
        await pilot.press("q")
        await until(pilot, "What shall become of it?")


async def test_an_iteration_that_waits_for_budget_is_said_to_be_paused(make_app: MakeApp, fake: FakeLab) -> None:
    state = fake.state()
    fake.state = lambda: replace(state, unfinished_iterations=3, paused_iterations=1)  # type: ignore[method-assign]
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "2 iterations running, 1 paused")
        fake.state = lambda: replace(state, unfinished_iterations=1, paused_iterations=1)  # type: ignore[method-assign]
        fake.changed()
        await until(pilot, "1 iteration paused")
        await pilot.press("q")
        await until(pilot, "1 iteration paused. What shall become of it?")


async def test_quitting_may_stop_what_runs(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "1 iteration running")
        await pilot.press("q", "s")
        await until(pilot, lambda: app._exit)
    assert "cancel_iteration 31" in fake.calls


async def test_quitting_may_wait_until_the_iterations_have_ended(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "1 iteration running")
        await pilot.press("q", "w")
        await until(pilot, "Reversal Artist: backtest")
        await until(pilot, "60%")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        await pilot.press("q", "w")
        await until(pilot, "Leaving when the iterations have ended")
        fake.cancel_iteration(31)
        await until(pilot, lambda: app._exit)


async def test_quitting_asks_about_what_is_written_first(make_app: MakeApp, fake: FakeLab) -> None:
    app = make_app(fake)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("n")
        await until(pilot, lambda: getattr(app.screen, "PLACE", "") == "creation")
        await pilot.press("a", "ctrl+q", "n")
        await until(pilot, lambda: getattr(app.screen, "PLACE", "") == "creation")
        await pilot.press("ctrl+q", "y", "h")
        await until(pilot, lambda: app._exit)


async def test_quitting_an_idle_laboratory_does_not_ask(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(FakeLab(tmp_path, running=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


async def test_unfinished_iterations_get_a_worker_at_the_start(make_app: MakeApp, fake: FakeLab, tmp_path: Path) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: fake.calls.count("ensure_worker") == 1)
    idle = FakeLab(tmp_path, running=False)
    async with make_app(idle).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.pause(0.1)
        assert "ensure_worker" not in idle.calls


async def test_a_worker_that_died_is_replaced_while_the_program_is_open(
    make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.tui.app.WORKER_SECONDS", 0.2)
    state = fake.state()
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: fake.calls.count("ensure_worker") >= 3)
        fake.state = lambda: replace(state, unfinished_iterations=1, paused_iterations=1)  # type: ignore[method-assign]
        fake.changed()
        await until(pilot, "1 iteration paused")
        asked = fake.calls.count("ensure_worker")
        await pilot.pause(0.8)
        assert fake.calls.count("ensure_worker") == asked, "what is paused needs none"


async def test_an_interrupted_fetch_goes_on_at_the_start_or_is_offered(fake: FakeLab, tmp_path: Path) -> None:
    fake.fetches.views = [fetch(1, FetchState.RUNNING, interrupted=True)]
    started: list[str] = []

    def app() -> LabApp:
        def note(home: Path, key: SecretStr) -> None:
            started.append(key.get_secret_value())

        return LabApp(tmp_path, lambda _: fake, lambda _: None, tmp_path / "config", note)  # type: ignore[arg-type,return-value]

    async with app().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: any("no Polygon key is kept" in notice for notice in said(pilot)))
    assert started == []
    save_polygon_key(tmp_path / "config" / FILE, SecretStr("kept-key"))
    async with app().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: started == ["kept-key"])
    fake.fetches.views = [fetch(1, FetchState.PAUSED)]
    async with app().run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.pause(0.1)
    assert started == ["kept-key"], "a paused fetch stays paused"


async def test_what_was_interrupted_is_told_at_the_start(make_app: MakeApp, fake: FakeLab) -> None:
    fake.notices = ("Iteration 1 of Reversal Artist was interrupted in its step “backtest”; it goes on.",)
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: any("Reversal Artist was interrupted" in notice for notice in said(pilot)))


async def test_help_lists_the_keys_of_the_place(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(100, 40)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("question_mark")
        for words in ("Keys: Agents", "Starts a learning iteration", "One row or line down"):
            await until(pilot, words)
        await pilot.press("G")
        await until(pilot, "Finds any action")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


async def test_g_and_a_letter_go_to_a_screen_from_anywhere(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("j", "g")
        await s.sees("p Approvals")
        await s.press("g")
        table = s.app.screen_stack[1].query_one(LineTable)
        await s.until(lambda: table.cursor == 0 and s.place == "dashboard", "first row")
        await s.press("enter")
        await s.at("agent")
        await s.press("g", "p")
        await s.at("approvals")
        assert [getattr(screen, "PLACE", "") for screen in s.app.screen_stack[1:]] == ["dashboard", "approvals"]
        await s.press("g", "a")
        await s.at("dashboard")
        await s.press("g", "z")
        await s.at("dashboard")
        await s.press("g", "n")
        await s.at("creation")
        await s.press(*"buy low")
        s.app.go_to("approvals")
        await s.is_told("not saved")
        assert s.place == "creation"


async def test_what_the_cursor_is_on_is_copied_through_the_terminal(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("y")
        await s.is_told("Copied: VWAP Guardian")
        assert s.app.clipboard.startswith("VWAP Guardian\t")
        s.app.set_focus(None)
        await s.press("y")
        await s.is_told("There is nothing here to copy.")


async def test_slash_shows_the_agents_that_have_the_words(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        table = s.app.screen.query_one(LineTable)
        everyone = len(table.rows)
        await s.press("slash", *"guard")
        await s.until(lambda: len(table.rows) == 1, "only the one")
        await s.press("enter", "enter")
        await s.at("agent")
        await s.press("escape", "escape")
        await s.until(lambda: len(table.rows) == everyone, "all again")


async def test_the_palette_offers_every_action_with_its_key(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(100, 40)) as pilot:
        await until(pilot, "VWAP Guardian")
        found = {command.title: command.help for command in pilot.app.get_system_commands(pilot.app.screen)}
        commands = set(found)
        assert found["Stop  (x)"] == "Not now: VWAP Guardian is not iterating."
        assert {"New agent  (n)", "Import file  (f)", "Approvals  (p)", "Quit  (q)", "Theme: paper"} <= commands
        await pilot.press("ctrl+p", *"theme: paper")
        await until(pilot, "Changes the colours and remembers it.")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.theme == "paper")


async def test_a_crash_writes_a_log_without_local_variables(
    make_app: MakeApp, fake: FakeLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(fake)

    def break_down() -> None:
        secret = "sk-" + "very-secret"
        raise ValueError(f"broke with {len(secret)}")

    async def crash() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, "VWAP Guardian")
            app.call_later(break_down)
            while app._exception is None:
                await pilot.pause(0.02)

    with pytest.raises(ValueError, match="broke"):
        await crash()
    assert app.return_code == 1
    log = (tmp_path / "logs" / "lab.log").read_text()
    assert "broke with" in log
    assert "very-secret" not in log.replace('"very-secret"', "")
    printed = "".join(capsys.readouterr().err.split())
    assert "lab.log" in printed
    assert "very-secret" not in printed


def test_the_first_paint_does_not_wait_for_heavy_imports() -> None:
    heavy = ["polars", "sqlmodel", "sqlalchemy", "anthropic", "numpy", "scipy", "plotext", "pandas"]
    code = (
        "import sys, lab.tui.app, lab.tui.screens.opening, lab.tui.screens.dashboard, lab.tui.screens.welcome;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


async def test_what_ends_after_its_screen_was_left_does_not_end_the_program(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("data")
        screen = s.app.screen
        left = asyncio.Event()

        async def shows() -> None:
            await left.wait()
            screen.query_one("#gone")

        s.app.pop_screen()
        worker = screen.run_worker(shows(), group="late")
        left.set()
        await s.until(lambda: worker.is_finished, "it ended")
        assert not s.app._exit
        assert s.app._exception is None


async def test_keys_typed_faster_than_a_place_closes_end_nothing(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as lab:
        await lab.press("g")
        await lab.at("go")
        # In one go, as a terminal hands over what was typed while the program was busy.
        for _ in range(3):
            lab.app.post_message(Key("z", "z"))
        await lab.at("dashboard")
        await lab.press("g", "p")
        await lab.at("approvals")
