"""Bars laid down once for several processes, which map the same files into their memory instead of each reading the cache."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_NAMES = "tickers.parquet"
_TIMES = ("timestamp", "session")


def lay_down(frame: pl.DataFrame, folder: Path) -> None:
    """Write the bars, sorted by ticker, as a file a column; what was in the folder before is replaced."""
    import numpy as np
    import polars as pl

    remove(folder)
    folder.mkdir(mode=0o700, parents=True)
    for name, kind in frame.schema.items():
        if name == "ticker":
            runs = frame[name].rle().struct.unnest()
            runs.write_parquet(folder / _NAMES)
        elif name in _TIMES:
            np.save(folder / f"{name}.npy", frame[name].to_physical().to_numpy())
        elif kind in (pl.Int16, pl.Boolean):
            np.save(folder / f"{name}.npy", frame[name].to_numpy())
        else:
            # What is missing is not-a-number here, as it is for whatever computes with it.
            np.save(folder / f"{name}.npy", frame[name].cast(pl.Float64).to_numpy())


def mapped(folder: Path) -> pl.DataFrame:
    """The bars laid down in a folder; their numbers are pages of its files, which all processes share."""
    import numpy as np
    import polars as pl

    runs = pl.read_parquet(folder / _NAMES)
    parts = [pl.repeat(name, length, dtype=pl.String, eager=True) for length, name in runs.iter_rows()]
    columns = {"ticker": pl.concat(parts, rechunk=True) if parts else pl.Series([], dtype=pl.String)}
    for file in sorted(folder.glob("*.npy")):
        values = pl.Series(np.asarray(np.load(file, mmap_mode="r")))
        kinds: dict[str, pl.DataType] = {"timestamp": pl.Datetime("us", "UTC"), "session": pl.Date()}
        columns[file.stem] = values.cast(kinds[file.stem]) if file.stem in kinds else values
    return pl.DataFrame(columns)


def remove(folder: Path) -> None:
    """Take the files away; processes that have them mapped keep them until they let go."""
    rmtree(folder, ignore_errors=True)
