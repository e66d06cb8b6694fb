"""Ten million made-up 1-minute bars, and an import of them in a process of its own whose memory is measured."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from lab.market import trading_sessions

TICKERS = [f"T{number:02}" for number in range(20)]
MOST_IMPORT_KIB = 2 * 1024 * 1024

# Of the process itself: what `getrusage` gives holds its parent's memory from before the program was loaded.
_IMPORT = """
    import re, sys, time
    from pathlib import Path
    from lab.market import BarsCache, import_file, inspect_file
    began = time.perf_counter()
    plan = inspect_file(Path(sys.argv[1]))
    looked = time.perf_counter()
    outcome = import_file(BarsCache(Path(sys.argv[2])), plan)
    peak_kib = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    print(outcome.rows, looked - began, time.perf_counter() - looked, peak_kib)
"""


def minutes() -> pl.Series:
    """The minutes of five years of sessions: 489,210."""
    spans = trading_sessions(date(2018, 1, 2), date(2022, 12, 30)).select("open_at", "close_at").iter_rows()
    return pl.concat([pl.datetime_range(opening, close, "1m", closed="left", time_unit="us", eager=True) for opening, close in spans])


def random_bars(stamps: pl.Series, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    price = np.round(100 * np.exp(np.cumsum(rng.standard_normal(stamps.len()) * 0.0005)), 2)
    volume = np.round(rng.lognormal(9, 1, stamps.len()))
    close = np.round(price + 0.01, 2)
    return pl.DataFrame({"timestamp": stamps, "open": price, "high": price + 0.02, "low": price - 0.02, "close": close, "volume": volume})


def ten_million_rows(path: Path) -> Path:
    """A CSV file of 600 MB at the path: 21 tickers, 10.3 million rows."""
    stamps = minutes()
    local = stamps.dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m-%d %H:%M:%S")
    with path.open("wb") as file:
        for seed, ticker in enumerate([*TICKERS, "T20"]):
            bars = random_bars(stamps, seed).with_columns(local.alias("timestamp"), pl.lit(ticker).alias("ticker"))
            bars.write_csv(file, include_header=seed == 0, float_precision=2)
    return path


def import_elsewhere(path: Path, folder: Path) -> tuple[int, float, float, int]:
    """Import a file in a fresh process: rows, seconds to look at it, seconds to import it, peak memory in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_IMPORT), str(path), str(folder)], capture_output=True, text=True, check=True
    )
    rows, looked, imported, peak_kib = done.stdout.split()
    return int(rows), float(looked), float(imported), int(peak_kib)
