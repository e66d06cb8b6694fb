"""Fetching bars from Polygon: key, tickers and span, each error at its field, progress that can be paused, and the report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from pydantic import SecretStr
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from lab.agents.data_views import FetchView
from lab.agents.errors import BadFetch
from lab.agents.keys import FILE, VARIABLE, polygon_key, save_polygon_key
from lab.errors import LabError
from lab.settings import Settings
from lab.store.fetch_states import FetchState
from lab.tui.actions import BACK, Action
from lab.tui.progress import Doing
from lab.tui.screens.form import WorkScreen, error_of, row
from lab.tui.text import Tone as T
from lab.tui.text import plural, safe, toned
from lab.tui.widgets.choices import Choices
from lab.work.fetcher import Keeper

TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "1d")
ONCE, KEEP = "no", "yes"
BARS_ONLY, NEWS, DIVIDENDS, VIX = "bars and splits only", "news", "dividends", "VIX"
LOOK_SECONDS = 0.2
FIRST_DAYS_AGO = 365
"""The free plan reaches two years back; one is enough to learn on and is fetched sooner."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the form asks for."""

    key: SecretStr
    keep_key: bool
    tickers: tuple[str, ...]
    timeframe: str
    first: date
    last: date
    besides: tuple[str, ...]
    name: str


class _Watch:
    """What the screen and the thread that watches a fetch tell each other."""

    def __init__(self) -> None:
        self.view: FetchView | None = None
        self.pause = False
        """The person wants it to stop for now."""
        self.leave = False
        """Nobody watches any more: it goes on."""

    def doing(self) -> Doing:
        """What is being done, how fast, and how long it will take."""
        if self.view is None:
            return Doing(0.0, "starting")
        rate = f"; {self.view.bars_per_second:,.0f} bars a second" if self.view.bars_per_second is not None else ""
        return Doing(self.view.progress, f"{self.view.note or 'calling Polygon'}{rate}", self.view.seconds_left)


