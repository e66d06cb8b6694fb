"""The Parquet files an iteration leaves beside the database: its signals, trades, skips, daily equity and the benchmarks'."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.views import TradeRow

if TYPE_CHECKING:
    import polars as pl

LEVELS, REGIMES = "levels.parquet", "regimes.parquet"
SIGNALS, TRADES, SKIPS, EQUITY = "signals.parquet", "trades.parquet", "skips.parquet", "equity.parquet"
BENCHMARKS = "benchmarks.parquet"
"""Columns benchmark (its name), session, equity: what a dollar in it was worth."""


def folder_of(results: Path, iteration_id: int) -> Path:
    return results / f"iteration-{iteration_id}"


def write_output(folder: Path, name: str, frame: pl.DataFrame) -> None:
    """Write so that a reader sees the whole file or none: an interrupted step leaves no half-written table behind."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def read_trades(results: Path, iteration_id: int) -> list[TradeRow]:
    """The trades of an iteration in order of entry; empty before its backtest has finished."""
    folder = folder_of(results, iteration_id)
    if not (folder / TRADES).exists():
        return []
    columns = list(TradeRow.__dataclass_fields__)
    return [TradeRow(**row) for row in read_output(folder, TRADES).sort("entry_at", "ticker").select(columns).iter_rows(named=True)]
