"""Fetching from Polygon on the screen: from the third choice of the first start to a market to learn on."""

from __future__ import annotations

import stat
import threading
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from textual.pilot import Pilot
from textual.widgets import Input

from lab.agents.errors import BadFetch
from lab.agents.keys import FILE, VARIABLE
from lab.agents.service import Lab
from lab.agents.views import ImportReport
from lab.errors import LabError
from lab.tui.app import LabApp
from lab.tui.progress import Stopped
from lab.tui.screens.dashboard import Dashboard
from lab.tui.screens.fetch import FetchBars
from lab.tui.screens.welcome import Welcome
from tests.market.polygon_server import KEY, Polygon, serving, some_bars
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.seeing import on_screen, until


class FetchingLab(FakeLab):
    """Fetches as it is told: fails with an error, or waits until it is let go."""

    def __init__(self, home: Path, error: LabError | None = None, *, waits: bool = False) -> None:
        super().__init__(home, empty=True)
        self.error = error
        self.go_on = threading.Event()
        if not waits:
            self.go_on.set()
        self.asked: list[tuple[str, tuple[str, ...], str, date, date, str]] = []
        self.stopped = False

    def fetch_bars(
        self, key: SecretStr, tickers: Sequence[str], timeframe: str, first: date, last: date, name: str, progress: Any, **options: Any
    ) -> ImportReport:
        self.asked.append((key.get_secret_value(), tuple(tickers), timeframe, first, last, name))
        if self.error is not None:
            raise self.error
        try:
            while True:
                progress(0.25, "AAPL (1 of 2): page 3, 1,000 bars")
                if self.go_on.wait(0.02):
                    break
        except Stopped:
            self.stopped = True
            raise
        return ImportReport(1000, tuple(tickers), timeframe, name or "made", ("AAPL: 3 trading sessions without bars: not filled.",))


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


async def open_form(pilot: Pilot[None]) -> FetchBars:
    await until(pilot, "enter Choose")
    await pilot.press("j", "j", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, FetchBars) and pilot.app.focused)
    screen = pilot.app.screen
    assert isinstance(screen, FetchBars)
    return screen


def fill(screen: FetchBars, **fields: str) -> None:
    for name, value in fields.items():
        screen.query_one(f"#{name}", Input).value = value


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_from_the_first_start_to_a_market_over_a_real_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    first, last = date(2024, 7, 1), date(2024, 7, 5)
    config = tmp_path / "config"
    with serving(Polygon({"AAPL": some_bars(first, last, 5), "SPY": some_bars(first, last, 5)}, page_size=200)) as polygon:
        monkeypatch.setenv("LAB_POLYGON_URL", polygon.url)
        monkeypatch.setenv("LAB_POLYGON_CALLS_PER_MINUTE", "0")
        async with LabApp(tmp_path / "home", Lab, lambda _: None, config).run_test(size=size) as pilot:
            screen = await open_form(pilot)
            await pilot.press(*KEY)
            await pilot.press("tab", "right", "space", "tab", *"aapl spy", "tab", "right", "space")
            fill(screen, first=str(first), last=str(last))
            assert KEY not in on_screen(pilot)
            await pilot.press("ctrl+g")
            await until(pilot, "bars of 2 tickers (5m) are in the cache as the universe AAPL and 1 more 5m 2024-07-01 to 2024-07-05.")
            await until(pilot, "The key is kept in")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
            app = pilot.app
            assert isinstance(app, LabApp)
            (universe,) = app.lab.state().universes
            assert (universe.tickers, universe.timeframe, universe.synthetic) == (("AAPL", "SPY"), "5m", False)
            assert {row.source for row in app.lab.coverage()} == {"polygon"}
    kept = config / FILE
    assert kept.read_text() == KEY + "\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("field", "place"),
    [("key", "key"), ("tickers", "tickers"), ("timeframe", "timeframe"), ("span", "first"), ("universe", "name"), ("", "go")],
)
async def test_an_error_stands_at_its_field_and_the_cursor_goes_there(make_app: MakeApp, tmp_path: Path, field: str, place: str) -> None:
    lab = FetchingLab(tmp_path, BadFetch(field, "Something [b]is[/b] wrong with it."))
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        fill(screen, key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "Something [b]is[/b] wrong with it.")
        await until(pilot, lambda: screen.query_one(f"#{place}").has_focus)
        assert screen.query_one("#tickers", Input).value == "AAPL", "what was typed stays"
        lab.error = None
        await pilot.press("ctrl+g")
        await until(pilot, "3 trading sessions without bars")


async def test_what_is_missing_or_misspelt_is_said_before_anything_is_asked(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FetchingLab(tmp_path)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        for fields, words in (
            ({}, "Paste your Polygon key here"),
            ({"key": "k"}, "Name at least one ticker"),
            ({"tickers": "AAPL, MSFT", "first": "1/2/2024"}, "such as 2024-01-31"),
            ({"first": "2024-01-02", "last": "2024-02-30"}, "such as 2024-01-31"),
        ):
            fill(screen, **fields)
            await pilot.press("ctrl+g")
            await until(pilot, words)
        assert lab.asked == []
        fill(screen, last="2024-02-28", name="mine")
        screen.query_one("#go").focus()
        await pilot.press("enter")
        await until(pilot, "✓ 1,000 bars")
        assert lab.asked == [("k", ("AAPL", "MSFT"), "1m", date(2024, 1, 2), date(2024, 2, 28), "mine")]
    assert not (tmp_path / "config" / FILE).exists(), "a key is kept only where the person says so"


async def test_escape_stops_the_fetch_and_then_leaves(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FetchingLab(tmp_path, waits=True)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        fill(screen, key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "25%")
        await until(pilot, "AAPL (1 of 2): page 3, 1,000 bars")
        await pilot.press("escape")
        await until(pilot, "The fetch was stopped; nothing of it was stored.")
        assert lab.stopped
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Welcome))


async def test_leaving_the_program_stops_the_fetch(make_app: MakeApp, tmp_path: Path) -> None:
    lab = FetchingLab(tmp_path, waits=True)
    app = make_app(lab)
    async with app.run_test(size=(80, 24)) as pilot:
        fill(await open_form(pilot), key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "25%")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app._exit)
    assert lab.stopped


@pytest.mark.parametrize("place", ["environment", "file"])
async def test_a_known_key_need_not_be_typed(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    lab = FetchingLab(tmp_path)
    app = make_app(lab)
    kept = tmp_path / "config" / FILE
    if place == "environment":
        monkeypatch.setenv(VARIABLE, KEY)
    else:
        kept.write_text(KEY + "\n")
        kept.chmod(0o644)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await until(pilot, lambda: screen.query_one("#tickers").has_focus)
        await pilot.press(*"IBM", "ctrl+g")
        await until(pilot, "✓ 1,000 bars")
    assert lab.asked[0][:2] == (KEY, ("IBM",))
    if place == "file":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600, "a key others could read is closed to them"
