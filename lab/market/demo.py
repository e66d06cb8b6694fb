"""The demo market: twenty synthetic stocks, a market (SPY) and a VIX, with edges planted where the built-in patterns look.

Nothing in it ever traded. It covers the 120 sessions that end on `LAST_SESSION`, on the real calendar of the New York Stock
Exchange (two half days, one change to winter time), in 1-minute bars; SPY and VIX also have daily bars reaching a further
260 sessions back, so that trend and volatility are known from the first minute. Volatility comes in spells, volume is
U-shaped and rises when prices move, tails are fat, every stock follows the market by its own beta, and prices jump
overnight. Apart from the three edges below, prices have no drift worth its costs in any direction.

The planted edges. Each acts only when all its conditions hold; without them the same pattern is worth nothing:

1. VWAP bounce. A bar's low comes within 0.1 % of the session's VWAP while it closes above it, on at least 2.5 times the mean
   volume of the last 20 bars. In a flat or rising market (`market.trend >= 0`) the price then drifts up by 26 bps over the
   next 30 bars, most of it in the first ten; in a falling one the dip does not hold and the price drifts down by 18 bps.
   Quiet dips do nothing.
2. Gap continuation. A stock opens more than 2 % above its last close and the first five bars trade at least twice their usual
   volume: it goes on by 110 bps from the sixth bar to the end of the first hour. Such a gap on ordinary volume fades by
   80 bps over the same time. Gaps down do nothing.
3. Reversal at a level. RSI(14) is below 24 and the close lies at most 0.2 % above `levels.support`: the price drifts up by
   22 bps over the next 30 bars. Mirrored at a resistance: RSI(14) above 76, at most 0.2 % below `levels.resistance`, down by
   22 bps. The same move without a level near does nothing.

Edges 1 and 3 look for a bar from the 21st minute on and start nothing in the last 45 minutes of a session; a stock with one
drift under way starts no other. After 1.5 bps of costs a side the patterns lose or about break even without their conditions
and are clearly profitable with them, with stops of one to two ATR: tighter ones mostly catch noise. The default seed was
chosen for one thing only: that the market's trend is up, flat and down for a good part of the span each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from lab.market.bars import SYNTHETIC_SOURCE, VALUES
from lab.market.cache import BarsCache
from lab.market.calendar import trading_sessions
from lab.market.synthetic import DailyPath, EdgeSettings, Path, Stock, simulate
from lab.market.timeframes import DAILY
from lab.market.writing import CacheBatch

SEED = 121
LAST_SESSION = date(2025, 1, 31)
MARKET_TICKER = "SPY"
VIX_TICKER = "VIX"
TIMEFRAME = "1m"
HISTORY_SESSIONS = 260


@dataclass(frozen=True, slots=True)
class PlantedEdge:
    """A regularity put into the demo market on purpose."""

    name: str
    rule: str
    strength: str


DEMO_EDGES: tuple[PlantedEdge, ...] = (
    PlantedEdge(
        "VWAP bounce",
        "low within 0.1 % of the session's VWAP, close above it, volume at least 2.5 times its 20-bar mean, market.trend >= 0",
        "+26 bps over the next 30 bars; -18 bps where market.trend < 0; nothing on quiet volume",
    ),
    PlantedEdge(
        "gap continuation",
        "opening gap above +2 % with at least 2 times the usual volume in the first five bars",
        "+110 bps from the sixth bar to the end of the first hour; -80 bps on ordinary volume; nothing after gaps down",
    ),
    PlantedEdge(
        "reversal at a level",
        "RSI(14) below 24 with the close at most 0.2 % above levels.support, or above 76 at most 0.2 % below levels.resistance",
        "22 bps away from the level over the next 30 bars; nothing without a level near",
    ),
)

DEMO_STOCKS: tuple[Stock, ...] = (
    Stock("ALTO", 182.40, 1.25, 0.0150, 14e6),
    Stock("BRIX", 96.15, 0.90, 0.0120, 9e6),
    Stock("CIRQ", 241.70, 1.35, 0.0165, 22e6),
    Stock("DELV", 68.90, 0.75, 0.0110, 8e6),
    Stock("EMBR", 129.35, 1.10, 0.0145, 11e6),
    Stock("FJRD", 310.20, 1.00, 0.0125, 6e6),
    Stock("GLOW", 154.80, 1.20, 0.0155, 12e6),
    Stock("HELX", 88.45, 1.05, 0.0150, 10e6),
    Stock("IRIS", 203.10, 1.15, 0.0135, 9e6),
    Stock("JUNE", 117.60, 0.80, 0.0115, 7e6),
    Stock("KITE", 275.90, 1.40, 0.0170, 18e6),
    Stock("LUMA", 143.25, 1.30, 0.0160, 13e6),
    Stock("MOSS", 74.30, 0.70, 0.0110, 8e6),
    Stock("NOVA", 192.75, 1.25, 0.0160, 16e6),
    Stock("OPAL", 106.40, 0.85, 0.0120, 9e6),
    Stock("PYRE", 62.85, 1.10, 0.0165, 15e6),
    Stock("QUIL", 228.60, 0.95, 0.0125, 6e6),
    Stock("RUNE", 135.95, 1.15, 0.0145, 10e6),
    Stock("SAGE", 167.20, 0.80, 0.0115, 7e6),
    Stock("TIDE", 352.50, 1.05, 0.0130, 5e6),
)


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


def make_demo_market(
    cache: BarsCache,
    progress: Callable[[float, str], None] = lambda share, note: None,
    seed: int = SEED,
    sessions: int = 120,
    edges: EdgeSettings | None = None,
) -> DemoOutcome:
    """Make the demo market and write it to the cache, all of it or nothing.

    `progress` is told the share done (0 to 1) and what is being done. The same seed and number of sessions give the same bytes.
    Raises `CacheUnwritable` where the folder can't be written, `MixedBars` where it holds the person's own bars of SPY or VIX.
    """
    progress(0.02, "reading the exchange calendar")
    calendar = trading_sessions(LAST_SESSION - timedelta(days=(sessions + HISTORY_SESSIONS) * 2), LAST_SESSION)
    calendar = calendar.tail(sessions + HISTORY_SESSIONS)
    traded = calendar.tail(sessions)
    lengths = (traded["close_minute"] - traded["open_minute"]).to_list()
    progress(0.15, f"playing {sessions} sessions of {len(DEMO_STOCKS)} stocks")
    market = simulate(list(DEMO_STOCKS), lengths, HISTORY_SESSIONS, seed, edges or EdgeSettings())
    minutes = _minute_stamps(traded, lengths)
    with cache.batch() as batch:
        for number, stock in enumerate(DEMO_STOCKS):
            progress(0.5 + 0.45 * number / len(DEMO_STOCKS), f"writing {stock.ticker}")
            _write(batch, stock.ticker, TIMEFRAME, minutes, market.stocks, number, traded)
        _write(batch, MARKET_TICKER, TIMEFRAME, minutes, market.market, 0, traded)
        days = calendar["open_at"].alias("timestamp")
        past = market.market_history
        whole = _with_traded_days(past, market.market, lengths)
        _write(batch, MARKET_TICKER, DAILY, days, whole, None, calendar)
        _write(batch, VIX_TICKER, DAILY, days, market.vix, None, calendar)
    progress(1.0, "the demo market is ready")
    first_session, last_session = traded["session"].to_list()[0], traded["session"].to_list()[-1]
    tickers = tuple(stock.ticker for stock in DEMO_STOCKS)
    return DemoOutcome(tickers, TIMEFRAME, MARKET_TICKER, VIX_TICKER, first_session, last_session, DEMO_EDGES)


def _minute_stamps(traded: pl.DataFrame, lengths: list[int]) -> pl.Series:
    opens = traded["open_at"].to_physical().to_numpy()
    stamps = np.concatenate([start + np.arange(length) * 60_000_000 for start, length in zip(opens, lengths, strict=True)])
    return pl.Series("timestamp", stamps).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _write(
    batch: CacheBatch, ticker: str, timeframe: str, stamps: pl.Series, path: Path | DailyPath, row: int | None, schedule: pl.DataFrame
) -> None:
    values = {name: getattr(path, name) if row is None else getattr(path, name)[row] for name in VALUES}
    batch.write(ticker, timeframe, pl.DataFrame({"timestamp": stamps, **values}), SYNTHETIC_SOURCE, schedule=schedule)


def _with_traded_days(past: DailyPath, market: Path, lengths: list[int]) -> DailyPath:
    """The market's daily bars: those of its history, then those its minutes add up to."""
    ends = np.cumsum(lengths)
    starts = ends - np.array(lengths)
    return DailyPath(
        np.concatenate([past.open, market.open[0][starts]]),
        np.concatenate([past.high, np.maximum.reduceat(market.high[0], starts)]),
        np.concatenate([past.low, np.minimum.reduceat(market.low[0], starts)]),
        np.concatenate([past.close, market.close[0][ends - 1]]),
        np.concatenate([past.volume, np.add.reduceat(market.volume[0], starts)]),
    )
