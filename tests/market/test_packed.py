"""Packed bars give the very bits of the Parquet file they were made of, stand for no other, and are made again when they are broken."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.market import BarsCache, DamagedBars
from lab.market import packed as packing
from lab.market.bars import BARS_SCHEMA
from lab.market.manifest import CachedFile
from lab.market.packed import SUFFIX, keep_packed, place_packed, read_packed, state_of
from tests.market.conftest import walk

SPAN = (date(2023, 11, 1), date(2024, 2, 29))
FIRST_DAY = date(2024, 1, 2)

CENTS = st.integers(-(10**6), 10**6).map(lambda whole: whole / 100)
NUMBERS = st.one_of(st.lists(CENTS, min_size=1, max_size=6), st.lists(st.floats(), min_size=1, max_size=6))
STEPS = st.one_of(st.integers(0, 10**6).map(lambda minutes: minutes * 60_000_000), st.integers(0, 2**45))
WHOLE = st.integers(-(2**15), 2**15 - 1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files just written are packed as well."""
    monkeypatch.setattr(packing, "SETTLED_SECONDS", -1.0)


@pytest.fixture
def filled(cache: BarsCache) -> BarsCache:
    """Two years of AAPL with early and late bars; MSFT."""
    bars = walk(*SPAN, minutes=30)
    early = bars.with_columns(pl.col("timestamp") - pl.duration(hours=7))
    with cache.batch() as batch:
        batch.write("AAPL", "30m", pl.concat([early, bars]), "test")
        batch.write("MSFT", "30m", walk(*SPAN, minutes=30, seed=2), "test")
    return cache


def packed_files(cache: BarsCache) -> list[Path]:
    return sorted(cache.folder.rglob(f"*{SUFFIX}"))


def bits(frame: pl.DataFrame) -> list[bytes]:
    return [column.to_physical().to_numpy().tobytes() for column in frame.iter_columns()]


@given(st.data(), NUMBERS, st.lists(STEPS, min_size=6, max_size=6), st.lists(WHOLE, min_size=6, max_size=6))
def test_every_value_comes_back_to_the_bit_whatever_it_is(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, numbers: list[float], steps: list[int], whole: list[int]
) -> None:
    folder, count = tmp_path_factory.mktemp("bars"), len(numbers)
    days = sorted(data.draw(st.lists(st.integers(0, 400), min_size=count, max_size=count)))
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series(sorted(steps[:count])).cast(BARS_SCHEMA["timestamp"]),
            **{name: data.draw(st.permutations(numbers)) for name in ("open", "high", "low", "close")},
            "volume": numbers,
            "session": [FIRST_DAY + timedelta(days=day) for day in days],
            "minute": whole[:count],
            "close_minute": whole[-count:],
        },
        schema={name: kind for name, kind in BARS_SCHEMA.items() if name != "ticker"},
    )
    (folder / "2024.parquet").write_bytes(b"")
    at = datetime(2024, 1, 2, tzinfo=UTC)
    file = CachedFile("2024.parquet", 2024, count, at, at, "made up")
    keep_packed(folder, file, frame, state_of(folder / file.path))
    first, last = (FIRST_DAY + timedelta(days=data.draw(st.integers(0, 400))) for _ in range(2))
    for since, until in ((None, None), (first, last), (None, last), (first, None)):
        inside = frame["session"].is_between(since or date.min, until or date.max)
        found = read_packed(folder, file, since, until)
        assert found is not None
        assert found.schema == frame.schema
        assert bits(found) == bits(frame.filter(inside))
        room = {column.name: np.zeros(count + 1, dtype=column.to_physical().to_numpy().dtype) for column in frame.iter_columns()}
        assert place_packed(folder, file, since, until, room, 1) == found.height
        assert [column[1 : 1 + found.height].tobytes() for column in room.values()] == bits(found)


