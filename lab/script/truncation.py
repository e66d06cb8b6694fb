"""The look-ahead check: what a strategy computes on bars cut at t must equal what it computes on all bars, up to t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl


class Evaluates(Protocol):
    """Anything that adds columns to a bars frame, such as `Strategy`."""

    def evaluate(self, frame: pl.DataFrame) -> pl.DataFrame: ...


@dataclass(frozen=True, slots=True)
class Violation:
    """A value that changed when later bars were taken away."""

    column: str
    ticker: str
    timestamp: datetime
    """Start of the first bar whose value differs."""
    cut: int | datetime
    full: object
    """The value with all bars."""
    truncated: object
    """The value with the bars up to the cut only."""


def truncation_check(strategy: Evaluates, frame: pl.DataFrame, cuts: Sequence[int | datetime]) -> tuple[Violation, ...]:
    """Every added column, compared over its whole prefix at each cut; empty when nothing looks ahead.

    Args:
        strategy: what computes the columns.
        frame: bars of any number of tickers, sorted by ticker and time.
        cuts: each either a number of bars (the first so many of every ticker are kept; of a strategy that looks across tickers the first
            so many moments of all) or a time (bars starting at or before it are kept).

    Returns:
        At most one violation for each cut, column and ticker, the earliest. Values are compared to the bit.
    """
    import polars as pl

    full = strategy.evaluate(frame)
    added = [name for name in full.columns if name not in frame.columns]
    found: list[Violation] = []
    # Cut by their own counts, one ticker's bars would end before another's: no moment ever looked so.
    across = getattr(strategy, "across_tickers", False)
    moment = frame["timestamp"].rank("dense").cast(pl.Int64) if across else None
    for cut in cuts:
        if isinstance(cut, datetime):
            keep = frame.select(pl.col("timestamp") <= cut).to_series()
        elif moment is not None:
            keep = moment <= cut
        else:
            keep = frame.select(pl.int_range(pl.len()).over("ticker") < cut).to_series()
        before = full.filter(keep)
        if len(before) and not set(getattr(strategy, "required_tickers", ())) <= set(before["ticker"].unique()):
            # Before a ticker's first bar there is nothing to read of it yet.
            continue
        after = strategy.evaluate(frame.filter(keep))
        for name in added:
            if before[name].equals(after[name]):
                continue
            pair = pl.DataFrame(
                {"ticker": before["ticker"], "timestamp": before["timestamp"], "full": before[name], "truncated": after[name]}
            )
            wrong = pair.filter(~pl.col("full").eq_missing(pl.col("truncated"))).unique("ticker", keep="first", maintain_order=True)
            found += [Violation(name, ticker, timestamp, cut, one, other) for ticker, timestamp, one, other in wrong.iter_rows()]
    return tuple(found)
