"""The data screen: what is cached with its calendar and quality, fetches as they go, and universes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from pydantic import SecretStr
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from lab.agents.data_views import UNDER_WAY, FetchView, UniverseDetail, VerifyReport
from lab.agents.keys import FILE, polygon_key
from lab.agents.session_counts import Series, SessionCount
from lab.agents.views import CoverageRow
from lab.errors import LabError
from lab.settings import Settings
from lab.store.fetch_states import FetchState
from lab.tui.actions import BACK, DELETE, EDIT, FETCH, IMPORT, STOP, Action
from lab.tui.progress import Progress, Stopped
from lab.tui.screen import LabScreen
from lab.tui.text import ago, clean, count
from lab.tui.widgets import data_panes as panes
from lab.tui.widgets.flow import Flow
from lab.tui.widgets.line_table import LineTable
from lab.tui.widgets.tabs import NEXT_TAB, PREVIOUS_TAB, Reader, Tabbed, TabLine
from lab.tui.widgets.ticker_pane import TickerFacts, TickerPane, read_facts
from lab.tui.widgets.working import Working

TABS = {"bars": "Bars", "fetches": "Fetches", "universes": "Universes"}
OF_TAB = {
    "verify": ("bars",),
    "repair": ("bars",),
    "update": ("fetches",),
    "pause": ("fetches",),
    "new_universe": ("universes",),
    "edit": ("universes",),
    "delete": ("universes",),
    "stop": ("bars", "fetches"),
}
"""The tabs in which an action means something."""
REST_SECONDS = 0.15
_BETWEEN_COUNTS_SECONDS = 0.01
_KEPT_FACTS = 8


@dataclass(frozen=True, slots=True)
class DataView:
    """What the data screen shows at one moment."""

    bars: tuple[CoverageRow, ...]
    fetches: tuple[FetchView, ...]
    universes: tuple[UniverseDetail, ...]
    counts: dict[Series, SessionCount]
    """Known without reading bars."""
    unreadable: str
    """Why the list of cached bars can't be read; empty where it can."""


