"""What a backtest hands back: frames, funnel, metrics and a fingerprint over every bit of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from lab.backtest.metrics import Metrics


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The outcome of one strategy on one frame and one account.

    All `*_at` columns name a bar by the start of it: a signal exists at the end of its `signal_at` bar, a fill lies within its bar.
    """

    trades: pl.DataFrame
    """In order of entry: ticker, direction, signal_at, entry_at, exit_at, entry_price, exit_price, shares, pnl (dollars, after costs),
    costs (dollars), r_multiple (pnl over the dollars at risk from fill to stop), mae_r (<= 0) and mfe_r (>= 0): worst and best
    unrealised price move in the same unit before costs, bars_held, exit_reason, stop, target (null for none), score,
    session (of the entry)."""
    skips: pl.DataFrame
    """In order of signal: ticker, direction, signal_at, reason."""
    equity: pl.DataFrame
    """session, equity: dollars at each session's close, flat days included."""
    funnel: dict[str, int]
    """"signals", "trades", then each skip reason that occurred; signals = trades + skips."""
    metrics: Metrics
    fingerprint: str
    """SHA-256 over trades, skips and equity: another value means another result."""
    engine_version: str


def fingerprint(*frames: pl.DataFrame) -> str:
    """SHA-256 over names, types and raw little-endian values of all columns; independent of platform and Polars' own hashing."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"{frame.width} x {frame.height}\n".encode())
        for name in frame.columns:
            column = frame[name]
            digest.update(f"{name} {column.dtype}\n".encode())
            if column.dtype.is_numeric() or column.dtype.is_temporal():
                values = column.to_physical()
                kind = "<f8" if values.dtype.is_float() else "<i8"
                digest.update(values.is_null().to_numpy().tobytes())
                digest.update(values.fill_null(0).to_numpy().astype(np.dtype(kind)).tobytes())
            else:
                for text in column.to_list():
                    encoded = str(text).encode()
                    digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return digest.hexdigest()
