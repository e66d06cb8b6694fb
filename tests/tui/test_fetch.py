"""Fetching from Polygon on the screen: from the third choice of the first start to a market to learn on."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from textual.pilot import Pilot
from textual.widgets import Input

from lab.agents.data_views import FetchPartView, FetchView
from lab.agents.errors import BadFetch
from lab.agents.keys import FILE, VARIABLE
from lab.agents.service import Lab
from lab.errors import LabError
from lab.store.fetch_states import FetchKind, FetchState
from lab.tui.app import LabApp
from lab.tui.screens.dashboard import Dashboard
from lab.tui.screens.fetch import FetchBars
from lab.tui.screens.welcome import Welcome
from tests.market.polygon_server import KEY, Polygon, serving, some_bars
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.seeing import on_screen, until

FOUND = "3 trading sessions without bars: not filled."


class FakeFetches:
    """Fetches as it is told: fails to start with an error, or runs until it is let go."""

    def __init__(self, error: LabError | None, runs: bool) -> None:
        self.error = error
        self.state = FetchState.RUNNING if runs else FetchState.FINISHED
        self.asked: list[tuple[tuple[str, ...], str, date, date, str | None]] = []

    def start(
        self,
        tickers: tuple[str, ...],
        timeframe: str,
        first: date,
        last: date,
        *,
        news: bool,
        dividends: bool,
        vix: bool,
        universe: str | None,
        calls_per_minute: int,
    ) -> int:
        if self.error is not None:
            raise self.error
        self.asked.append((tuple(tickers), timeframe, first, last, universe))
        if self.state is FetchState.PAUSED:
            self.state = FetchState.RUNNING
        return 7

    def waiting(self) -> bool:
        return False

    def pause(self, fetch_id: int) -> None:
        assert fetch_id == 7
        self.state = FetchState.PAUSED

    def get(self, fetch_id: int) -> FetchView:
        tickers, timeframe, first, last, universe = self.asked[-1]
        done = self.state is FetchState.FINISHED
        part = FetchPartView(FetchKind.BARS, tickers[0], timeframe, first, last, self.state, 0.25, 1000, (FOUND,))
        return FetchView(
            id=fetch_id,
            title="made",
            tickers=tickers,
            timeframe=timeframe,
            first_session=first,
            last_session=last,
            universe=universe or "made",
            state=self.state,
            interrupted=False,
            sentence=f"The bars are in the cache as the universe {universe or 'made'}." if done else "",
            progress=1.0 if done else 0.25,
            note="" if done else "AAPL: page 3, 1,000 bars",
            bars=1000,
            calls=3,
            bars_per_second=None if done else 250.0,
            seconds_left=None if done else 125.0,
            parts_done=int(done),
            parts=(part,),
            created_at=datetime(2024, 7, 1, tzinfo=UTC),
            finished_at=None,
        )


class FetchingLab(FakeLab):
    def __init__(self, home: Path, error: LabError | None = None, *, runs: bool = False) -> None:
        super().__init__(home, empty=True)
        self.fetches = FakeFetches(error, runs)


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that fetching processes were given; none is started."""
    keys: list[str] = []

    class Keeper:
        def __init__(self, home: Path, key: SecretStr) -> None:
            keys.append(key.get_secret_value())

        def look(self, interrupted: bool) -> None:
            assert not interrupted

    monkeypatch.setattr("lab.tui.screens.fetch.Keeper", Keeper)
    return keys


async def open_form(pilot: Pilot[None]) -> FetchBars:
    await until(pilot, "enter Choose")
    if getattr(pilot.app.screen, "PLACE", "") == "tour":  # a workspace of its own starts with it
        await pilot.press("escape")
    await pilot.press("j", "j", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, FetchBars) and pilot.app.focused)
    screen = pilot.app.screen
    assert isinstance(screen, FetchBars)
    return screen


def fill(screen: FetchBars, **fields: str) -> None:
    for name, value in fields.items():
        screen.query_one(f"#{name}", Input).value = value


@pytest.mark.parametrize("size", [(80, 24), pytest.param((120, 36), marks=pytest.mark.slow)])
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
            await until(pilot, "The bars are in the cache as the universe AAPL and 1 more 5m 2024-07-01 to 2024-07-05.", seconds=60)
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
async def test_an_error_stands_at_its_field_and_the_cursor_goes_there(
    make_app: MakeApp, tmp_path: Path, handed_over: list[str], field: str, place: str
) -> None:
    lab = FetchingLab(tmp_path, BadFetch(field, "Something [b]is[/b] wrong with it."))
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        fill(screen, key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "Something [b]is[/b] wrong with it.")
        await until(pilot, lambda: screen.query_one(f"#{place}").has_focus)
        assert screen.query_one("#tickers", Input).value == "AAPL", "what was typed stays"
        lab.fetches.error = None
        await pilot.press("ctrl+g")
        await until(pilot, "3 trading sessions without bars")


async def test_what_is_missing_or_misspelt_is_said_before_anything_is_asked(
    make_app: MakeApp, tmp_path: Path, handed_over: list[str]
) -> None:
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
        assert lab.fetches.asked == []
        fill(screen, last="2024-02-28", name="mine")
        screen.query_one("#go").focus()
        await pilot.press("enter")
        await until(pilot, "✓ 1,000 bars")
        assert lab.fetches.asked == [(("AAPL", "MSFT"), "1m", date(2024, 1, 2), date(2024, 2, 28), "mine")]
        assert handed_over == ["k"]
    assert not (tmp_path / "config" / FILE).exists(), "a key is kept only where the person says so"


async def test_escape_pauses_the_fetch_which_then_goes_on(make_app: MakeApp, tmp_path: Path, handed_over: list[str]) -> None:
    lab = FetchingLab(tmp_path, runs=True)
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        fill(screen, key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "25%")
        await until(pilot, "AAPL: page 3, 1,000 bars; 250 bars a second; 2 min 05 s left")
        await pilot.press("escape")
        await until(pilot, "The fetch is paused; what has come is kept")
        assert lab.fetches.state is FetchState.PAUSED
        await pilot.press("ctrl+g")
        await until(pilot, "25%")
        lab.fetches.state = FetchState.FINISHED
        await until(pilot, "as the universe made")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Welcome))


async def test_leaving_the_program_leaves_the_fetch_running(make_app: MakeApp, tmp_path: Path, handed_over: list[str]) -> None:
    lab = FetchingLab(tmp_path, runs=True)
    app = make_app(lab)
    async with app.run_test(size=(80, 24)) as pilot:
        fill(await open_form(pilot), key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "25%")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app._exit)
    assert lab.fetches.state is FetchState.RUNNING


async def test_a_fetch_that_fails_says_why_and_leaves_the_form(
    make_app: MakeApp, tmp_path: Path, handed_over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = FetchingLab(tmp_path)
    lab.fetches.state = FetchState.FAILED
    real = lab.fetches.get
    monkeypatch.setattr(lab.fetches, "get", lambda fetch_id: replace(real(fetch_id), sentence="api.x does not accept this key."))
    async with make_app(lab).run_test(size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        fill(screen, key="k", tickers="AAPL")
        await pilot.press("ctrl+g")
        await until(pilot, "api.x does not accept this key.")
        assert screen.query_one("#tickers", Input).value == "AAPL"


@pytest.mark.parametrize("place", ["environment", "file"])
async def test_a_known_key_need_not_be_typed(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed_over: list[str], place: str
) -> None:
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
    assert handed_over == [KEY]
    assert lab.fetches.asked[0][0] == ("IBM",)
    if place == "file":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600, "a key others could read is closed to them"
