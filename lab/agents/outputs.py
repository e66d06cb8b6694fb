"""The Parquet files an iteration leaves beside the database: its signals, trades, fills, skips, daily equity and the benchmarks'."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.views import FillRow, TradeRow

if TYPE_CHECKING:
    import polars as pl

LEVELS, REGIMES = "levels.parquet", "regimes.parquet"
SIGNALS, TRADES, SKIPS, EQUITY = "signals.parquet", "trades.parquet", "skips.parquet", "equity.parquet"
FILLS = "fills.parquet"
BENCHMARKS = "benchmarks.parquet"
"""Columns benchmark (its name), session, equity: what a dollar in it was worth."""


def folder_of(results: Path, iteration_id: int) -> Path:
    return results / f"iteration-{iteration_id}"


def write_output(folder: Path, name: str, frame: pl.DataFrame) -> None:
    """Write so that a reader sees the whole file or none: an interrupted step leaves no half-written table behind."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(f".{name}.*"):  # by a process that was killed while it wrote this table
        left.unlink(missing_ok=True)
    unfinished = folder / f".{name}.{os.getpid()}"
    try:
        frame.write_parquet(unfinished)
        unfinished.chmod(0o600)
        unfinished.replace(folder / name)
    finally:
        unfinished.unlink(missing_ok=True)


def read_output(folder: Path, name: str) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(folder / name)


def explained_trades(folder: Path) -> pl.DataFrame:
    """The trades in their order, each with what was known at its signal."""
    signals = read_output(folder, SIGNALS).rename({"timestamp": "signal_at"})
    return read_output(folder, TRADES).join(signals, on=["ticker", "signal_at", "direction"], how="left", maintain_order="left")


def read_trades(results: Path, iteration_id: int) -> list[TradeRow]:
    """The trades of an iteration in order of entry; empty before its backtest has finished."""
    folder = folder_of(results, iteration_id)
    if not (folder / TRADES).exists():
        return []
    columns = list(TradeRow.__dataclass_fields__)
    return [TradeRow(**row) for row in read_output(folder, TRADES).sort("entry_at", "ticker").select(columns).iter_rows(named=True)]


def read_fills(results: Path, iteration_id: int) -> list[FillRow]:
    """The fills of an iteration's trades, in their order; empty before its backtest has finished, or where it is older than this file."""
    import polars as pl

    folder = folder_of(results, iteration_id)
    if not (folder / FILLS).exists():
        return []
    traded = read_output(folder, TRADES).select("ticker", "direction").with_row_index("trade")
    fills = read_output(folder, FILLS).join(traded.cast({"trade": pl.Int64}), on="trade", how="left", maintain_order="left")
    rows = fills.with_columns(pl.col("trade") + 1).select(list(FillRow.__dataclass_fields__))
    return [FillRow(**row) for row in rows.iter_rows(named=True)]
