"""The data screen: what is cached, its calendar and quality, fetches, universes, and looking after the files."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from textual.widgets import Input

from lab.agents.data_views import DamageRow, UniverseRule
from lab.agents.keys import VARIABLE
from lab.agents.service import Lab
from lab.agents.views import CoverageRow
from lab.store.fetch_states import FetchState
from lab.tui.app import LabApp
from lab.tui.screens.data import DataScreen
from lab.tui.text import clean
from lab.tui.widgets.calendar import LEGEND, WEEKS_WIDTH, calendar_lines, sign
from lab.tui.widgets.choices import Choices
from lab.tui.widgets.line_table import LineTable
from lab.tui.widgets.tabs import TabLine
from tests.market.polygon_server import KEY
from tests.tui.conftest import MakeApp
from tests.tui.fake_data import fetch, sessions
from tests.tui.fake_lab import NOW, FakeLab
from tests.tui.seeing import until
from tests.tui.session import Session, session


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that fetching processes were given; none is started."""
    keys: list[str] = []
    monkeypatch.setattr("lab.work.fetcher.ensure_fetcher", lambda home, key=None: keys.append(key.get_secret_value()))
    return keys


def shown(s: Session, tab: str) -> list[tuple[str, ...]]:
    rows = s.app.screen.query_one(f"#{tab}-table", LineTable).rows
    return [tuple(cell if isinstance(cell, str) else cell.text for cell in cells) for _, cells in rows]


async def open_tab(s: Session, tab: str) -> None:
    await s.open("data")
    for _ in range(("bars", "fetches", "universes").index(tab)):
        await s.press("l")
    await s.until(lambda: s.app.screen.query_one(TabLine).active == tab, tab)


