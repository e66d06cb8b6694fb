"""Making the demo market: in memory for studies, or written to the cache of a workspace."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from lab.market.bars import BARS_SCHEMA, SYNTHETIC_SOURCE, VALUES
from lab.market.cache import BarsCache
from lab.market.calendar import trading_sessions
from lab.market.demo.edges import EdgeSettings, EdgeStrength, PlantedEdge, edge_settings, planted
from lab.market.demo.held import with_context
from lab.market.demo.news import demo_news
from lab.market.demo.play import EdgeCounts, Path, SyntheticMarket, simulate
from lab.market.demo.stocks import DEMO_STOCKS, SPLIT_RATIO, SPLIT_TICKER, Sector, Stock
from lab.market.errors import MarketError
from lab.market.manifest import SourceSpan
from lab.market.news import NewsItem
from lab.market.splits import Split
from lab.market.timeframes import DAILY

DEMO_VERSION = 3
"""Of the generator: the same version, seed and choices give the same bytes; any change of what it makes counts it up."""
SEED = 121
SESSIONS = 200
TICKERS = 12
LAST_SESSION = date(2025, 1, 31)
MARKET_TICKER = "SPY"
VIX_TICKER = "VIX"
TIMEFRAME = "1m"
HISTORY_SESSIONS = 260
MOST_SESSIONS = 2_500


@dataclass(frozen=True, slots=True)
class HaltedBars:
    """A stretch in which a stock was halted: it has no bars from `begin_at` on, until trading goes on at `end_at`."""

    ticker: str
    begin_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """What was made."""

    tickers: tuple[str, ...]
    """The stocks to trade; the market and the VIX are beside them."""
    timeframe: str
    market_ticker: str
    vix_ticker: str
    first_session: date
    last_session: date
    edges: tuple[PlantedEdge, ...]
    """What was planted; empty where nothing was."""
    version: int
    seed: int
    strength: str
    """"none", "weak", "medium", "strong", or "own" for settings of the caller's."""
    sectors: tuple[tuple[str, Sector], ...]
    """(ticker, its sector)."""
    news: tuple[NewsItem, ...]
    """Oldest first."""
    halts: tuple[HaltedBars, ...]
    splits: tuple[tuple[str, Split], ...]
    """(ticker, split): already adjusted for in the bars, as a vendor's adjusted bars are."""

    @property
    def recipe(self) -> str:
        """What it takes to make the same again, in words: "demo 3, seed 121, medium edges"."""
        edges = "no edges" if self.strength == EdgeStrength.NONE else f"{self.strength} edges"
        return f"{SYNTHETIC_SOURCE} {self.version}, seed {self.seed}, {edges}"


@dataclass(frozen=True, slots=True)
class MarketFrames:
    """A demo market in memory."""

    outcome: DemoOutcome
    bars: pl.DataFrame
    """1-minute bars of the stocks and of SPY (columns of `lab.market.bars.BARS_SCHEMA`), sorted by ticker and time."""
    daily: pl.DataFrame
    """Daily bars of the stocks, SPY and VIX, `HISTORY_SESSIONS` before the first minute included; columns and order as of `bars`."""
    counts: EdgeCounts
    """How often each planted edge acted."""

    def with_context(self, columns: Collection[str] | None = None) -> pl.DataFrame:
        """The stocks' minutes with what is around them that a script may ask for (see `load_market`); news is not."""
        made = self.outcome
        return with_context(self.bars, self.daily, made.tickers, made.timeframe, made.market_ticker, made.vix_ticker, columns)


