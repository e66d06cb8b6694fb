"""A universe: made of cached tickers that are named, read from a file or chosen by a rule; or renamed and given other tickers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from lab.agents.data_views import RANKINGS, Candidate, UniverseDetail, UniverseRule, tickers_in
from lab.agents.errors import BadAgent, BadUniverse
from lab.agents.proof.views import VaultView
from lab.agents.views import CoverageRow
from lab.errors import LabError
from lab.tui.actions import BACK, Action
from lab.tui.screens.form import FormScreen, error_of, row
from lab.tui.text import Tone, clean, dollars, plural, safe, toned
from lab.tui.widgets.choices import Choices

TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "1d")
NAMED, BY_RULE = "named tickers", "a rule"
REAL, DEMO = "real bars", "demo market"
_LARGEST_LIST_BYTES = 1_000_000
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class _Bound:
    """A field of the rule that holds a number."""

    id: str
    label: str
    hint: str


BOUNDS = (
    _Bound("min_price", "Price from", "dollars, of the last close"),
    _Bound("max_price", "Price to", "dollars"),
    _Bound("min_dollar_volume", "Traded", "dollars a session, at least"),
    _Bound("min_volatility_percent", "Volatility", "percent a day, at least"),
    _Bound("max_volatility_percent", "at most", "percent a day"),
    _Bound("top", "Only top", "so many tickers; all where left empty"),
)


class BadNumberError(LabError):
    """A field that needs a number or a date has none."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class UniverseScreen(FormScreen[tuple[CoverageRow, ...]]):
    """A new universe, or with a universe given, that one."""

    PLACE = "universe"
    TITLE = "Universe"
    ACTIONS = (
        Action("keep_universe", "ctrl+g", "Keep", "Makes the universe as it stands here, or changes it."),
        Action("candidates", "f5", "Who is in it", "Shows which tickers the rule chooses as it stands here."),
        BACK,
    )
    FIELDS: ClassVar[Mapping[str, str]] = {"span": "first", "rule": "min_price"}
    CSS = """
    UniverseScreen #fields { height: 1fr; scrollbar-size-vertical: 1; }
    UniverseScreen #by-rule, UniverseScreen #by-name { height: auto; }
    UniverseScreen #first, UniverseScreen #last, UniverseScreen #as_of { max-width: 16; }
    UniverseScreen #chosen { height: auto; margin-top: 1; display: none; }
    """

    def __init__(self, universe: UniverseDetail | None = None) -> None:
        super().__init__()
        self._universe = universe
        self._vault: VaultView | None = None

    def compose_body(self) -> ComposeResult:
        universe = self._universe
        with VerticalScroll(id="fields", can_focus=False):
            yield row("Name", Input(clean(universe.view.name) if universe else "", id="name", compact=True, placeholder="such as Tech 20"))
            yield error_of("name")
            if universe is None:
                yield row("Bars", Choices((REAL, DEMO), (REAL,), several=False, id="market"))
                yield row("Timeframe", Choices(TIMEFRAMES, ("1m",), several=False, id="timeframe"))
                yield row("Made of", Choices((NAMED, BY_RULE), (NAMED,), several=False, id="made_of"))
            with Vertical(id="by-name"):
                tickers = " ".join(universe.view.tickers) if universe else ""
                yield row(
                    "Tickers", Input(clean(tickers), id="tickers", compact=True, placeholder="such as AAPL MSFT, or /path/of/a/list.txt")
                )
                yield error_of("tickers")
            if universe is None:
                yield from self._compose_rule()
                yield row("From", Input(id="first", compact=True, placeholder="all there is"))
                yield error_of("first")
                yield row("To", Input(id="last", compact=True, placeholder="all there is"))
                yield error_of("last")
                yield Static("The last fifth of the sessions is the vault: nobody learns from it.", classes="why")
            else:
                rule = "A universe made by a rule whose tickers are changed by hand is one of named tickers from then on. "
                words = "The change takes effect with the next iteration of the agents that trade it."
                yield Static((rule if universe.rule else "") + words, classes="why")
                yield row("Learns to", Input(universe.view.learning_until.isoformat(), id="learning_until", compact=True))
                yield error_of("learning_until")
                yield Static(id="vault", classes="why")
                yield row("Folds", Input(id="folds", compact=True, placeholder="of the walk-forward"))
                yield error_of("folds")
            yield Static(id="chosen")
            yield Static("tab: next field   space: choose", classes="hint")
            yield Button("Make it" if universe is None else "Keep it", id="go", variant="primary", compact=True)
            yield Static(id="problem", classes="error")

    def _compose_rule(self) -> ComposeResult:
        with Vertical(id="by-rule"):
            yield row("As of", Input(id="as_of", compact=True, placeholder="2024-01-31"))
            yield error_of("as_of")
            yield Static("The rule sees only sessions before this date, and the universe begins there.", classes="why")
            for bound in BOUNDS:
                yield row(bound.label, Input(id=bound.id, compact=True, placeholder=bound.hint))
                yield error_of(bound.id)
            yield row("by", Choices(RANKINGS, RANKINGS[:1], several=False, id="by"))
            yield row("Sessions", Input("20", id="sessions", compact=True))
            yield error_of("sessions")

    def on_mount(self) -> None:
        self.subtitle = clean(self._universe.view.name) if self._universe else "new"
        self.query_one("#name").focus()
        self._show_fields()

    def load(self) -> tuple[CoverageRow, ...]:
        if self._universe is not None:
            self._vault = self.lab.proof.vault(self._universe.view.id)
        return tuple(self.lab.coverage())

    def show(self, data: tuple[CoverageRow, ...]) -> None:
        """Begin with what is there: the demo market where there are no other bars, and the timeframe that most tickers have."""
        if self._vault is not None:
            self._show_vault(self._vault)
        if self._universe is not None or self.holds_work:
            return
        synthetic = bool(data) and all(one.synthetic for one in data)
        self.query_one("#market", Choices).choose((DEMO if synthetic else REAL,))
        cached = [one.timeframe for one in data if one.synthetic == synthetic]
        # The one with the most tickers; of several the shortest.
        self.query_one("#timeframe", Choices).choose((max(TIMEFRAMES, key=cached.count),))

    def _show_vault(self, vault: VaultView) -> None:
        """What is set of the spans, once; whether the boundary may still be moved, always."""
        if not self.typed("folds"):
            self.query_one("#folds", Input).value = str(vault.folds)
        fixed = "something was tested on it, so that is for good" if vault.fixed else "it may be moved until something is tested"
        opened = f"opened {plural(vault.openings, 'time')}" if vault.openings else "never opened"
        words = f"The vault follows, to {vault.last_session}, {opened}; {fixed}."
        self.query_one("#learning_until", Input).disabled = vault.fixed
        self.query_one("#vault", Static).update(words)

    @property
    def holds_work(self) -> bool:
        if not self.is_mounted:
            return False
        if self._universe is not None:
            view, vault = self._universe.view, self._vault
            now = tuple(self.typed(field) for field in ("name", "tickers", "learning_until", "folds"))
            folds = str(vault.folds) if vault is not None else now[3]
            return now != (clean(view.name), clean(" ".join(view.tickers)), view.learning_until.isoformat(), folds)
        return any(self.typed(field) for field in ("name", "tickers", "as_of", *(bound.id for bound in BOUNDS)))

    @property
    def _by_rule(self) -> bool:
        return self._universe is None and self.query_one("#made_of", Choices).chosen == (BY_RULE,)

    @on(Choices.Changed, "#made_of")
    def _show_fields(self) -> None:
        if self._universe is None:
            self.query_one("#by-rule").display = self._by_rule
            self.query_one("#by-name").display = not self._by_rule
        self.refresh_actions()

    def why_not(self, name: str) -> str | None:
        if name == "candidates" and self.is_mounted and not self._by_rule:
            return "These tickers are named, not chosen by a rule."
        return None

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.focus_next()

    # What is asked for

    async def action_keep_universe(self) -> None:
        if await self._went_well(self._keep):
            self.tell(f"{' '.join(self.typed('name').split())} is here.")
            self.dismiss(None)

    async def action_candidates(self) -> None:
        await self._went_well(self._look)

    async def _went_well(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether it went well; what is wrong is said where it was typed."""
        self.all_right()
        try:
            await work()
        except (BadUniverse, BadNumberError, BadAgent) as error:
            self.wrong(error.field, str(error))
        except LabError as error:
            self.wrong("", str(error))
        else:
            return True
        return False

    async def _keep(self) -> None:
        universes, name = self.lab.universes, self.typed("name")
        if self._universe is not None:
            tickers = await self._tickers()
            await self._keep_span(self._universe.view.id)
            await asyncio.to_thread(universes.edit, self._universe.view.id, name=name, tickers=tickers)
            return
        as_of = self._date("as_of") if self._by_rule else None
        await asyncio.to_thread(
            universes.make,
            name,
            self.query_one("#timeframe", Choices).chosen[0],
            () if self._by_rule else await self._tickers(),
            rule=self._rule() if self._by_rule else None,
            as_of=as_of,
            first=self._date("first"),
            last=self._date("last"),
            synthetic=self._synthetic,
        )

    async def _keep_span(self, universe_id: int) -> None:
        """Set what was changed of the learning span and its folds."""
        until, folds = self._date("learning_until"), self._number("folds")
        vault = self._vault
        if vault is None or (until in (None, vault.learning_until) and folds in (None, vault.folds)):
            return
        if folds is not None and not folds.is_integer():
            raise BadNumberError("folds", "Write a whole number here, such as 5.")
        wanted = None if folds is None else int(folds)
        self._vault = await asyncio.to_thread(self.lab.proof.set_learning_span, universe_id, until, wanted)

    async def _look(self) -> None:
        as_of, rule = self._date("as_of"), self._rule()
        if as_of is None:
            raise BadNumberError("as_of", "A rule needs the date before which it looks, such as 2024-01-31.")
        timeframe = self.query_one("#timeframe", Choices).chosen[0]
        chosen = self.query_one("#chosen", Static)
        chosen.update("Looking…")
        chosen.display = True
        found: tuple[Candidate, ...] = ()
        try:
            found = await asyncio.to_thread(self.lab.universes.candidates, timeframe, as_of, rule, synthetic=self._synthetic)
        finally:
            chosen.display = bool(found)
        chosen.update(_candidates(found))
        chosen.display = True
        chosen.scroll_visible()

    @property
    def _synthetic(self) -> bool:
        return self.query_one("#market", Choices).chosen == (DEMO,)

    async def _tickers(self) -> tuple[str, ...]:
        """What was typed, or what the list names whose path was typed."""
        typed = self.typed("tickers")
        words = typed if "/" not in typed or " " in typed else await asyncio.to_thread(_read_list, typed)
        # Small letters mean something in some names, such as BACpB, but nobody has to type them.
        cached = {row.ticker.upper(): row.ticker for row in self.data or ()}
        return tuple(cached.get(ticker, ticker) for ticker in tickers_in(words))

    def _rule(self) -> UniverseRule:
        numbers = {bound.id: self._number(bound.id) for bound in BOUNDS}
        top, sessions = numbers.pop("top"), self._number("sessions")
        return UniverseRule(
            **numbers,
            top=None if top is None else int(top),
            by=self.query_one("#by", Choices).chosen[0],
            sessions=20 if sessions is None else int(sessions),
        )

    def _number(self, field: str) -> float | None:
        typed = self.typed(field).replace(",", "").replace("_", "").lstrip("$").rstrip("%")
        try:
            return float(typed) if typed else None
        except ValueError:
            raise BadNumberError(field, "Write a number here, such as 20, or leave it empty.") from None

    def _date(self, field: str) -> date | None:
        typed = self.typed(field)
        try:
            return date.fromisoformat(typed) if typed else None
        except ValueError:
            raise BadNumberError(field, "Write the date as year-month-day, such as 2024-01-31.") from None

    def action_back(self) -> None:
        self.leave("Leave without keeping the universe? What you typed is lost.")


def _read_list(path: str) -> str:
    """Raises BadNumberError where there is no such list."""
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            return file.read(_LARGEST_LIST_BYTES)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise BadNumberError("tickers", f"This list can't be read: {reason}.") from None


def _candidates(found: tuple[Candidate, ...]) -> Content:
    if not found:
        return toned("The rule chooses no ticker.", Tone.WARN)
    lines = [toned(f"The rule chooses {plural(len(found), 'ticker')}", Tone.STRONG)]
    for one in found[:_SHOWN]:
        figures = f"${one.price:,.2f}, {dollars(one.dollar_volume)} a session, {one.volatility_percent:.1f}% a day"
        lines.append(Content.assemble(safe(f"{one.ticker:<8}"), toned(figures, Tone.MUTED)))
    if len(found) > _SHOWN:
        lines.append(safe("and " + " ".join(one.ticker for one in found[_SHOWN:])))
    return Content("\n").join(lines)
