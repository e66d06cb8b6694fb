"""Fetches, universes and cached bars as screens read them: plain snapshots, free of database and Polars imports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from lab.agents.views import UniverseView
from lab.store.fetch_states import FetchKind, FetchState

UNDER_WAY = (FetchState.QUEUED, FetchState.RUNNING)


@dataclass(frozen=True, slots=True)
class FetchPartView:
    """One series of a fetch."""

    kind: FetchKind
    ticker: str
    timeframe: str
    first_session: date
    last_session: date
    state: FetchState
    progress: float
    rows: int
    sentences: tuple[str, ...]
    """Why it failed, or what was found in it."""


@dataclass(frozen=True, slots=True)
class FetchView:
    """A fetch at one moment."""

    id: int
    title: str
    tickers: tuple[str, ...]
    timeframe: str
    """Empty where it brings several up to date."""
    first_session: date
    last_session: date
    universe: str
    """Made of the tickers when all are there; empty for none."""
    state: FetchState
    interrupted: bool
    """Queued or running by its state, but no process is at it: `resume` and a new process make it go on."""
    sentence: str
    """Why it failed, or what came of it."""
    progress: float
    """The share that is done, 0 to 1."""
    note: str
    """What is being done now."""
    bars: int
    calls: int
    bars_per_second: float | None
    seconds_left: float | None
    parts_done: int
    parts: tuple[FetchPartView, ...]
    created_at: datetime
    finished_at: datetime | None

    @property
    def problems(self) -> tuple[str, ...]:
        """What was found in the parts, with the ticker each is about."""
        found = [f"{part.ticker}: {sentence}" if part.ticker else sentence for part in self.parts for sentence in part.sentences]
        return tuple(dict.fromkeys(found))


RANKINGS = ("dollar volume", "volatility", "price")


@dataclass(frozen=True, slots=True)
class UniverseRule:
    """What a ticker has to be like over the `sessions` sessions before a date. None is no bound."""

    min_price: float | None = None
    """Dollars, of the last close."""
    max_price: float | None = None
    min_dollar_volume: float | None = None
    """Mean of a session, in dollars."""
    min_volatility_percent: float | None = None
    """Standard deviation of the daily returns."""
    max_volatility_percent: float | None = None
    top: int | None = None
    """Only so many, the highest by `by`."""
    by: str = "dollar volume"
    """One of `RANKINGS`."""
    sessions: int = 20

    @property
    def words(self) -> str:
        """The rule as a person reads it."""
        said = []
        if self.min_price is not None:
            said.append(f"price from ${self.min_price:,.2f}")
        if self.max_price is not None:
            said.append(f"price to ${self.max_price:,.2f}")
        if self.min_dollar_volume is not None:
            said.append(f"at least ${self.min_dollar_volume:,.0f} a session")
        if self.min_volatility_percent is not None:
            said.append(f"volatility from {self.min_volatility_percent:g}% a day")
        if self.max_volatility_percent is not None:
            said.append(f"volatility to {self.max_volatility_percent:g}% a day")
        if self.top is not None:
            said.append(f"top {self.top} by {self.by}")
        return f"{', '.join(said) or 'every ticker'}, over {self.sessions} sessions"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cached ticker as it was before a date."""

    ticker: str
    price: float
    dollar_volume: float
    volatility_percent: float
    sessions: int


@dataclass(frozen=True, slots=True)
class UniverseDetail:
    """A universe with what it was made by and who trades it."""

    view: UniverseView
    rule: UniverseRule | None
    as_of: date | None
    agents: tuple[str, ...]

    @property
    def made_by(self) -> str:
        return "named tickers" if self.rule is None else f"{self.rule.words}, before {self.as_of}"


class SessionState(StrEnum):
    COMPLETE = "complete"
    PARTIAL = "partial"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class SessionCoverage:
    """What is cached of one trading session, in regular hours."""

    session: date
    state: SessionState
    bars: int
    expected: int
    half_day: bool


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """A ticker's sessions from its first bar to its last, for a calendar."""

    ticker: str
    timeframe: str
    native: bool
    """Cached on this timeframe; else made of shorter bars on reading."""
    sessions: tuple[SessionCoverage, ...]
    damaged_years: tuple[int, ...]
    """Their sessions count as missing until `repair`."""

    def count(self, state: SessionState) -> int:
        return sum(1 for one in self.sessions if one.state is state)

    @property
    def half_days(self) -> int:
        return sum(1 for one in self.sessions if one.half_day)


@dataclass(frozen=True, slots=True)
class QualityLine:
    """One thing that was found in the bars."""

    kind: str
    sentence: str
    done: str
    """What was done about it: left out, put right, adjusted, kept, not filled, told."""
    count: int
    """Bars or sessions it concerns; 0 where that says nothing."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What is known of one ticker's bars on one timeframe."""

    ticker: str
    timeframe: str
    cached_timeframe: str
    """What the bars are made of: the timeframe itself, or a shorter one."""
    synthetic: bool
    source: str
    rows: int
    first_at: datetime
    last_at: datetime
    lines: tuple[QualityLine, ...]
    splits: tuple[tuple[date, str], ...]
    """Sessions and ratios, such as "4:1", that the bars are adjusted for."""
    damaged_years: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DamageRow:
    """A damaged file, and how its bars come back."""

    ticker: str
    timeframe: str
    year: int
    synthetic: bool
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What reading every file again has shown."""

    files: int
    damaged: tuple[DamageRow, ...]
    notes: tuple[str, ...]
    """What was made anew, and lists that can't be read."""
    refetch: bool
    """Some of the lost bars came from Polygon: an update fetches them."""


def tickers_in(text: str) -> tuple[str, ...]:
    """The tickers of a typed or read list: separated by spaces, commas, semicolons or lines; a heading and comments left out."""
    found: list[str] = []
    one_column = False
    for number, line in enumerate(text.lstrip("\ufeff").splitlines()):
        words = line.partition("#")[0].replace(",", " ").replace(";", " ").replace('"', " ").split()
        if number == 0 and words and words[0].casefold() in ("ticker", "tickers", "symbol", "symbols"):
            # Beside tickers such a table holds names and the like, which are none.
            one_column = len(words) > 1
            continue
        found += words[:1] if one_column else words
    return tuple(dict.fromkeys(word.upper() for word in found))