class DataScreen(Tabbed, LabScreen[DataView]):
    """Three tabs, each a table over the details of its row; enter gives the details the whole screen."""

    PLACE = "data"
    TITLE = "Data"
    ACTIONS = (
        Action("verify", "V", "Verify", "Reads every cached file again and compares its checksum."),
        Action("repair", "R", "Repair", "Sets damaged files aside and says how their bars come back."),
        Action("pause", "space", "Pause, go on", "Pauses the fetch under the cursor, or lets it go on where it was."),
        Action("update", "U", "Update", "Brings all that came from Polygon up to date."),
        Action("new_universe", "u", "New universe", "Makes a universe of cached tickers, named or chosen by a rule."),
        replace(EDIT, help="Renames the universe under the cursor or changes its tickers."),
        replace(DELETE, help="Deletes the universe under the cursor, after asking; its bars stay.", rare=False),
        replace(STOP, help="Stops the check under way, or cancels the fetch under the cursor for good."),
        replace(IMPORT, rare=False),
        replace(FETCH, footer=True),
        NEXT_TAB,
        PREVIOUS_TAB,
        BACK,
    )
    CSS = """
    DataScreen #panes { height: 1fr; }
    DataScreen LineTable { height: auto; max-height: 45%; }
    DataScreen .detail { height: 1fr; border-top: solid $panel; }
    DataScreen #working { padding: 0 1; border-top: solid $panel; }
    DataScreen #care { height: auto; max-height: 9; border-top: solid $panel; display: none; }
    DataScreen.-empty LineTable { max-height: 100%; height: 1fr; }
    DataScreen.-empty .detail { display: none; }
    DataScreen.-whole LineTable { display: none; }
    DataScreen.-whole .detail { border-top: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[CoverageRow, SessionCount] = {}
        self._facts: dict[CoverageRow, TickerFacts] = {}
        """The newest ones that were looked at."""
        self._counting = False
        self._reading: CoverageRow | None = None
        """Whose details are being read."""
        self._progress: Progress | None = None
        self._resting: Timer | None = None

    def compose_body(self) -> ComposeResult:
        switcher = ContentSwitcher(id="panes", initial="bars")
        yield TabLine(TABS, switcher, "bars")
        with switcher:
            with Vertical(id="bars"):
                yield LineTable(panes.BARS_COLUMNS, empty=panes.READING, id="bars-table")
                yield TickerPane(id="ticker").add_class("detail")
                yield Working(id="working")
                with Reader(id="care"):
                    yield Flow(id="care-text")
            with Vertical(id="fetches"):
                yield LineTable(panes.FETCH_COLUMNS, empty=panes.READING, id="fetches-table")
                with Reader(id="fetch", classes="detail"):
                    yield Flow(id="fetch-text")
            with Vertical(id="universes"):
                yield LineTable(panes.UNIVERSE_COLUMNS, empty=panes.READING, id="universes-table")
                with Reader(id="universe", classes="detail"):
                    yield Flow(id="universe-text")

    def on_mount(self) -> None:
        self.query_one(TabLine).focus_pane()

    def on_unmount(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    # What is shown

    def load(self) -> DataView:
        bars: tuple[CoverageRow, ...] = ()
        counts: dict[Series, SessionCount] = {}
        unreadable = ""
        try:
            bars, counts = tuple(self.lab.coverage()), self.lab.cache.session_counts()
        except LabError as error:
            unreadable = str(error)
        return DataView(bars, self.lab.fetches.all(), self.lab.universes.all(), counts, unreadable)

    def show(self, data: DataView) -> None:
        tabs = self.query_one(TabLine)
        under_way = sum(view.state in UNDER_WAY for view in data.fetches)
        tabs.note("bars", count(len(data.bars)) if data.bars else "")
        tabs.note("fetches", f"● {under_way}" if under_way else count(len(data.fetches)) if data.fetches else "")
        tabs.note("universes", count(len(data.universes)) if data.universes else "")
        self._counts = {row: counted for row, counted in self._counts.items() if row in set(data.bars)}
        self._counts |= {row: data.counts[series] for row in data.bars if (series := panes.series_of(row)) in data.counts}
        self._facts = {row: facts for row, facts in self._facts.items() if row in set(data.bars)}
        self._table("fetches").empty, self._table("universes").empty = panes.NO_FETCHES, panes.NO_UNIVERSES
        unreadable = f"{clean(data.unreadable)}\n\nR  makes the list anew from the files"
        self._table("bars").empty = unreadable if data.unreadable else panes.NO_BARS
        self._show_bars()
        self._table("fetches").set_rows([panes.fetch_row(view, ago(view.created_at)) for view in data.fetches])
        self._table("universes").set_rows([panes.universe_row(one) for one in data.universes])
        self._describe()
        if not self._counting:
            self._counting = True
            self.run_worker(self._count(), group="count")

    def _show_bars(self) -> None:
        rows = self.data.bars if self.data else ()
        self._table("bars").set_rows([panes.bars_row(row, self._counts.get(row)) for row in rows])

    async def _count(self) -> None:
        """Count the sessions of the series that were not counted yet, one after the other: that reads their bars."""
        try:
            while (row := self._uncounted()) is not None:
                await self._count_one(row)
                await asyncio.sleep(_BETWEEN_COUNTS_SECONDS)
        finally:
            self._counting = False

    def _uncounted(self) -> CoverageRow | None:
        rows = self.data.bars if self.data else ()
        return next((row for row in rows if row not in self._counts), None)

    async def _count_one(self, row: CoverageRow) -> None:
        try:
            self._counts[row] = await asyncio.to_thread(self.lab.cache.count_sessions, *panes.series_of(row))
        except LabError:
            self._counts[row] = SessionCount(0, 0)
        self._show_bars()

    def _describe(self) -> None:
        """Show the details of the rows under the cursors."""
        self._set_empty()
        fetch, universe = self._fetch(), self._universe()
        self.query_one("#fetch-text", Flow).show(panes.fetch_lines(fetch) if fetch else [])
        self.query_one("#universe-text", Flow).show(panes.universe_lines(universe) if universe else [])
        row = self._bars()
        if row is not None and row in self._facts:
            self.query_one(TickerPane).show(self._facts[row])
        elif row is not None and row != self._reading:
            self._reading = row
            self.run_worker(self._read_ticker(row), group="ticker")

    async def _read_ticker(self, row: CoverageRow) -> None:
        """Read the details of a series and show them where the cursor is still on it."""
        pane = self.query_one(TickerPane)
        pane.show(None, f"Reading the {row.timeframe} bars of {row.ticker}…")
        facts: TickerFacts | None = None
        problem = ""
        try:
            facts = await asyncio.to_thread(read_facts, self.lab, row)
        except LabError as error:
            problem = str(error)
        finally:
            if self._reading == row:
                self._reading = None
        if facts is not None:
            while len(self._facts) >= _KEPT_FACTS:
                self._facts.pop(next(iter(self._facts)))
            self._facts[row] = facts
        if self.is_attached and self._bars() == row:
            pane.show(facts, problem)

    def _set_empty(self) -> None:
        table = self._table(self._tab)
        self.set_class(not table.rows, "-empty")
        if not table.rows:
            self.remove_class("-whole")

    # Where one is

    @property
    def _tab(self) -> str:
        return self.query_one(TabLine).active

    def _table(self, tab: str) -> LineTable:
        return self.query_one(f"#{tab}-table", LineTable)

    def _bars(self) -> CoverageRow | None:
        """The series under the cursor."""
        chosen = self._table("bars").cursor_id
        return next((row for row in self.data.bars if panes.series_of(row) == chosen), None) if self.data else None

    def _fetch(self) -> FetchView | None:
        """The fetch under the cursor."""
        chosen = self._table("fetches").cursor_id
        return next((view for view in self.data.fetches if view.id == chosen), None) if self.data else None

    def _universe(self) -> UniverseDetail | None:
        """The universe under the cursor."""
        chosen = self._table("universes").cursor_id
        return next((one for one in self.data.universes if one.view.id == chosen), None) if self.data else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Keys of one tab stay out of the footer of the others.
        if action == "do" and self.is_mounted and parameters and (tabs := OF_TAB.get(str(parameters[0]))):
            return self._tab in tabs
        return super().check_action(action, parameters)

    def why_not(self, name: str) -> str | None:
        if not self.is_mounted:
            return None
        if name in ("verify", "repair"):
            if self._progress is not None:
                return "The files are being read; x stops that."
            if self.data is not None and not self.data.bars and not self.data.unreadable:
                return "There are no bars yet: f imports a file, F fetches some."
        if name == "stop":
            return self._why_not_stop()
        if name == "pause":
            fetch = self._fetch()
            if fetch is None:
                return "There is no fetch yet: F starts one."
            if fetch.state in (FetchState.FINISHED, FetchState.CANCELLED):
                return f"This fetch is {fetch.state.value}."
        if name == "new_universe" and self.data is not None and not self.data.bars:
            return "There are no bars yet: f imports a file, F fetches some."
        if name in ("edit", "delete"):
            universe = self._universe()
            if universe is None:
                return "There is no universe yet: u makes one."
            if name == "delete" and universe.agents:
                return f"{universe.view.name} is traded by {', '.join(universe.agents)}: give them another one first."
        return None

    def _why_not_stop(self) -> str | None:
        if self._tab == "bars":
            return None if self._progress is not None else "Nothing is being checked."
        fetch = self._fetch()
        if fetch is None:
            return "There is no fetch yet: F starts one."
        ended = fetch.state in (FetchState.FINISHED, FetchState.CANCELLED)
        return f"This fetch is {fetch.state.value}." if ended else None

    @on(TabLine.Moved)
    def _moved_tab(self) -> None:
        self.remove_class("-whole")
        if self.data is not None:
            self._set_empty()
        self.refresh_actions()

    @on(LineTable.RowHighlighted)
    def _moved(self, event: LineTable.RowHighlighted) -> None:
        """Describe the row once the cursor rests: its bars have to be read."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self._describe()
        self.refresh_actions()

    @on(LineTable.RowSelected)
    def _selected(self) -> None:
        self.add_class("-whole")
        self.query_one(f"#{self._tab} > .detail").focus()

    def action_back(self) -> None:
        """Back to the table, or leave."""
        if self.has_class("-whole"):
            self.remove_class("-whole")
            self._table(self._tab).focus()
        elif self.query_one("#care").display:
            self.query_one("#care").display = False
            self._table(self._tab).focus()
        else:
            self.dismiss(None)

    # What the keys do

    def action_import_file(self) -> None:
        self.lab_app.open("import_file")

    def action_fetch_bars(self) -> None:
        self.lab_app.open("fetch")

    async def action_verify(self) -> None:
        await self._care(self.lab.cache.verify, "Reading every cached file and comparing its checksum")

    async def action_repair(self) -> None:
        report = await self._care(self.lab.cache.repair, "Setting damaged files aside and reading the others")
        if report is not None and report.refetch:
            question = "Some of the lost bars came from Polygon. Fetch them again now?"
            self.pose("confirm", question, "Fetch", "Not now", then=self._update)

    async def _care(self, work: Callable[..., VerifyReport], what: str) -> VerifyReport | None:
        """Run a check of the files, with its progress and what it found."""
        self._progress = progress = Progress()
        care, working = self.query_one("#care"), self.query_one(Working)
        care.display = False
        working.begin(what, "x stops it; nothing is lost by that.", progress.doing)
        self.refresh_actions()
        report: VerifyReport | None = None
        try:
            report = await asyncio.to_thread(work, progress.report)
        except Stopped:
            self.tell("Stopped.")
        except LabError as error:
            self.tell(str(error), error=True)
        finally:
            progress.stop()
            self._progress = None
        if not self.is_attached:
            return None
        working.end()
        if report is not None:
            self.query_one("#care-text", Flow).show(panes.care_lines(report))
            care.display = True
            self._facts.clear()
            self._counts.clear()
            self.data = None
            self.reload()
        self.refresh_actions()
        return report

    def action_stop(self) -> None:
        if self._tab == "bars":
            if self._progress is not None:
                self._progress.stop()
        elif fetch := self._fetch():
            question = f"Cancel the fetch {fetch.title} for good? Tickers that are complete stay in the cache."
            self.pose("confirm", question, "Cancel it", "Leave it", then=partial(self._cancel, fetch.id))

    async def _cancel(self, fetch_id: int, yes: bool) -> None:
        await self.attempt(self.lab.fetches.cancel, fetch_id)
        self.reload()

    async def action_pause(self) -> None:
        fetch = self._fetch()
        if fetch is None:
            return
        if fetch.state in UNDER_WAY and not fetch.interrupted:
            await self.attempt(self.lab.fetches.pause, fetch.id)
            self.reload()
        else:
            await self._with_key(partial(self._resume, fetch.id))

    async def _resume(self, fetch_id: int, key: SecretStr) -> None:
        if await self.attempt(self.lab.fetches.resume, fetch_id):
            await self._ensure_fetcher(key)
        self.reload()

    async def action_update(self) -> None:
        await self._with_key(self._update_with)

    async def _update(self, yes: bool) -> None:
        await self.action_update()

    async def _update_with(self, key: SecretStr) -> None:
        if await self.attempt(self.lab.fetches.update, calls_per_minute=Settings().polygon_calls_per_minute):
            await self._ensure_fetcher(key)
            self.query_one(TabLine).active = "fetches"
        self.reload()

    async def _with_key(self, then: Callable[[SecretStr], Awaitable[None]]) -> None:
        """Go on with the key that is kept or in the environment, else with one that is asked for."""
        known = await asyncio.to_thread(polygon_key, self.lab_app.config / FILE)
        if known is not None:
            await then(known)
            return

        async def typed(words: str) -> None:
            if words:
                await then(SecretStr(words))

        question = "Polygon wants your key. It is used for this and not kept."
        self.pose("ask_line", question, "paste it here; it is not shown", "go on", True, then=typed)

    async def _ensure_fetcher(self, key: SecretStr) -> None:
        from lab.work.fetcher import ensure_fetcher

        await self.attempt(ensure_fetcher, self.lab_app.home, key)

    def action_new_universe(self) -> None:
        self._open_universe()

    def action_edit(self) -> None:
        if universe := self._universe():
            self._open_universe(universe)

    def _open_universe(self, *universe: UniverseDetail) -> None:
        # Opened at once: keys typed ahead belong to the form.
        self.app.push_screen(self.lab_app.make("universe", *universe), lambda _: self.reload())

    def action_delete(self) -> None:
        if universe := self._universe():
            question = f"Delete the universe {universe.view.name}? Its bars stay cached and its trials stay counted."
            self.pose("confirm", question, "Delete", "Keep", then=partial(self._delete, universe.view.id))

    async def _delete(self, universe_id: int, yes: bool) -> None:
        await self.attempt(self.lab.universes.delete, universe_id)
        self.reload()
