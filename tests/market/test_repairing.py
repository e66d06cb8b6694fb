"""Looking after the cache: damage is found and named, a lost list is made anew from the files, and nothing damaged comes back."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import BarsCache, DamagedBars
from lab.market.manifest import NAME
from tests.market.conftest import walk

SPAN = (date(2022, 11, 1), date(2024, 2, 29))
SPLIT = date(2023, 3, 1)
BARS = walk(*SPAN)
DAY = pl.col("timestamp").dt.date()


@pytest.fixture
def filled(cache: BarsCache) -> BarsCache:
    """Two sources of AAPL with a split applied, and one of BRK.B."""
    with cache.batch() as batch:
        batch.write("AAPL", "1h", BARS.filter(date(2024, 1, 1) > DAY), "old.csv")
        batch.apply_split("AAPL", SPLIT, 2.0)
        batch.append("AAPL", "1h", BARS.filter(date(2024, 1, 1) <= DAY), "polygon")
        batch.write("BRK.B", "1h", BARS, "brk.csv")
    return cache


def flip(path: Path, place: int = 2000) -> None:
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 0x10
    path.write_bytes(bytes(content))


def test_damage_names_the_source_of_the_year_and_progress_reaches_its_end(filled: BarsCache) -> None:
    for year in (2023, 2024):
        (path,) = filled.folder.glob(f"1h/AAPL/{year}-*.parquet")
        flip(path)
    told: list[float] = []
    damages = filled.verify(lambda share, note: told.append(share))
    assert [(one.ticker, one.year, one.sources) for one in damages] == [("AAPL", 2023, ("old.csv",)), ("AAPL", 2024, ("polygon",))]
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert [one.year for one in filled.verify()] == [2023, 2024], "it stays said until the bars are back"
    assert next(row for row in filled.coverage() if row.ticker == "AAPL").damaged_years == (2023, 2024)


def test_a_list_that_is_whole_is_left_alone(filled: BarsCache, tmp_path: Path) -> None:
    before = (filled.folder / NAME).read_bytes()
    assert filled.rebuild() is None
    assert (filled.folder / NAME).read_bytes() == before
    assert BarsCache(tmp_path / "nothing").rebuild() is None


@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_or_damaged_list_is_made_anew_from_the_files(filled: BarsCache, lost: bool) -> None:
    good = {row.ticker: filled.read([row.ticker], "1h") for row in filled.coverage()}
    if lost:
        (filled.folder / NAME).unlink()
    else:
        flip(filled.folder / NAME)
        with pytest.raises(DamagedBars, match="Run `lab data repair`"):
            filled.coverage()
    made = filled.rebuild()
    assert made is not None
    assert (made.series, made.files, made.left_out) == (2, 6, ())
    assert all(filled.read([ticker], "1h").equals(bars) for ticker, bars in good.items())
    row = next(row for row in filled.coverage() if row.ticker == "AAPL")
    assert [span.source for span in row.spans] == ["old.csv", "old.csv", "polygon"]
    assert [(split.session, split.ratio) for split in row.splits] == [(SPLIT, 2.0)]
    assert filled.apply_split("AAPL", SPLIT, 2.0) == (), "what the bars are adjusted for outlives the list"
    assert "made anew" in row.problems[0]


def test_a_damaged_file_does_not_come_back_with_a_new_list(filled: BarsCache) -> None:
    rng = np.random.default_rng(3)
    (path,) = filled.folder.glob("1h/AAPL/2023-*.parquet")
    content = path.read_bytes()
    for number in range(40):
        flip(path, int(rng.integers(len(content)))) if number % 2 else path.write_bytes(content[: int(rng.integers(len(content)))])
        (filled.folder / NAME).unlink()
        made = filled.rebuild()
        assert made is not None
        assert len(made.left_out) == 1
        assert filled.read(["AAPL"], "1h")["session"].dt.year().unique().to_list() == [2022, 2024]
        path.write_bytes(content)
    (row,) = (row for row in filled.coverage() if row.ticker == "AAPL")
    assert row.problems[1] == "There is no file for 2023: not filled."


def test_of_two_files_of_one_year_that_a_crash_left_the_later_written_counts(filled: BarsCache) -> None:

    (older,) = filled.folder.glob("1h/AAPL/2024-*.parquet")
    content = older.read_bytes()
    filled.append("AAPL", "1h", BARS.tail(3).with_columns(volume=pl.lit(5.0)), "polygon")
    older.write_bytes(content)
    os.utime(older, (1, 1))
    (filled.folder / NAME).unlink()
    filled.rebuild()
    assert filled.read(["AAPL"], "1h")["volume"].to_list()[-3:] == [5.0, 5.0, 5.0]
