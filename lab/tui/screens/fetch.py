"""Fetching bars from Polygon: key, tickers and span, each error at its field, progress that can be paused, and the report."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pydantic import SecretStr
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from lab.agents.errors import BadFetch
from lab.agents.fetching import FetchView
from lab.agents.keys import FILE, VARIABLE, polygon_key, save_polygon_key
from lab.errors import LabError
from lab.settings import Settings
from lab.store.fetch_models import FetchState
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import Tone as T
from lab.tui.text import bar, duration, plural, safe, toned
from lab.tui.widgets.choices import Choices
from lab.work.fetcher import Keeper

TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "1d")
ONCE, KEEP = "no", "yes"
FIELDS = {
    "key": "key",
    "tickers": "tickers",
    "timeframe": "timeframe",
    "span": "first",
    "first": "first",
    "last": "last",
    "universe": "name",
}
"""Where the sentence about a field stands and the cursor goes."""
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
    name: str


class _Watch:
    """What the screen and the thread that watches a fetch tell each other."""

    def __init__(self) -> None:
        self.view: FetchView | None = None
        self.pause = False
        """The person wants it to stop for now."""
        self.leave = False
        """Nobody watches any more: it goes on."""


class FetchBars(LabScreen[None]):
    """The fetch goes on without this screen; what has come is kept."""

    PLACE = "fetch"
    TITLE = "Fetch bars from Polygon"
    ACTIONS = (
        Action("fetch", "ctrl+g", "Fetch", "Fetches the bars as asked for here."),
        BACK,
    )
    CSS = """
    FetchBars #body { padding: 1 2 0 2; }
    FetchBars #form { height: 1fr; scrollbar-size-vertical: 1; }
    FetchBars .row { height: auto; }
    FetchBars .row > Label { width: 11; color: $text-muted; }
    FetchBars .row > Input { width: 1fr; max-width: 60; }
    FetchBars #first, FetchBars #last { max-width: 16; }
    FetchBars .why { padding: 0 0 0 11; color: $text-muted; height: auto; margin-bottom: 1; }
    FetchBars .error { padding: 0 0 0 11; color: $text-error; height: auto; display: none; }
    FetchBars #problem { padding: 0; margin-top: 1; }
    FetchBars #go { margin-top: 1; }
    FetchBars #making, FetchBars #report { display: none; height: 1fr; scrollbar-size-vertical: 1; }
    FetchBars #what, FetchBars #stop-hint, FetchBars #hint { color: $text-muted; height: auto; }
    FetchBars #bar { margin-top: 1; }
    FetchBars #stop-hint { margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watch: _Watch | None = None
        self._fetched = False
        self._known: SecretStr | None = None

    def compose_body(self) -> ComposeResult:
        today = datetime.now(UTC).date()
        self._known = polygon_key(self.lab_app.config / FILE)
        with VerticalScroll(id="form", can_focus=False):
            yield _row("Key", Input(id="key", password=True, compact=True, placeholder=self._key_placeholder()))
            yield Static(id="key-error", classes="error")
            yield _row("Keep it", Choices((ONCE, KEEP), (ONCE,), several=False, id="keep"))
            yield Static(safe(f"A free account at polygon.io has one. Kept, it lies in {self.lab_app.config / FILE}."), classes="why")
            yield _row("Tickers", Input(id="tickers", compact=True, placeholder="such as AAPL MSFT SPY"))
            yield Static(id="tickers-error", classes="error")
            yield _row("Timeframe", Choices(TIMEFRAMES, ("1m",), several=False, id="timeframe"))
            yield Static(id="timeframe-error", classes="error")
            yield _row("From", Input((today - timedelta(days=FIRST_DAYS_AGO)).isoformat(), id="first", compact=True))
            yield Static(id="first-error", classes="error")
            yield _row("To", Input(today.isoformat(), id="last", compact=True))
            yield Static(id="last-error", classes="error")
            yield _row("Call it", Input(id="name", compact=True, placeholder="made from tickers and dates where left empty"))
            yield Static(id="name-error", classes="error")
            yield Static("With SPY among the tickers, scripts know the market's trend.", classes="why")
            yield Static("tab: next field   space: choose", id="hint")
            yield Button("Fetch", id="go", variant="primary", compact=True)
            yield Static(id="problem", classes="error")
        with Vertical(id="making"):
            yield Static(id="what")
            yield Static(id="bar")
            yield Static(id="note")
            yield Static("esc pauses the fetch and keeps what has come. It goes on when the program is closed.", id="stop-hint")
        with VerticalScroll(id="report", can_focus=False):
            yield Static(id="outcome")
            yield Button("Done", id="done", variant="primary", compact=True)

    def _key_placeholder(self) -> str:
        if self._known is None:
            return "paste it here; it is not shown"
        return f"the one in {VARIABLE} or kept earlier is used"

    def on_mount(self) -> None:
        self.query_one("#tickers" if self._known else "#key").focus()

    def why_not(self, name: str) -> str | None:
        if name == "fetch" and (self._watch is not None or self._fetched):
            return "The bars are being fetched; esc pauses that." if self._watch is not None else "The bars are fetched."
        return None

    # Asking

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.action_do("fetch")

    async def action_fetch(self) -> None:
        order = self._order()
        if order is not None:
            await self._fetch(order)

    def _order(self) -> Order | None:
        """What the form says; None after telling what is wrong with it."""
        self._clear()
        typed = self.query_one("#key", Input).value.strip()
        key = SecretStr(typed) if typed else self._known
        if key is None:
            self._wrong("key", f"Paste your Polygon key here, or start the program with {VARIABLE} set.")
            return None
        tickers = tuple(self.query_one("#tickers", Input).value.replace(",", " ").split())
        if not tickers:
            self._wrong("tickers", "Name at least one ticker, such as AAPL.")
            return None
        days = {}
        for field in ("first", "last"):
            try:
                days[field] = date.fromisoformat(self.query_one(f"#{field}", Input).value.strip())
            except ValueError:
                self._wrong(field, "Write the date as year-month-day, such as 2024-01-31.")
                return None
        return Order(
            key=key,
            keep_key=bool(typed) and self.query_one("#keep", Choices).chosen == (KEEP,),
            tickers=tickers,
            timeframe=self.query_one("#timeframe", Choices).chosen[0],
            first=days["first"],
            last=days["last"],
            name=self.query_one("#name", Input).value.strip(),
        )

    def _wrong(self, field: str, sentence: str) -> None:
        place = FIELDS.get(field)
        error = self.query_one(f"#{place}-error" if place else "#problem", Static)
        error.update(safe(sentence))
        error.display = True
        target: Widget = self.query_one(f"#{place}" if place else "#go")
        target.focus()
        error.scroll_visible()

    def _clear(self) -> None:
        for error in self.query(".error").results(Static):
            error.display = False

    # Fetching

    async def _fetch(self, order: Order) -> None:
        self._watch = watch = _Watch()
        words = f"{plural(len(order.tickers), 'ticker')}, {order.timeframe} bars, {order.first} to {order.last}"
        self.query_one("#what", Static).update(safe(words))
        self.query_one("#form").display, self.query_one("#making").display = False, True
        self._look()
        timer = self.set_interval(0.1, self._look)
        self.refresh_actions()
        view: FetchView | None = None
        problem: tuple[str, str] | None = None
        try:
            view = await asyncio.to_thread(self._call, order, watch)
        except BadFetch as error:
            problem = (error.field, str(error))
        except LabError as error:
            problem = ("", str(error))
        finally:
            timer.stop()
            watch.leave = True  # where this was cancelled because the program ends, the thread must end too
            self._watch = None
        if not self.is_attached:
            return
        self.query_one("#making").display = False
        if view is not None and view.state == FetchState.FINISHED:
            self._fetched = True
            self._show_report(view, await self._keep(order))
        else:
            self.query_one("#form").display = True
            if view is not None:
                paused = "The fetch is paused; what has come is kept, and Fetch goes on from there."
                problem = ("", view.sentence if view.state == FetchState.FAILED else paused)
            if problem is not None:
                self.call_after_refresh(self._wrong, *problem)
        self.refresh_actions()
        self.lab_app.wake()

    def _call(self, order: Order, watch: _Watch) -> FetchView | None:
        """Start the fetch and watch it until it ends or is paused; None where nobody watches any more."""
        fetches = self.lab.fetches
        rate = Settings().polygon_calls_per_minute
        fetch_id = fetches.start(
            order.tickers, order.timeframe, order.first, order.last, universe=order.name or None, calls_per_minute=rate
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

    def _look(self) -> None:
        if self._watch is not None:
            view = self._watch.view
            width = max(10, self.query_one("#bar").content_size.width - 6)
            share = view.progress if view is not None else 0.0
            self.query_one("#bar", Static).update(Content(f"{bar(share, width)} {share:4.0%}"))
            self.query_one("#note", Static).update(safe(_progress_words(view), T.MUTED))

    def _show_report(self, view: FetchView, about_key: str) -> None:
        self.query_one("#report").display = True
        tickers = plural(len(view.tickers), "ticker")
        parts: list[Content | str] = [
            toned("✓ ", T.GOOD),
            safe(f"{view.bars:,} bars of {tickers} ({view.timeframe}) came.\n{view.sentence}\n"),
        ]
        if about_key:
            parts.append(safe(f"{about_key}\n"))
        if view.problems:
            parts.append(toned(f"\n{plural(len(view.problems), 'thing')} to know about these bars\n", T.STRONG))
            parts += [safe(f"· {problem}\n") for problem in view.problems]
        else:
            parts.append(toned("\nNo gaps, duplicates, impossible prices or unadjusted splits were found.\n", T.MUTED))
        self.query_one("#outcome", Static).update(Content.assemble(*parts))
        self.query_one("#done").focus()

    @on(Button.Pressed, "#done")
    def _done(self) -> None:
        self.dismiss(None)

    def action_back(self) -> None:
        """Pause the fetch under way, or leave."""
        if self._watch is not None:
            self._watch.pause = True
        else:
            self.dismiss(None)

    def on_unmount(self) -> None:
        if self._watch is not None:
            self._watch.leave = True


def _progress_words(view: FetchView | None) -> str:
    """What is being done, how fast, and how long it will take."""
    if view is None:
        return "starting"
    rate = [f"{view.bars_per_second:,.0f} bars a second"] if view.bars_per_second is not None else []
    left = [f"{duration(view.seconds_left)} left"] if view.seconds_left is not None else []
    return "; ".join([view.note or "calling Polygon", *rate, *left])


def _row(label: str, field: Widget) -> Horizontal:
    return Horizontal(Label(label), field, classes="row")
