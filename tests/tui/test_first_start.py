"""The first start: the demo market, and importing a file with corrections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from lab.agents.views import FileGuess, ImportPreview, UniverseView
from lab.errors import LabError
from lab.tui.screens.dashboard import Dashboard
from lab.tui.screens.import_file import ImportFile
from lab.tui.widgets.paths import complete_path
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.seeing import on_screen, said, until


class SlowDemo(FakeLab):
    """Makes its market in two steps, the second when it is let go."""

    def __init__(self, home: Path, fails: bool = False) -> None:
        super().__init__(home, empty=True)
        self.go_on = threading.Event()
        self.fails = fails
        self.stopped = False

    def make_demo_market(self, progress: Callable[[float, str], None]) -> UniverseView:
        progress(0.4, "Session 48 of 120")
        self.go_on.wait(5)
        if self.fails:
            raise LabError("The disk is full: 200 MB are needed.")
        try:
            return super().make_demo_market(progress)
        except LabError:
            self.stopped = True
            raise


async def test_the_demo_market_is_made_with_a_progress_bar(make_app: MakeApp, tmp_path: Path) -> None:
    lab = SlowDemo(tmp_path)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "enter Choose")
        await pilot.press("enter", "enter")
        await until(pilot, "40%")
        await until(pilot, "Session 48 of 120")
        lab.go_on.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        assert len(lab.universes) == 1


async def test_a_demo_market_that_fails_says_why_and_can_be_tried_again(make_app: MakeApp, tmp_path: Path) -> None:
    lab = SlowDemo(tmp_path, fails=True)
    lab.go_on.set()
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "enter Choose")
        await pilot.press("enter")
        await until(pilot, lambda: any("disk is full" in notice for notice in said(pilot)))
        lab.fails = False
        await until(pilot, "enter Choose")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


async def test_leaving_while_the_demo_market_is_made_stops_it(make_app: MakeApp, tmp_path: Path) -> None:
    lab = SlowDemo(tmp_path)
    app = make_app(lab)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "enter Choose")
        await pilot.press("enter")
        await until(pilot, "40%")
        await pilot.press("q")
        await until(pilot, lambda: app._exit)
    lab.go_on.set()
    for _ in range(200):
        if lab.stopped:
            break
        await asyncio.sleep(0.05)
    assert lab.stopped
    assert lab.universes == []


async def test_a_file_is_shown_before_anything_is_written_and_can_be_corrected(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, empty=True)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "enter Choose")
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ImportFile) and pilot.app.focused)
        await pilot.press(*"/tmp/bars.csv", "enter")
        for words in ("41,230 rows", "AAPL, BAC, IBM, SPY", "America/New_York", "as they would in New York", "symbol", "1h", "121.56"):
            await until(pilot, words)
        assert not any(call.startswith("import") for call in lab.calls)
        screen = pilot.app.screen
        screen.query_one("#zone", Input).value = "UTC"
        screen.query_one("#timeframe", Select).value = "30m"
        screen.query_one("#column-timestamp", Select).value = "open"
        screen.query_one("#name", Input).value = "my bars"
        await until(pilot, lambda: screen.query_one("#go").has_focus)
        await pilot.press("enter")
        await until(pilot, "2 unadjusted splits")
        assert "import_bars my bars UTC 30m open" in lab.calls
        await until(pilot, lambda: screen.query_one("#done").has_focus)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


async def test_a_file_that_cannot_be_imported_says_why_where_one_types(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, ImportFile) and pilot.app.focused)
        await pilot.press("enter")
        await until(pilot, "Type the path of a file first.")
        await pilot.press(*"/missing", "enter")
        await until(pilot, "There is no file /missing.")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


async def test_an_import_without_a_name_is_asked_for_one(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await until(pilot, "VWAP Guardian")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, ImportFile) and pilot.app.focused)
        await pilot.press(*"/tmp/bars.csv", "enter")
        await until(pilot, "41,230 rows")
        screen = pilot.app.screen
        screen.query_one("#name", Input).value = " "
        await until(pilot, lambda: screen.query_one("#go").has_focus)
        await pilot.press("enter")
        await until(pilot, "Give the universe a name")
        assert not any(call.startswith("import") for call in fake.calls)


async def open_import(pilot: Pilot[None]) -> ImportFile:
    await until(pilot, "VWAP Guardian")
    await pilot.press("f")
    await until(pilot, lambda: isinstance(pilot.app.screen, ImportFile) and pilot.app.focused)
    await pilot.press(*"/tmp/bars.csv", "enter")
    await until(pilot, "41,230 rows")
    screen = pilot.app.screen
    assert isinstance(screen, ImportFile)
    return screen


async def test_a_wrong_zone_is_told_under_it_before_anything_is_written(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        screen = await open_import(pilot)
        zone = screen.query_one("#zone", Input)
        zone.focus()
        zone.value = "Mars"
        await pilot.press("enter")
        await until(pilot, "There is no time zone Mars.")
        assert pilot.app.focused is zone
        zone.value = "Europe/Berlin"
        await pilot.press("enter")
        await until(pilot, "chosen by you")
        await until(pilot, lambda: "no time zone" not in on_screen(pilot))
        assert not any(call.startswith("import") for call in fake.calls)


async def test_how_sure_each_guess_is_stands_beside_it(make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    look = fake.preview_import

    def guessed(path: str, *corrections: object) -> ImportPreview:
        zone = FileGuess("Time zone", "America/New_York (bars start at 09:30)", 0.6, False)
        return replace(look(path, *corrections), guesses=(zone, FileGuess("Dates", "day before month", 0.95, True)))

    monkeypatch.setattr(fake, "preview_import", guessed)
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await open_import(pilot)
        await until(pilot, "America/New_York (bars start at 09:30) (60% sure, ! check this)")
        await until(pilot, "Dates: day before month (95% sure)")


async def test_escape_stops_an_import_and_a_second_one_leaves(make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def slow(preview: ImportPreview, name: str, progress: Callable[[float, str], None]) -> None:
        try:
            while True:
                progress(0.4, "Writing AAPL")
                time.sleep(0.02)
        finally:
            ended.set()

    monkeypatch.setattr(fake, "import_bars", slow)
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        screen = await open_import(pilot)
        await pilot.press("ctrl+g")
        await until(pilot, "40% Writing AAPL")
        await pilot.press("escape")
        await until(pilot, "The import was stopped; nothing of it is in the cache.")
        assert ended.is_set()
        assert pilot.app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


def test_a_path_is_completed_by_folders_and_data_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "bars.parquet").touch()
    (tmp_path / "notes.pdf").touch()
    assert complete_path(f"{tmp_path}/da") == f"{tmp_path}/data/"
    assert complete_path(f"{tmp_path}/b") == f"{tmp_path}/bars.parquet"
    assert complete_path(f"{tmp_path}/no") is None
    assert complete_path(f"{tmp_path}/none/x") is None
    assert complete_path("\0") is None


async def test_the_tour_is_shown_once_and_can_be_left_at_any_step(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, empty=True)
    lab.preferences.clear()
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "1 of 5")
        await pilot.press("enter", "l", "space", "right")
        await until(pilot, "5 of 5")
        await until(pilot, "p lists what waits")
        await pilot.press("h")
        await until(pilot, "4 of 5")
        await pilot.press("escape")
        await until(pilot, "enter Choose")
        await until(pilot, lambda: lab.preferences == {"tour": "seen"})
        await pilot.press("question_mark", "t")
        await until(pilot, "1 of 5")
        await pilot.press("enter", "enter", "enter", "enter", "enter")
        await until(pilot, lambda: "of 5" not in on_screen(pilot))
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "enter Choose")
        assert "of 5" not in on_screen(pilot)


async def test_the_tour_names_the_persons_own_keys(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, empty=True)
    lab.preferences.clear()
    app = make_app(lab)
    (tmp_path / "config" / "keymap.toml").write_text('[keys]\nnew_agent = "N"\n')
    app = make_app(lab)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "1 of 5")
        await pilot.press("enter", "enter")
        await until(pilot, "N describes one")


async def test_making_the_demo_market_can_be_stopped_and_begun_again(make_app: MakeApp, tmp_path: Path) -> None:
    lab = SlowDemo(tmp_path)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await until(pilot, "enter Choose")
        await pilot.press("enter", "x")
        await until(pilot, "stopping…")
        lab.go_on.set()
        await until(pilot, lambda: lab.stopped and "stopping" not in on_screen(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