def test_what_is_read_is_the_same_with_packed_bars_and_needs_no_parquet(filled: BarsCache, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        (["AAPL", "MSFT"], "30m", None, None),
        (["MSFT", "AAPL"], "30m", date(2023, 12, 29), date(2024, 1, 2)),
        (["AAPL"], "1h", date(2024, 2, 1), None),
        (["AAPL", "MSFT"], "1d", None, date(2024, 1, 31)),
    ]
    before = [filled.read(*one) for one in asked]
    assert len(packed_files(filled)) == 4
    extended = filled.read(["AAPL"], "30m", extended=True)
    assert extended.height > before[0].filter(pl.col("ticker") == "AAPL").height

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a Parquet file was read")

    monkeypatch.setattr(pl, "read_parquet", refuse)
    for one, frame in zip(asked, before, strict=True):
        found = filled.read(*one)
        assert found.schema == frame.schema
        assert found.equals(frame)


def test_broken_packed_bars_are_never_read_and_made_again(filled: BarsCache) -> None:
    good = filled.read(["AAPL", "MSFT"], "30m")
    rng = np.random.default_rng(7)
    whole = {path: path.read_bytes() for path in packed_files(filled)}
    for number in range(60):
        path = packed_files(filled)[number % 4]
        broken = bytearray(whole[path])
        if number % 3:
            broken[int(rng.integers(len(broken)))] ^= 1 << int(rng.integers(8))
        else:
            del broken[int(rng.integers(len(broken))) :]
        path.write_bytes(bytes(broken))
        assert filled.read(["AAPL", "MSFT"], "30m").equals(good)
        assert path.read_bytes() == whole[path]
        if number % 10 == 0:
            path.unlink()
            assert filled.read(["AAPL", "MSFT"], "30m").equals(good)
            assert path.read_bytes() == whole[path]


def test_a_parquet_file_that_was_touched_is_checked_itself(filled: BarsCache) -> None:
    good = filled.read(["MSFT"], "30m")
    (path,) = filled.folder.glob("30m/MSFT/2024-*.parquet")
    content = path.read_bytes()
    path.write_bytes(content)
    assert filled.read(["MSFT"], "30m").equals(good), "the same content again"
    path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    with pytest.raises(DamagedBars, match="MSFT for 2024 are damaged"):
        filled.read(["MSFT"], "30m")
    with pytest.raises(DamagedBars, match="set aside"):
        filled.read(["MSFT"], "30m")


def test_packed_bars_stand_for_no_file_that_is_gone(filled: BarsCache) -> None:
    filled.read(["MSFT"], "30m")
    (path,) = filled.folder.glob("30m/MSFT/2024-*.parquet")
    path.unlink()
    with pytest.raises(DamagedBars, match="are missing"):
        filled.read(["MSFT"], "30m")


def test_packed_bars_go_with_the_file_they_were_made_of(filled: BarsCache) -> None:
    filled.read(["AAPL", "MSFT"], "30m")
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in packed_files(filled))
    changed = walk(*SPAN, minutes=30, seed=3)
    filled.write("MSFT", "30m", changed, "test")
    assert {path.parent.name for path in packed_files(filled)} == {"AAPL"}
    assert filled.read(["MSFT"], "30m").select(changed.columns).equals(changed)


def test_a_file_just_written_is_not_packed_yet(filled: BarsCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SETTLED_SECONDS", 60.0)
    filled.read(["AAPL"], "30m")
    assert packed_files(filled) == []


def test_where_packed_bars_can_not_be_written_bars_are_read_all_the_same(filled: BarsCache, monkeypatch: pytest.MonkeyPatch) -> None:
    good = filled.read(["AAPL"], "30m")
    for path in packed_files(filled):
        path.unlink()
    files = sorted(filled.folder.rglob("*"))
    real = os.open

    def full(path: str | Path, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", full)
    assert filled.read(["AAPL"], "30m").equals(good)
    assert sorted(filled.folder.rglob("*")) == files
