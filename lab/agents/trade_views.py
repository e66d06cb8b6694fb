"""A trade with everything around it, as screens read it: plain snapshots, free of database and Polars imports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from lab.agents.views import TradeRow
from lab.market.news import Sentiment


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A price level of a ticker as it stood before a session opened."""

    price: float
    side: str
    """ "support" at or below the close of the session before, else "resistance"."""
    touches: int
    age_sessions: int
    strength: float
    known_at: datetime


@dataclass(frozen=True, slots=True)
class RegimeRow:
    """The market after a session's close; None for what is not known."""

    session: date
    known_at: datetime
    trend: int | None
    volatility: int | None
    change_percent: float | None
    vix: float | None
    vix_change_percent: float | None
    breadth_percent: float | None


@dataclass(frozen=True, slots=True)
class Headline:
    """An article about a ticker as a person reads it. Its texts are foreign: clean them on the way to a screen."""

    published_at: datetime
    """From when on it was known for this ticker."""
    title: str
    publisher: str
    url: str
    source: str
    sentiment: Sentiment | None
    """The vendor's, for this ticker."""


@dataclass(frozen=True, slots=True)
class TradeBar:
    started_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    """The session's VWAP up to this bar; None where a bar lasts a session."""


@dataclass(frozen=True, slots=True)
class TradeView:
    """A trade with everything around it. Prices are per share, adjusted as the bars are."""

    iteration_id: int
    place: int
    """In order of entry, from 0."""
    trades: int
    """How many the iteration has."""
    trade: TradeRow
    timeframe: str
    synthetic: bool
    signal_at: datetime
    stop: float | None
    target: float | None
    costs: float | None
    """Dollars."""
    mae_r: float | None
    """The furthest it stood against the position, in R; negative."""
    mfe_r: float | None
    exits: int
    """In how many parts it was closed."""
    bars: tuple[TradeBar, ...]
    """In order; what the trade saw, some before, and some after within the learning span. Empty where they are cached no more."""
    core: tuple[int, int]
    """The first of `bars` that has to be shown, and the one after the last: the trade, and what is needed around it to read it."""
    bars_each: int
    """How many cached bars one of `bars` is made of."""
    levels: tuple[LevelRow, ...]
    """As they stood before the session of the signal."""
    news: tuple[Headline, ...]
    """Published up to the exit, newest first. Foreign text."""
    context: tuple[tuple[str, str], ...]
    """What was known at the signal: name and value in words."""