def make_market_frames(
    seed: int = SEED,
    sessions: int = SESSIONS,
    tickers: int = TICKERS,
    edges: EdgeStrength | EdgeSettings = EdgeStrength.MEDIUM,
    progress: Callable[[float, str], None] = lambda share, note: None,
) -> MarketFrames:
    """A demo market as frames, without files: the same bars that `make_demo_market` writes for the same arguments.

    `tickers` is the number of stocks, the first of `DEMO_STOCKS`. Raises `MarketError` for numbers out of range.
    """
    stocks, calendar = _asked(sessions, tickers)
    made, traded = _simulated(stocks, calendar, sessions, seed, edges, progress)
    lengths = _lengths(traded)
    place = _minute_columns(traded, lengths)
    parts = {MARKET_TICKER: _frame(MARKET_TICKER, made.market, place)}
    days = _day_columns(calendar)
    daily = {MARKET_TICKER: _frame(MARKET_TICKER, made.market_daily, days), VIX_TICKER: _frame(VIX_TICKER, made.vix, days)}
    for row, stock in enumerate(stocks):
        frame = _frame(stock.ticker, _row(made.stocks, row), place)
        parts[stock.ticker] = frame if made.traded[row].all() else frame.filter(pl.Series(made.traded[row]))
        daily[stock.ticker] = _frame(stock.ticker, made.stocks_daily[row], days)
    return MarketFrames(
        outcome=_outcome(stocks, made, traded, seed, edges),
        bars=pl.concat([parts[name] for name in sorted(parts)], rechunk=True),
        daily=pl.concat([daily[name] for name in sorted(daily)], rechunk=True),
        counts=made.counts,
    )


def make_demo_market(
    cache: BarsCache,
    progress: Callable[[float, str], None] = lambda share, note: None,
    seed: int = SEED,
    sessions: int = SESSIONS,
    edges: EdgeStrength | EdgeSettings = EdgeStrength.MEDIUM,
    tickers: int = TICKERS,
) -> DemoOutcome:
    """Make the demo market and write it to the cache, all of it or nothing.

    `progress` is told the share done (0 to 1) and what is being done. The same version, seed and choices give the same bytes.
    Raises `MarketError` for numbers out of range, `CacheUnwritable` where the folder can't be written, `MixedBars` where it
    holds the person's own bars of SPY or VIX.
    """
    progress(0.02, "reading the exchange calendar")
    stocks, calendar = _asked(sessions, tickers)
    made, traded = _simulated(stocks, calendar, sessions, seed, edges, progress)
    outcome = _outcome(stocks, made, traded, seed, edges)
    minutes = _minute_columns(traded, _lengths(traded))["timestamp"]
    days = calendar["open_at"].alias("timestamp")
    with cache.batch() as batch:

        def write(ticker: str, timeframe: str, path: Path, kept: pl.Series | None = None) -> None:
            stamps, schedule = (days, calendar) if timeframe == DAILY else (minutes, traded)
            frame = pl.DataFrame({"timestamp": stamps, **{name: getattr(path, name) for name in VALUES}})
            frame = frame if kept is None else frame.filter(kept)
            span = SourceSpan(outcome.recipe, frame["timestamp"][0], frame["timestamp"][-1])
            splits = [split for name, split in outcome.splits if name == ticker]
            batch.write(
                ticker, timeframe, frame, SYNTHETIC_SOURCE, (), schedule, spans=(span,), splits=splits, adjusted_until=LAST_SESSION
            )  # fmt: skip

        for row, stock in enumerate(stocks):
            progress(0.5 + 0.45 * row / len(stocks), f"writing {stock.ticker}")
            write(stock.ticker, TIMEFRAME, _row(made.stocks, row), pl.Series(made.traded[row]))
            write(stock.ticker, DAILY, made.stocks_daily[row])
        write(MARKET_TICKER, TIMEFRAME, made.market)
        write(MARKET_TICKER, DAILY, made.market_daily)
        write(VIX_TICKER, DAILY, made.vix)
    progress(1.0, "the demo market is ready")
    return outcome


def _asked(sessions: int, tickers: int) -> tuple[tuple[Stock, ...], pl.DataFrame]:
    """The stocks and the calendar, history included."""
    if not 1 <= sessions <= MOST_SESSIONS:
        raise MarketError(f"The demo market has 1 to {MOST_SESSIONS:,} sessions; {sessions:,} were asked for.")
    if not 1 <= tickers <= len(DEMO_STOCKS):
        raise MarketError(f"The demo market has 1 to {len(DEMO_STOCKS)} tickers; {tickers:,} were asked for.")
    calendar = trading_sessions(LAST_SESSION - timedelta(days=(sessions + HISTORY_SESSIONS) * 2), LAST_SESSION)
    return DEMO_STOCKS[:tickers], calendar.tail(sessions + HISTORY_SESSIONS)


