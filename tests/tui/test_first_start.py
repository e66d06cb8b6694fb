"""The first start: the demo market, and importing a file with corrections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from textual.widgets import Input, Select

from lab.agents.views import UniverseView
from lab.errors import LabError
from lab.tui.screens.dashboard import Dashboard
from lab.tui.screens.import_file import ImportFile, complete_path
from lab.tui.screens.welcome import Welcome
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.test_frame import on_screen


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
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, Welcome)
        shown = " ".join(on_screen(pilot).split())
        assert "Polygon is not part of this version" in shown
        assert "enter Choose" in shown
        await pilot.press("enter", "enter")
        await pilot.pause(0.3)
        assert "40%" in on_screen(pilot)
        assert "Session 48 of 120" in on_screen(pilot)
        lab.go_on.set()
        await pilot.pause(0.5)
        assert isinstance(pilot.app.screen, Dashboard)
        assert len(lab.universes) == 1


async def test_a_demo_market_that_fails_says_why_and_can_be_tried_again(make_app: MakeApp, tmp_path: Path) -> None:
    lab = SlowDemo(tmp_path, fails=True)
    lab.go_on.set()
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert any("disk is full" in str(notice.message) for notice in pilot.app._notifications)
        lab.fails = False
        await pilot.press("enter")
        await pilot.pause(0.5)
        assert isinstance(pilot.app.screen, Dashboard)


async def test_leaving_while_the_demo_market_is_made_stops_it(make_app: MakeApp, tmp_path: Path) -> None:
    lab = SlowDemo(tmp_path)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("enter")
        await pilot.pause(0.1)
        await pilot.press("q")
        await pilot.pause(0.1)
        threading.Timer(0.2, lab.go_on.set).start()
    lab.go_on.wait(2)
    assert lab.universes == []


async def test_a_file_is_shown_before_anything_is_written_and_can_be_corrected(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, empty=True)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("j", "enter")
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, ImportFile)
        await pilot.press(*"/tmp/bars.csv", "enter")
        await pilot.pause(0.4)
        shown = on_screen(pilot)
        for words in ("41,230 rows", "AAPL, BAC, IBM, SPY", "America/New_York", "as they would in New York", "symbol", "1h", "121.56"):
            assert words in shown, words
        assert not any(call.startswith("import") for call in lab.calls)
        pilot.app.screen.query_one("#zone", Input).value = "UTC"
        pilot.app.screen.query_one("#timeframe", Select).value = "30m"
        pilot.app.screen.query_one("#column-timestamp", Select).value = "open"
        pilot.app.screen.query_one("#name", Input).value = "my bars"
        await pilot.press("enter")
        await pilot.pause(0.4)
        assert "import_bars my bars UTC 30m open" in lab.calls
        assert "2 unadjusted splits" in " ".join(on_screen(pilot).split())
        await pilot.press("enter")
        await pilot.pause(0.6)
        assert isinstance(pilot.app.screen, Dashboard)


async def test_a_file_that_cannot_be_imported_says_why_where_one_types(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("f")
        await pilot.pause(0.2)
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert "Type the path of a file first." in on_screen(pilot)
        await pilot.press(*"/missing", "enter")
        await pilot.pause(0.2)
        assert "There is no file /missing." in on_screen(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Dashboard)


async def test_an_import_without_a_name_is_asked_for_one(make_app: MakeApp, fake: FakeLab) -> None:
    async with make_app(fake).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("f", *"/tmp/bars.csv", "enter")
        await pilot.pause(0.4)
        pilot.app.screen.query_one("#name", Input).value = " "
        await pilot.press("enter")
        await pilot.pause(0.2)
        assert "Give the universe a name" in on_screen(pilot)
        assert not any(call.startswith("import") for call in fake.calls)


def test_a_path_is_completed_by_folders_and_data_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "bars.parquet").touch()
    (tmp_path / "notes.pdf").touch()
    assert complete_path(f"{tmp_path}/da") == f"{tmp_path}/data/"
    assert complete_path(f"{tmp_path}/b") == f"{tmp_path}/bars.parquet"
    assert complete_path(f"{tmp_path}/no") is None
    assert complete_path(f"{tmp_path}/none/x") is None
    assert complete_path("\0") is None
