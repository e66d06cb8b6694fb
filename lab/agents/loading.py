"""The bars of a slice with what strategies read of their context: the one way to them for every job."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    import polars as pl

    from lab.agents.jobs import BarsSlice
    from lab.backtest.finer import FinerBars
    from lab.market.news import NewsFiles
    from lab.script import Strategy


def market_bars(bars: BarsSlice, *strategies: Strategy) -> pl.DataFrame:
    """The slice's bars with the context that any of the strategies reads.

    Tickers they look at by `of` without trading them are there too, told apart by the column `traded`: evaluate strategies on the
    frame, and take `lab.script.traded_bars` of what comes out. What is usually read stays in memory from one call to the next.

    Raises:
        LabError: bars are missing, those of a ticker looked at among them, or damaged.
    """
    from lab.market.context import USUAL_CONTEXT

    others = others_of(bars, *strategies)
    fields = {name for strategy in strategies for name in strategy.required_fields}
    more = tuple(sorted(fields.difference(USUAL_CONTEXT)))
    frame = _usual(bars, others)
    return frame.hstack(context_columns(bars, more, others)) if more else frame


def evaluated_bars(bars: BarsSlice, strategy: Strategy) -> pl.DataFrame:
    """The slice's own bars with the strategy's columns, those of tickers it only looks at taken out again."""
    from lab.script import traded_bars

    return traded_bars(strategy.evaluate(market_bars(bars, strategy)))


def others_of(bars: BarsSlice, *strategies: Strategy) -> tuple[str, ...]:
    """The tickers that strategies look at and the slice does not trade."""
    return tuple(sorted({ticker for strategy in strategies for ticker in strategy.required_tickers}.difference(bars.tickers)))


def others_fingerprint(bars: BarsSlice, *strategies: Strategy) -> str:
    """SHA-256 of the bars of the tickers only looked at, which the slice's own fingerprint knows nothing of; empty without any."""
    from lab.market import BarsCache

    others = others_of(bars, *strategies)
    if not others:
        return ""
    found = BarsCache(Path(bars.folder)).fingerprint(others, bars.timeframe, bars.first, bars.last)
    return sha256(f"{others} {found}".encode()).hexdigest()


@lru_cache(maxsize=1)
def finer_bars(bars: BarsSlice) -> FinerBars | None:
    """The shortest bars cached of the slice's tickers on its sessions, which settle what came first within its own; None without any."""
    from lab.backtest.finer import FinerBars
    from lab.market import BarsCache
    from lab.market.timeframes import timeframe_minutes

    timeframe, tickers = _finer(bars)
    if not tickers:
        return None
    return FinerBars(BarsCache(Path(bars.folder)).read(tickers, timeframe, bars.first, bars.last), timeframe_minutes(bars.timeframe))


def finer_fingerprint(bars: BarsSlice) -> str:
    """SHA-256 of the bars of `finer_bars`; empty without any."""
    from lab.market import BarsCache

    timeframe, tickers = _finer(bars)
    return BarsCache(Path(bars.folder)).fingerprint(tickers, timeframe, bars.first, bars.last) if tickers else ""


def _finer(bars: BarsSlice) -> tuple[str, list[str]]:
    """The timeframe below the slice's own on which most of its tickers are cached, the shorter of equals, and those tickers."""
    from lab.market import BarsCache
    from lab.market.timeframes import timeframe_minutes

    own, wanted = timeframe_minutes(bars.timeframe), set(bars.tickers)
    found: dict[str, list[str]] = {}
    for series in BarsCache(Path(bars.folder)).coverage():
        if series.ticker in wanted and timeframe_minutes(series.timeframe) < own:
            found.setdefault(series.timeframe, []).append(series.ticker)
    if not found:
        return "", []
    return min(found.items(), key=lambda one: (-len(one[1]), timeframe_minutes(one[0])))


def forget_bars() -> None:
    """Let go of what is kept in memory."""
    _usual.cache_clear()
    context_columns.cache_clear()
    finer_bars.cache_clear()


@lru_cache(maxsize=1)
def _usual(bars: BarsSlice, others: tuple[str, ...]) -> pl.DataFrame:
    from lab.market.context import USUAL_CONTEXT

    return _load(bars, others, USUAL_CONTEXT)


@lru_cache(maxsize=1)
def context_columns(bars: BarsSlice, names: tuple[str, ...], others: tuple[str, ...] = ()) -> list[pl.Series]:
    """Columns of context (of `CONTEXT_SCHEMA` and `KNOWN_AT`), row by row beside the slice's bars."""
    return _load(bars, others, names).select(names).get_columns()


def beside_bars(bars: BarsSlice, names: Collection[str]) -> list[pl.Series]:
    """As `context_columns`, but for once: nothing of it is kept in memory."""
    return _load(bars, (), tuple(names)).select(names).get_columns()


def _load(bars: BarsSlice, others: tuple[str, ...], columns: tuple[str, ...]) -> pl.DataFrame:
    from lab.market import BarsCache, load_market

    return load_market(
        BarsCache(Path(bars.folder)),
        list(bars.tickers),
        bars.timeframe,
        bars.first,
        bars.last,
        market_ticker=bars.market_ticker,
        vix_ticker=bars.vix_ticker,
        others=others,
        news=_news(bars),
        columns=columns,
    )


def _news(bars: BarsSlice) -> NewsFiles | None:
    from lab.market.news import NewsFiles

    if not bars.news:
        return None
    files = NewsFiles(Path(bars.news))
    if not files.there:
        raise LabError(f"The files of the news in {bars.news} are gone; `lab universes show NAME` writes them anew.")
    return files