def _simulated(
    stocks: tuple[Stock, ...],
    calendar: pl.DataFrame,
    sessions: int,
    seed: int,
    edges: EdgeStrength | EdgeSettings,
    progress: Callable[[float, str], None],
) -> tuple[SyntheticMarket, pl.DataFrame]:
    traded = calendar.tail(sessions)
    progress(0.10, f"playing {sessions} sessions of {len(stocks)} stocks")
    settings = edges if isinstance(edges, EdgeSettings) else edge_settings(edges)
    return simulate(stocks, _lengths(traded), calendar.height - sessions, seed, settings), traded


def _lengths(traded: pl.DataFrame) -> list[int]:
    return (traded["close_minute"] - traded["open_minute"]).to_list()


def _outcome(
    stocks: tuple[Stock, ...], made: SyntheticMarket, traded: pl.DataFrame, seed: int, edges: EdgeStrength | EdgeSettings
) -> DemoOutcome:
    opens = [opened.astimezone(UTC) for opened in traded["open_at"]]
    closes = [closed.astimezone(UTC) for closed in traded["close_at"]]
    days: list[date] = traded["session"].to_list()
    halts = [
        HaltedBars(stock.ticker, begin_at, begin_at + timedelta(minutes=halt.minutes))
        for stock, draws in zip(stocks, made.draws, strict=True)
        for halt in draws.halts
        for begin_at in [opens[halt.session_number] + timedelta(minutes=halt.begin)]
    ]
    splits = () if made.split_session is None else ((SPLIT_TICKER, Split(days[made.split_session], float(SPLIT_RATIO))),)
    return DemoOutcome(
        tickers=tuple(stock.ticker for stock in stocks),
        timeframe=TIMEFRAME,
        market_ticker=MARKET_TICKER,
        vix_ticker=VIX_TICKER,
        first_session=days[0],
        last_session=days[-1],
        edges=planted(edges) if isinstance(edges, EdgeStrength) else (),
        version=DEMO_VERSION,
        seed=seed,
        strength=edges.value if isinstance(edges, EdgeStrength) else "own",
        sectors=tuple((stock.ticker, stock.sector) for stock in stocks),
        news=demo_news(seed, stocks, range(len(stocks)), made.draws, opens, closes),
        halts=tuple(halts),
        splits=splits,
    )


def _row(paths: Path, row: int) -> Path:
    return Path(*(getattr(paths, name)[row] for name in VALUES))


def _minute_columns(traded: pl.DataFrame, lengths: list[int]) -> pl.DataFrame:
    """Time and place of every minute of the sessions."""
    lengths_array = np.array(lengths)
    bar = np.concatenate([np.arange(length) for length in lengths])
    opens = np.repeat(traded["open_at"].to_physical().to_numpy(), lengths_array)
    row = np.repeat(np.arange(len(lengths)), lengths_array)
    placed = traded[row].select("session", "open_minute", "close_minute")
    return placed.select(
        timestamp=pl.Series(opens + bar * 60_000_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        session="session",
        minute=(pl.col("open_minute") + pl.Series(bar.astype(np.int16))).cast(pl.Int16),
        close_minute="close_minute",
    )


def _day_columns(calendar: pl.DataFrame) -> pl.DataFrame:
    return calendar.select(timestamp="open_at", session="session", minute="open_minute", close_minute="close_minute")


def _frame(ticker: str, path: Path, place: pl.DataFrame) -> pl.DataFrame:
    values = {name: getattr(path, name) for name in VALUES}
    name = pl.repeat(ticker, place.height, dtype=pl.String, eager=True)
    return place.with_columns(ticker=name, **{key: pl.Series(value) for key, value in values.items()}).select(
        pl.col(key).cast(kind) for key, kind in BARS_SCHEMA.items()
    )