class FetchBars(WorkScreen):
    """The fetch goes on without this screen; what has come is kept."""

    PLACE = "fetch"
    TITLE = "Fetch bars from Polygon"
    ACTIONS = (
        Action("fetch", "ctrl+g", "Fetch", "Fetches the bars as asked for here."),
        BACK,
    )
    FIELDS: ClassVar[Mapping[str, str]] = {"span": "first", "universe": "name"}
    CSS = """
    FetchBars #fields { height: 1fr; scrollbar-size-vertical: 1; }
    FetchBars #first, FetchBars #last { max-width: 16; }
    FetchBars .why { margin-bottom: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watch: _Watch | None = None
        self._known: SecretStr | None = None

    def compose_form(self) -> ComposeResult:
        today = datetime.now(UTC).date()
        self._known = polygon_key(self.lab_app.config / FILE)
        with VerticalScroll(id="fields", can_focus=False):
            yield row("Key", Input(id="key", password=True, compact=True, placeholder=self._key_placeholder()))
            yield error_of("key")
            yield row("Keep it", Choices((ONCE, KEEP), (ONCE,), several=False, id="keep"))
            yield Static(safe(f"A free account at polygon.io has one. Kept, it lies in {self.lab_app.config / FILE}."), classes="why")
            yield row("Tickers", Input(id="tickers", compact=True, placeholder="such as AAPL MSFT SPY"))
            yield error_of("tickers")
            yield row("Timeframe", Choices(TIMEFRAMES, ("1m",), several=False, id="timeframe"))
            yield error_of("timeframe")
            yield row("From", Input((today - timedelta(days=FIRST_DAYS_AGO)).isoformat(), id="first", compact=True))
            yield error_of("first")
            yield row("To", Input(today.isoformat(), id="last", compact=True))
            yield error_of("last")
            yield row("Besides", Choices((BARS_ONLY, NEWS, DIVIDENDS, VIX), (BARS_ONLY,), several=True, alone=BARS_ONLY, id="besides"))
            yield row("Call it", Input(id="name", compact=True, placeholder="made from tickers and dates where left empty"))
            yield error_of("name")
            yield Static("With SPY among the tickers, scripts know the market's trend; with news and VIX, those too.", classes="why")
            yield Static("tab: next field   space: choose", classes="hint")
            yield Button("Fetch", id="go", variant="primary", compact=True)
            yield Static(id="problem", classes="error")

    def _key_placeholder(self) -> str:
        if self._known is None:
            return "paste it here; it is not shown"
        return f"the one in {VARIABLE} or kept earlier is used"

    def on_mount(self) -> None:
        self.query_one("#tickers" if self._known else "#key").focus()

    def why_not(self, name: str) -> str | None:
        if name == "fetch" and (self.busy or self.done):
            return "The bars are being fetched; esc pauses that." if self.busy else "The bars are fetched."
        return None

    # Asking

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.focus_next()

    async def action_fetch(self) -> None:
        order = self._order()
        if order is not None:
            await self._fetch(order)

    def _order(self) -> Order | None:
        """What the form says; None after telling what is wrong with it."""
        self.all_right()
        typed = self.typed("key")
        key = SecretStr(typed) if typed else self._known
        if key is None:
            self.wrong("key", f"Paste your Polygon key here, or start the program with {VARIABLE} set.")
            return None
        tickers = tuple(self.typed("tickers").replace(",", " ").split())
        if not tickers:
            self.wrong("tickers", "Name at least one ticker, such as AAPL.")
            return None
        days = {}
        for field in ("first", "last"):
            try:
                days[field] = date.fromisoformat(self.typed(field))
            except ValueError:
                self.wrong(field, "Write the date as year-month-day, such as 2024-01-31.")
                return None
        return Order(
            key=key,
            keep_key=bool(typed) and self.query_one("#keep", Choices).chosen == (KEEP,),
            tickers=tickers,
            timeframe=self.query_one("#timeframe", Choices).chosen[0],
            first=days["first"],
            last=days["last"],
            besides=self.query_one("#besides", Choices).chosen,
            name=self.typed("name"),
        )

    # Fetching

    async def _fetch(self, order: Order) -> None:
        self._watch = watch = _Watch()
        words = f"{plural(len(order.tickers), 'ticker')}, {order.timeframe} bars, {order.first} to {order.last}"
        self.begin(words, "esc pauses the fetch and keeps what has come. It goes on when the program is closed.", watch.doing)
        view: FetchView | None = None
        problem: tuple[str, str] | None = None
        try:
            view = await asyncio.to_thread(self._call, order, watch)
        except BadFetch as error:
            problem = (error.field, str(error))
        except LabError as error:
            problem = ("", str(error))
        finally:
            watch.leave = True  # where this was cancelled because the program ends, the thread must end too
            self._watch = None
        finished = view is not None and view.state == FetchState.FINISHED
        self.end(form=not finished)
        if not self.is_attached:
            return
        if view is not None and finished:
            self._show_report(view, await self._keep(order))
        else:
            if view is not None:
                paused = "The fetch is paused; what has come is kept, and Fetch goes on from there."
                problem = ("", view.sentence if view.state == FetchState.FAILED else paused)
            if problem is not None:
                self.call_after_refresh(self.wrong, *problem)
        self.lab_app.wake()

    def _call(self, order: Order, watch: _Watch) -> FetchView | None:
        """Start the fetch and watch it until it ends or is paused; None where nobody watches any more."""
        fetches = self.lab.fetches
        rate = Settings().polygon_calls_per_minute
        fetch_id = fetches.start(
            order.tickers,
            order.timeframe,
            order.first,
            order.last,
            news=NEWS in order.besides,
            dividends=DIVIDENDS in order.besides,
            vix=VIX in order.besides,
            universe=order.name or None,
            calls_per_minute=rate,
        )
        keeper = Keeper(self.lab_app.home, order.key)
        while not watch.leave:
            if watch.pause:
                fetches.pause(fetch_id)
                watch.pause = False
            view = watch.view = fetches.get(fetch_id)
            if view.state not in (FetchState.QUEUED, FetchState.RUNNING):
                return view
            keeper.look(view.interrupted)
            time.sleep(LOOK_SECONDS)
        return None

    async def _keep(self, order: Order) -> str:
        """Keep the key where that is wanted, now that it has worked; what is said about it."""
        if not order.keep_key:
            return ""
        path = self.lab_app.config / FILE
        try:
            await asyncio.to_thread(save_polygon_key, path, order.key)
        except LabError as error:
            return str(error)
        return f"The key is kept in {path}, readable by you alone."

    def _show_report(self, view: FetchView, about_key: str) -> None:
        tickers = plural(len(view.tickers), "ticker")
        outcome = [toned("✓ ", T.GOOD), safe(f"{view.bars:,} bars of {tickers} ({view.timeframe}) came.\n{view.sentence}")]
        if about_key:
            outcome.append(safe(f"\n{about_key}"))
        found = toned("No gaps, duplicates, impossible prices or unadjusted splits were found.", T.MUTED)
        if view.problems:
            outcome.append(toned(f"\n\n{plural(len(view.problems), 'thing')} to know about these bars", T.STRONG))
            found = Content("\n").join([safe(f"· {problem}") for problem in view.problems])
        self.report(Content.assemble(*outcome), found)

    def stop_work(self) -> None:
        if self._watch is not None:
            self._watch.pause = True

    def leave_work(self) -> None:
        if self._watch is not None:
            self._watch.leave = True
