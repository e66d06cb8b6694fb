"""What a backtest hands back: frames, funnel, metrics and a fingerprint over every bit of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from lab.backtest.logs import Frames
    from lab.backtest.metrics import Metrics


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The outcome of one strategy on one frame and one account.

    All `*_at` columns name a bar by the start of it: a signal exists at the end of its `signal_at` bar, a fill lies within its bar.
    """

    frames: Frames
    """Trades, fills and skips: made when one of them is asked for first."""
    equity: pl.DataFrame
    """session, equity: dollars at each session's close, flat days included."""
    funnel: dict[str, int]
    """"signals", "trades", then each skip reason that occurred; signals = trades + skips."""
    metrics: Metrics
    engine_version: str
    interest_paid: float = 0.0
    """Dollars, on what the account owed; not part of any trade's costs."""

    @property
    def trades(self) -> pl.DataFrame:
        """In order of entry: ticker, direction, signal_at, entry_at, exit_at, entry_price, exit_price, shares, pnl (dollars, after
        costs), costs (dollars), r_multiple (pnl over the dollars at risk from fill to stop), mae_r (<= 0) and mfe_r (>= 0): worst and
        best unrealised price move in the same unit before costs, bars_held, exit_reason, stop (the first), target (the first; null
        for none), score, session (of the entry), exits (how many fills it left in), hung_on_order (whether an exit was decided by
        assuming the worse order of prices within a bar). Of several exits, exit_price is the mean by shares, exit_at and exit_reason
        those of the last."""
        return self.frames.trades

    @property
    def fills(self) -> pl.DataFrame:
        """In order of trade, the entry first: trade (row of `trades`), at, price, shares, costs (dollars; of an exit with its part of
        the borrowing), reason ("entry", else an exit reason)."""
        return self.frames.fills

    @property
    def skips(self) -> pl.DataFrame:
        """In order of ticker and signal: ticker, direction, signal_at, reason."""
        return self.frames.skips

    @property
    def fingerprint(self) -> str:
        """SHA-256 over trades, fills, skips and equity: another value means another result."""
        return fingerprint(self.trades, self.fills, self.skips, self.equity.select("session", "equity"))

    @property
    def hung_on_order(self) -> float | None:
        """The share of trades an exit of which was decided by assuming the worse order of prices within a bar; None without trades."""
        return float(self.trades["hung_on_order"].to_numpy().mean()) if self.trades.height else None


def fingerprint(*frames: pl.DataFrame) -> str:
    """SHA-256 over names, types and raw little-endian values of all columns; independent of platform and Polars' own hashing."""
    import polars as pl

    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"{frame.width} x {frame.height}\n".encode())
        for name in frame.columns:
            column = frame[name]
            digest.update(f"{name} {column.dtype}\n".encode())
            if column.dtype.is_numeric() or column.dtype.is_temporal():
                values = column.to_physical()
                kind = "<f8" if values.dtype.is_float() else "<i8"
                if values.null_count():
                    digest.update(values.is_null().to_numpy().tobytes())
                    values = values.fill_null(0)
                else:
                    digest.update(bytes(len(values)))
                digest.update(values.to_numpy().astype(np.dtype(kind), copy=False).tobytes())
            elif column.dtype == pl.Boolean:
                digest.update(column.to_numpy().tobytes())
            else:
                # Texts repeat: each distinct one once, in order of the alphabet, then which of them stands where.
                known = column.unique().sort()
                for text in known.to_list():
                    encoded = str(text).encode()
                    digest.update(len(encoded).to_bytes(4, "little") + encoded)
                codes = column.cast(pl.Enum(known)).to_physical()
                digest.update(codes.to_numpy().astype("<u4").tobytes())
    return digest.hexdigest()