async def test_it_is_reached_by_its_key_and_by_g_d_and_the_palette(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.sees("VWAP Guardian")
        await s.press("b")
        await s.at("data")
        await s.press("escape")
        await s.at("dashboard")
        await s.press("g", "p")
        await s.at("approvals")
        await s.press("g", "d")
        await s.at("data")
        await s.press("g", "a")
        await s.at("dashboard")
        await s.press("ctrl+p", *"go to data")
        await s.until(lambda: "Go to: Data" in s.text(), "the palette has it")
        await s.press("enter")
        await s.at("data")


@pytest.mark.parametrize("size", [(80, 24), pytest.param((120, 36), marks=pytest.mark.slow)])
async def test_what_is_cached_is_shown_with_its_calendar_and_quality(make_app: MakeApp, fake: FakeLab, size: tuple[int, int]) -> None:
    async with session(make_app, fake, size) as s:
        await s.open("data")
        days = sessions(date(2024, 1, 1), 100)
        complete = sum(one.state == "complete" for one in days)
        await s.until(lambda: all(row[4] == str(len(days)) for row in shown(s, "bars")), "every ticker's sessions are counted")
        assert {row[5] for row in shown(s, "bars")} == {f"{int(complete / len(days) * 1000) / 10}%"}
        counted = f"{len(days)} sessions, {complete} complete, 2 partial, 1 missing, 1 half day"
        await s.until(lambda: counted in both(s), counted)
        await s.press("enter")
        await s.until(lambda: not s.app.screen.query_one("#bars-table").display, "the details have the whole screen")
        for words in (
            "Jan Feb",
            "left out 12 bars were there twice.",
            "No bars: 2024-01-03",
            "2024-01-05 (300 of 390)",
            "none adjusted for",
        ):
            await s.until(lambda words=words: words in both(s), words)
        assert "2024-07-01 to 2024-08-30 (polygon)" in both(s)
        await s.press("escape", "G")
        await s.until(lambda: "adjusted for 10:1 on 2024-06-10" in both(s) and "none is kept" in both(s), "the last ticker's own facts")
        await s.press("escape")
        await s.at("dashboard")


def both(s: Session) -> str:
    return " ".join(f"{s.flow('#days')} {s.flow('#quality')}".split())


def test_every_state_of_a_session_has_a_character_of_its_own() -> None:
    characters = [character for (character, _), _ in LEGEND]
    assert len(set(characters)) == len(characters)
    first_six = {sign(one)[0] for one in sessions(date(2024, 1, 1), 8)}
    assert first_six == {"█", "×", "░", "▓", "▄"}


@pytest.mark.parametrize("width", [57, WEEKS_WIDTH, 118])
def test_each_session_stands_once_in_the_calendar_at_any_width(width: int) -> None:
    days = sessions(date(2023, 10, 2), 500)
    lines = [line.plain for line, _ in calendar_lines(days, width)]
    assert max(len(line) for line in lines) <= width
    signs = "".join(sign(one)[0] for one in days)
    drawn = "".join("".join(line[5:].split()) for line in lines if not re.match(r"\d{4}", line))
    drawn = re.sub(r"[A-Za-z]", "", drawn)
    assert sorted(drawn) == sorted(signs)
    years = [line[:4] for line in lines if re.match(r"\d{4}", line)]
    assert years == ["2025", "2024", "2023"]


def test_a_holiday_is_neither_missing_nor_left_blank() -> None:
    days = [one for one in sessions(date(2024, 1, 8), 60) if one.session != date(2024, 1, 15)]
    monday = next(line.plain for line, _ in calendar_lines(days, 60) if line.plain.startswith("Mon"))
    assert monday[5:].startswith(" ██·") is False
    assert monday[5 + 2] == "·"


async def test_hostile_names_in_the_cache_are_text(make_app: MakeApp, fake: FakeLab) -> None:
    nasty = "A[/b]\x1b[31m"
    fake.bars = [CoverageRow(nasty, "1m", "[red]x\x1b]0;t\x07.csv", 1, NOW, NOW, ())]
    async with session(make_app, fake) as s:
        await s.open("data")
        await s.until(lambda: shown(s, "bars"), "the row")
        assert shown(s, "bars")[0][0] == clean(nasty) == "A[/b]"
        await s.sees("A[/b] 1m")
        assert "\x1b" not in s.text()


async def test_without_bars_it_teaches_how_to_get_some(make_app: MakeApp, fake: FakeLab) -> None:
    fake.bars = []
    async with session(make_app, fake) as s:
        await s.open("data")
        await s.sees("f imports a CSV or Parquet file")
        await s.press("V")
        await s.is_told("There are no bars yet")
        await s.press("l")
        await s.sees("A fetch goes on when this program is closed")
        await s.press("space")
        await s.is_told("There is no fetch yet: F starts one.")
        await s.press("F")
        await s.at("fetch")
        await s.press("escape")
        await s.at("data")
        await s.press("f")
        await s.at("import_file")


async def test_verifying_shows_progress_is_stopped_by_a_key_and_says_how_lost_bars_come_back(make_app: MakeApp, fake: FakeLab) -> None:
    fake.cache.damaged = (DamageRow("AMD", "1m", 2023, False, "The 1m bars of AMD for 2023 are damaged.", "Import “amd.csv” again."),)
    fake.cache.go_on.clear()
    async with session(make_app, fake) as s:
        await open_tab(s, "bars")
        await s.sees("AAPL")
        await s.press("V")
        await s.sees("50% MSFT 1m")
        await s.press("j", "R")
        await s.is_told("The files are being read; x stops that.")
        await s.press("x")
        await s.is_told("Stopped.")
        assert fake.cache.stopped
        fake.cache.go_on.set()
        await s.press("V")
        await s.sees("8 files read: 7 whole, 1 damaged.")
        await s.sees("Import “amd.csv” again.")
        await s.press("escape")
        await s.until(lambda: "8 files read" not in s.text() and s.place == "data", "the report is closed")


async def test_leaving_stops_a_check_under_way(make_app: MakeApp, fake: FakeLab) -> None:
    fake.cache.go_on.clear()
    async with session(make_app, fake) as s:
        await open_tab(s, "bars")
        await s.sees("AAPL")
        await s.press("V")
        await s.sees("MSFT 1m")
        await s.press("escape")
        await s.at("dashboard")
        await s.until(lambda: fake.cache.stopped, "the thread has ended")


async def test_repair_offers_to_fetch_what_came_from_polygon(
    make_app: MakeApp, fake: FakeLab, handed_over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    fake.cache.refetch = True
    async with session(make_app, fake) as s:
        await open_tab(s, "bars")
        await s.sees("AAPL")
        await s.press("R")
        await s.sees("Fetch them again now?")
        await s.press("y")
        await s.sees("Update of 4 tickers")
        await s.until(lambda: handed_over == [KEY], "a fetcher is started")


async def test_fetches_are_followed_paused_resumed_and_cancelled(
    make_app: MakeApp, fake: FakeLab, handed_over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    fake.fetches.views = [fetch(2, FetchState.RUNNING), fetch(1, FetchState.FAILED, sentence="The key is unknown.")]
    async with session(make_app, fake) as s:
        await open_tab(s, "fetches")
        await s.sees("Fetches ● 1")
        for words in ("● running", "25%", "250", "2 min 05 s", "AAPL: page 3"):
            await s.sees(words)
        fake.fetches.set(2, progress=0.5, bars=20_000)
        await s.sees("50%")
        await s.press("space")
        await s.sees("‖ paused")
        await s.press("space")
        await s.sees("Polygon wants your key.")
        await s.press(*KEY)
        assert KEY not in s.text()
        await s.press("enter")
        await s.sees("○ queued")
        assert handed_over == [KEY]
        await s.press("x")
        await s.sees("Cancel the fetch AAPL and 2 more 1m for good?")
        await s.press("y")
        await s.sees("– cancelled")
        await s.press("space")
        await s.is_told("This fetch is cancelled.")
        await s.press("j")
        await s.sees("The key is unknown.")
        assert fake.fetches.calls == ["pause 2", "resume 2", "cancel 2"]


async def test_a_fetch_without_a_process_goes_on_by_the_same_key(
    make_app: MakeApp, fake: FakeLab, handed_over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    async with session(make_app, fake) as s:
        await s.sees("VWAP Guardian")
        # Not before: what is broken off when the program starts goes on by itself.
        fake.fetches.views = [fetch(1, FetchState.RUNNING, interrupted=True)]
        await open_tab(s, "fetches")
        await s.sees("No process is at it")
        await s.press("space")
        await s.until(lambda: fake.fetches.calls == ["resume 1"] and handed_over == [KEY], "resumed by a new process")


async def test_universes_show_what_they_lack_and_are_made_edited_and_deleted(make_app: MakeApp, fake: FakeLab) -> None:
    fake.universes[0] = replace(fake.universes[0], missing_context=("No VIX: market.vix is unknown.",))
    fake.universes.owners[1] = ("VWAP Guardian",)
    async with session(make_app, fake) as s:
        await open_tab(s, "universes")
        await s.sees("! 1 missing")
        await s.sees("No VIX: market.vix is unknown.")
        await s.press("D")
        await s.is_told("traded by VWAP Guardian")
        await s.press("u")
        await s.at("universe")
        await s.press(*"Two", "ctrl+g")
        await s.until(lambda: fake.universes.calls, "made")
        await s.at("data")
        await s.until(lambda: len(shown(s, "universes")) == 2, "two universes")
        await s.press("j", "e")
        await s.at("universe")
        s.app.screen.query_one("#name", Input).value = "Pair"
        s.app.screen.query_one("#tickers", Input).value = "ZZZZ aapl"
        await s.press("ctrl+g")
        await s.at("data")
        assert fake.universes.calls[-1] == "edit 2 Pair ZZZZ AAPL"
        await s.sees("Pair")
        await s.press("D")
        await s.sees("Delete the universe Pair?")
        await s.press("y")
        await s.until(lambda: len(shown(s, "universes")) == 1, "gone")


async def test_a_universe_by_rule_is_looked_at_first_and_errors_stand_at_their_fields(
    make_app: MakeApp, fake: FakeLab, tmp_path: Path
) -> None:
    async with session(make_app, fake, (80, 40)) as s:
        await open_tab(s, "universes")
        await s.press("u")
        await s.at("universe")
        screen = s.app.screen
        await s.press("ctrl+g")
        await s.sees("Give the universe a name.")
        assert s.app.focused is screen.query_one("#name")
        screen.query_one("#name", Input).value = "Loud"
        (tmp_path / "list.txt").write_text("ticker\nzzzz\n")
        screen.query_one("#tickers", Input).value = str(tmp_path / "list.txt")
        await s.press("ctrl+g")
        await s.sees("No 1m bars of ZZZZ are cached.")
        assert s.app.focused is screen.query_one("#tickers")
        screen.query_one("#tickers", Input).value = str(tmp_path / "none.txt")
        await s.press("ctrl+g")
        await s.sees("This list can't be read: No such file")
        made_of = screen.query_one("#made_of", Choices)
        made_of.focus()
        await s.press("right", "space")
        await s.sees("The rule sees only sessions before this date")
        screen.query_one("#min_price", Input).value = "cheap"
        screen.query_one("#as_of", Input).value = "2025-12-01"
        await s.press("f5")
        await s.sees("Write a number here")
        assert s.app.focused is screen.query_one("#min_price")
        screen.query_one("#min_price", Input).value = "$5"
        screen.query_one("#top", Input).value = "2"
        await s.press("f5")
        await s.sees("The rule chooses 2 tickers")
        await s.press("ctrl+g")
        await s.at("data")
        rule, as_of = fake.universes.rules[2]
        assert (rule, as_of) == (UniverseRule(min_price=5.0, top=2), date(2025, 12, 1))
        await s.press("j")
        await s.sees("price from $5.00, top 2 by dollar volume, over 20 sessions, before 2025-12-01")


async def test_leaving_a_universe_half_typed_asks(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("universe")
        await s.press(*"Half")
        s.app.go_to("approvals")
        await s.is_told("not saved")
        await s.press("escape")
        await s.sees("Leave without keeping the universe?")
        await s.press("n", "escape", "y")
        await s.at("dashboard")


@pytest.mark.slow
async def test_over_real_files_an_import_of_unknown_columns_ends_on_the_data_screen(tmp_path: Path) -> None:
    """The whole way in a temporary home: choose the columns, import, see the calendar, damage a file, verify."""
    file = tmp_path / "kurse.csv"
    rows = [
        f"{day:%Y-%m-%d},{100 + n},{101 + n},{99 + n},{100.5 + n},1000"
        for n, day in enumerate(date(2024, 1, 2 + n) for n in range(28))
        if day.weekday() < 5 and day.day not in (10, 15)
    ]
    file.write_text("wann,anfang,oben,unten,ende,stk\n" + "\n".join(rows) + "\n")
    home = tmp_path / "home"
    async with LabApp(home, Lab, lambda _: None, tmp_path / "config").run_test(size=(120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, LabApp)
        await until(pilot, "enter Choose", 60)
        app.open("import_file")
        await until(pilot, lambda: getattr(app.screen, "PLACE", "") == "import_file" and app.focused)
        screen = app.screen
        await pilot.press(*str(file), "enter")
        await until(pilot, "What this file calls the time, open, high, low and close is not known", 60)
        await until(pilot, "wann")
        theirs = {"timestamp": "wann", "open": "anfang", "high": "oben", "low": "unten", "close": "ende"}
        for ours, column in theirs.items():
            screen.query_one(f"#column-{ours}").value = column
        await until(pilot, "18 rows of KURSE", 60)
        assert app.lab.coverage() == []
        screen.query_one("#column-volume").value = "stk"
        await until(pilot, lambda: screen._preview.columns.get("volume") == "stk", 60)
        await until(pilot, lambda: screen.query_one("#go").has_focus or not screen.query_one("#go").focus())
        await pilot.press("ctrl+g")
        await until(pilot, "18 rows of 1 ticker (1d) are in the cache", 60)
        app.go_to("data")
        await until(pilot, "19 sessions, 18 complete, 1 missing", 60)
        await until(pilot, "No bars: 2024-01-10")
        await until(pilot, "news.* is unknown to scripts")
        (cached,) = (home / "bars").rglob("*.parquet")
        content = bytearray(cached.read_bytes())
        content[len(content) // 2] ^= 1
        cached.write_bytes(content)
        await pilot.press("V")
        await until(pilot, "1 damaged", 60)
        await until(pilot, "Import “kurse.csv” again.")
        await until(pilot, "! 2024", 60)
        assert isinstance(app.screen, DataScreen)
