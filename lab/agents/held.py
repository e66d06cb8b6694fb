"""What doing nothing clever made on the same sessions, after the same costs, and what it explains of a result."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.comparing import returns_of

if TYPE_CHECKING:
    import polars as pl

    from lab.agents.jobs import BarsSlice
    from lab.backtest import Costs, MarketModel


def benchmarks_of(bars: BarsSlice, evaluated: pl.DataFrame, costs: Costs) -> pl.DataFrame:
    """What a dollar in the market, and one in all tickers alike, was worth on the frame's sessions: benchmark, session, equity."""
    import polars as pl

    from lab.backtest import buy_and_hold_equity
    from lab.market import BarsCache, load_market

    found = []
    if bars.market_ticker is not None:
        cache = BarsCache(Path(bars.folder))
        timeframe = bars.timeframe if cache.has(bars.market_ticker, bars.timeframe) else "1d"
        first = evaluated["session"].min()
        since = first if isinstance(first, date) else bars.first
        market = load_market(cache, [bars.market_ticker], timeframe, since, bars.last, columns=())
        name = _held_market(bars.market_ticker)
        found.append(buy_and_hold_equity(market, [bars.market_ticker], costs, 1.0).select(pl.lit(name).alias("benchmark"), pl.all()))
    # A ticker may begin to trade only after the learning span.
    held = evaluated["ticker"].unique().to_list()
    own = buy_and_hold_equity(evaluated, held, costs, 1.0)
    found.append(own.select(pl.lit(f"equal-weight universe ({len(held)})").alias("benchmark"), pl.all()))
    return pl.concat(found)


def total_returns(benchmarks: pl.DataFrame) -> dict[str, float]:
    """Benchmark -> its total return."""
    return {str(name): float(curve["equity"][-1]) - 1.0 for (name,), curve in benchmarks.group_by("benchmark", maintain_order=True)}


def against_market(market_ticker: str | None, equity: pl.DataFrame, benchmarks: pl.DataFrame) -> MarketModel | None:
    """Alpha and beta of an account against holding the market, on the sessions that both have; None without a market."""
    import polars as pl

    from lab.backtest import daily_returns, market_model

    if market_ticker is None:
        return None
    held = benchmarks.filter(pl.col("benchmark") == _held_market(market_ticker))
    market = held.select("session", pl.Series("market", daily_returns(held, 1.0)))
    both = equity.select("session", returns_of(equity).alias("own")).join(market, on="session")
    return market_model(both["own"].to_numpy(), both["market"].to_numpy())


def _held_market(ticker: str) -> str:
    return f"buy and hold {ticker}"
