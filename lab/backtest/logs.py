"""What a run wrote down, as the frames of trades, fills and skips: made when somebody asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.backtest.metrics import TradeFigures
from lab.backtest.reading import entry_order
from lab.backtest.reasons import Direction, ExitReason, SkipReason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.backtest.bars import Bars, Bools, Floats, Ints
    from lab.backtest.signals import Signals

TIME = pl.Datetime("us", "UTC")
TRADE_SCHEMA: dict[str, pl.DataType] = {
    "ticker": pl.String(),
    "direction": pl.String(),
    "signal_at": TIME,
    "entry_at": TIME,
    "exit_at": TIME,
    "entry_price": pl.Float64(),
    "exit_price": pl.Float64(),
    "shares": pl.Float64(),
    "pnl": pl.Float64(),
    "costs": pl.Float64(),
    "r_multiple": pl.Float64(),
    "mae_r": pl.Float64(),
    "mfe_r": pl.Float64(),
    "bars_held": pl.Int64(),
    "exit_reason": pl.String(),
    "stop": pl.Float64(),
    "target": pl.Float64(),
    "score": pl.Float64(),
    "session": pl.Date(),
    "exits": pl.Int64(),
    "hung_on_order": pl.Boolean(),
}
SKIP_SCHEMA: dict[str, pl.DataType] = {"ticker": pl.String(), "direction": pl.String(), "signal_at": TIME, "reason": pl.String()}
FILL_SCHEMA: dict[str, pl.DataType] = {
    "trade": pl.Int64(),
    "at": TIME,
    "price": pl.Float64(),
    "shares": pl.Float64(),
    "costs": pl.Float64(),
    "reason": pl.String(),
}
ENTRY = "entry"
_FEW = 64
"""Entries at one moment that are put in order one by one."""
_DIRECTIONS = pl.Series([str(Direction.LONG), str(Direction.SHORT)])
_SKIPS = pl.Series([str(reason) for reason in SkipReason])
_FILLS = pl.Series([ENTRY, *(str(reason) for reason in ExitReason)])


@dataclass(frozen=True)
class Log:
    """Trades, fills and skips as the loop writes them (see `loop.pyi` for the rows of each array)."""

    bars: Bars
    signals: Signals
    skip: NDArray[np.uint8]
    interest: Floats
    trade_rows: Ints
    trade_values: Floats
    fill_rows: Ints
    fill_values: Floats

    @cached_property
    def order(self) -> Ints:
        """The trades' places in order of entry, then ticker."""
        ticker, entry_row = self.trade_rows[1], self.trade_rows[3]
        order = entry_order(self.bars.at, entry_row, ticker, _FEW)
        return np.lexsort((ticker, self.bars.at[entry_row])) if order is None else order

    def figures(self) -> TradeFigures:
        """What the metrics are measured by, in the order of `trades`."""
        order = self.order
        entry, exit_, shares, pnl, costs, r, mae, mfe, _ = self.trade_values.take(order, axis=1)
        return TradeFigures(
            pnl=pnl,
            costs=costs,
            r_multiple=r,
            mae_r=mae,
            mfe_r=mfe,
            dealt=shares * (entry + exit_),
            bars_held=self.trade_rows[5, order],
            exit_at=self.bars.at[self.trade_rows[4, order]],
        )

    def trades(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Trades in order of entry, then ticker, and their fills."""
        signal, ticker, signal_row, entry_row, exit_row, held, reason, hung, _ = self.trade_rows
        order = self.order
        entry, exit_, shares, pnl, costs, r, mae, mfe, stop = self.trade_values[:, order]
        signals, bars = self.signals, self.bars
        signal, entry_row = signal[order], entry_row[order]
        target: Any = np.full(len(order), np.nan) if not len(signals.target) else signals.target[0, signal]
        fills, counts = self._fills(order)
        columns: dict[str, Any] = {
            "ticker": pl.Series(bars.tickers, dtype=pl.String).gather(ticker[order]),
            "direction": _DIRECTIONS.gather(signals.is_short[signal]),
            "signal_at": self._times(signal_row[order]),
            "entry_at": self._times(entry_row),
            "exit_at": self._times(exit_row[order]),
            "entry_price": entry,
            "exit_price": exit_,
            "shares": shares,
            "pnl": pnl,
            "costs": costs,
            "r_multiple": r,
            "mae_r": mae,
            "mfe_r": mfe,
            "bars_held": held[order],
            "exit_reason": _FILLS.gather(reason[order] + 1),
            "stop": stop,
            "target": pl.Series(np.where(np.isfinite(target), target, np.nan)).fill_nan(None),
            "score": signals.score[signal],
            "session": pl.Series(bars.sessions[bars.session_of(entry_row)].astype(np.int32), dtype=pl.Int32).cast(pl.Date),
            "exits": counts - 1,
            "hung_on_order": hung[order].astype(np.bool_),
        }
        return pl.DataFrame({name: columns[name] for name in TRADE_SCHEMA}, schema=TRADE_SCHEMA), fills

    def _fills(self, order: Ints) -> tuple[pl.DataFrame, Ints]:
        """The fills of trades in a new order, and how many each trade has."""
        trade, row, reason = self.fill_rows
        counts = np.bincount(trade, minlength=len(order))
        firsts = (np.cumsum(counts) - counts)[order]
        counts = counts[order]
        ends = np.cumsum(counts)
        places = np.repeat(firsts - ends + counts, counts) + np.arange(len(trade))
        price, shares, costs = self.fill_values[:, places]
        columns: dict[str, Any] = {
            "trade": np.repeat(np.arange(len(order)), counts),
            "at": self._times(row[places]),
            "price": price,
            "shares": shares,
            "costs": costs,
            "reason": _FILLS.gather(reason[places] + 1),
        }
        return pl.DataFrame(columns, schema=FILL_SCHEMA), counts

    def skips(self, without_price: pl.DataFrame) -> pl.DataFrame:
        """Skips in order of ticker, then signal; with the signals on bars without usable prices."""
        found: Bools = self.skip > 0
        rows = self.signals.row[found]
        met = pl.DataFrame(
            {
                "ticker": pl.Series(self.bars.tickers, dtype=pl.String).gather(self.bars.ticker_of(rows)),
                "direction": _DIRECTIONS.gather(self.signals.is_short[found]),
                "signal_at": self._times(rows),
                "reason": _SKIPS.gather(self.skip[found] - 1),
            },
            schema=SKIP_SCHEMA,
        )
        if not without_price.height:
            return met
        unusable = without_price.select(
            "ticker", "direction", pl.col("signal_at").cast(TIME), pl.lit(str(SkipReason.NO_PRICE)).alias("reason")
        )
        return pl.concat([met, unusable]).sort("ticker", "signal_at", "direction")

    def funnel(self, without_price: int) -> dict[str, int]:
        """Signals, trades, then how many were skipped for each reason, the most frequent first."""
        counts = np.bincount(self.skip, minlength=len(SkipReason) + 1)
        reasons = list(SkipReason)
        met = {str(reason): int(counts[place]) for place, reason in enumerate(reasons, start=1)}
        met[SkipReason.NO_PRICE] += without_price
        ordered = sorted(((count, reason) for reason, count in met.items() if count), key=lambda one: (-one[0], one[1]))
        return {"signals": len(self.skip) + without_price, "trades": self.trade_rows.shape[1]} | {
            reason: count for count, reason in ordered
        }

    def _times(self, rows: Ints) -> pl.Series:
        return pl.Series(self.bars.at[rows], dtype=pl.Int64).cast(TIME)


class Frames:
    """The frames of trades, fills and skips: made of the log when one is asked for first; another process gets them made."""

    def __init__(self, log: Log, without_price: pl.DataFrame) -> None:
        self._log = log
        self._without_price = without_price

    def __getstate__(self) -> dict[str, Any]:
        return {"_dealt": self._dealt, "skips": self.skips}

    @property
    def trades(self) -> pl.DataFrame:
        return self._dealt[0]

    @property
    def fills(self) -> pl.DataFrame:
        return self._dealt[1]

    @cached_property
    def skips(self) -> pl.DataFrame:
        return self._log.skips(self._without_price)

    @cached_property
    def _dealt(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        return self._log.trades()
