"""A year's regular bars packed beside its Parquet file: read without decoding, and made again from that file whenever need be.

The Parquet file stays what counts. Its packed bars stand for it only while it is, by its size and times, the very file they were made
of, and only where their own checksum holds; else the Parquet file is read, under its own checksum, and packed anew.

A packed file is the XXH3 checksum (128 bits) of the rest, a line of JSON, and the columns one after another. A column is kept as the
smallest whole numbers from which its values follow to the bit: seconds and days counted from the first, prices in cents.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xxhash

from lab.market.bars import BARS_SCHEMA
from lab.market.spreading import spread_decimals, spread_whole, whole_decimals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.market.manifest import CachedFile

    Columns = Mapping[str, NDArray[Any]]

SUFFIX = ".packed"
ARRAYS: dict[pl.DataType, Any] = {
    pl.Float64(): np.float64,
    pl.Int16(): np.int16,
    pl.Date(): np.int32,
    BARS_SCHEMA["timestamp"]: np.int64,
    pl.Boolean(): np.bool_,
}
"""How the values of a column stand in an array."""

_SCHEMA = {name: kind for name, kind in BARS_SCHEMA.items() if name != "ticker"}
_FORMAT = 1
_CHECKSUM_BYTES = 16
SETTLED_SECONDS = 2.0
"""A file that was changed within this time may be changed again without its times telling, so coarsely do some file systems count."""
_LEAST_FREE_BYTES = 2_000_000_000
_DIVISORS = (1, 100, 10_000)
_UNITS = (60_000_000, 1_000_000, 1)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells a file from what it was before: its size, and when it was changed, in nanoseconds."""

    size: int
    modified_ns: int
    changed_ns: int

    @property
    def settled(self) -> bool:
        """Whether any later change would show."""
        return time.time() - self.changed_ns / 1e9 > SETTLED_SECONDS


@dataclass(frozen=True, slots=True)
class _Packed:
    """One column: its values are `stored * unit + base`, prices and volumes `stored / unit`."""

    stored: NDArray[Any]
    base: int
    unit: int

    def spread(self, out: NDArray[Any], first: int, last: int) -> None:
        """The values of the rows from `first` to before `last`."""
        stored = self.stored[first:last]
        if stored.dtype.itemsize == 8:
            out[:] = stored
        elif out.dtype.kind == "f":
            spread_decimals(stored, out, self.unit)
        else:
            spread_whole(stored.view(np.uint8), out.view(np.uint8), last - first, self.unit, self.base)


def state_of(path: Path) -> FileState:
    """Raises OSError."""
    found = path.stat()
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def place_packed(folder: Path, file: CachedFile, first: date | None, last: date | None, columns: Columns, start: int) -> int | None:
    """Write the packed bars of a cached file in the sessions from `first` to `last` into the columns, from the row `start` on.

    Returns how many there are, None where no packed bars stand for the file; raises OSError where the file itself is not there.
    """
    return _with_packed(
        folder, file, first, last, lambda height: {name: column[start : start + height] for name, column in columns.items()}
    )


def read_packed(folder: Path, file: CachedFile, first: date | None, last: date | None) -> pl.DataFrame | None:
    """As `place_packed`, as a frame of its own."""
    made: dict[str, NDArray[Any]] = {}

    def fresh(height: int) -> Columns:
        made.update({name: np.empty(height, dtype=ARRAYS[kind]) for name, kind in _SCHEMA.items()})
        return made

    if _with_packed(folder, file, first, last, fresh) is None:
        return None
    return pl.DataFrame({name: pl.Series(values).cast(_SCHEMA[name]) for name, values in made.items()})


def keep_packed(folder: Path, file: CachedFile, bars: pl.DataFrame, state: FileState) -> None:
    """Pack the regular bars just read from a cached file that was in that state before. Where that can't be done, it is left."""
    if bars.is_empty() or not state.settled or any(column.null_count() for column in bars.iter_columns()):
        return
    packed = {name: _pack(bars[name].to_physical().to_numpy()) for name in _SCHEMA}
    body = _body(file, state, bars.height, packed)
    path = _path(folder, file)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with suppress(OSError):
        space = os.statvfs(path.parent)
        if space.f_bavail * space.f_frsize < _LEAST_FREE_BYTES + len(body):
            return
        try:
            # Nothing is made durable: what a cut of power leaves of it is found by its checksum.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(xxhash.xxh3_128_digest(body))
                out.write(body)
            os.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _with_packed(folder: Path, file: CachedFile, first: date | None, last: date | None, room: Callable[[int], Columns]) -> int | None:
    """Fill the columns that `room` gives for so many rows; the number of rows, or None."""
    state = state_of(folder / file.path)
    try:
        content = memoryview(_path(folder, file).read_bytes())
    except OSError:
        return None
    if xxhash.xxh3_128_digest(content[_CHECKSUM_BYTES:]) != content[:_CHECKSUM_BYTES]:
        return None
    packed = _columns(content, file, state)
    if packed is None:
        return None
    begin, end = _rows(packed["session"], first, last)
    columns = room(end - begin)
    for name, out in columns.items():
        packed[name].spread(out, begin, end)
    return end - begin


def _rows(session: _Packed, first: date | None, last: date | None) -> tuple[int, int]:
    """Which rows lie in the sessions from `first` to `last`."""
    begin, end = 0, len(session.stored)
    if first is not None or last is not None:
        days = np.empty(end, dtype=np.int32)
        session.spread(days, 0, end)
        if first is not None:
            begin = int(np.searchsorted(days, first.toordinal() - _EPOCH, side="left"))
        if last is not None:
            end = max(begin, int(np.searchsorted(days, last.toordinal() - _EPOCH, side="right")))
    return begin, end


def _pack(values: NDArray[Any]) -> _Packed:
    if values.dtype.kind == "f":
        return _packed_decimals(values)
    offset = values.astype(np.int64)
    base = int(offset.min())
    offset -= base
    units = _UNITS if values.dtype.itemsize == 8 else (1,)
    unit = next(unit for unit in units if unit == 1 or not (offset % unit).any())
    if unit != 1:
        offset //= unit
    most = int(offset.max())
    kind = next((kind for kind in ("<u1", "<u2", "<u4") if most <= np.iinfo(kind).max), None)
    return _Packed(values.astype("<i8"), 0, 1) if kind is None else _Packed(offset.astype(kind), base, unit)


def _packed_decimals(values: NDArray[np.float64]) -> _Packed:
    """As whole cents or the like, where dividing them gives every value back to the bit."""
    values, stored = np.ascontiguousarray(values), np.empty(len(values), dtype=np.int32)
    for divisor in _DIVISORS:
        if whole_decimals(values, stored, divisor):
            return _Packed(stored.astype("<i4", copy=False), 0, divisor)
    return _Packed(values.astype("<f8", copy=False), 0, 1)


def _body(file: CachedFile, state: FileState, rows: int, packed: Mapping[str, _Packed]) -> bytes:
    head = {
        "format": _FORMAT,
        "sha256": file.sha256,
        "state": [state.size, state.modified_ns, state.changed_ns],
        "rows": rows,
        "columns": {name: [column.stored.dtype.str, column.base, column.unit] for name, column in packed.items()},
    }
    parts = [json.dumps(head).encode() + b"\n", *(column.stored.tobytes() for column in packed.values())]
    return b"".join(part + bytes(-len(part) % 8) for part in parts)


def _columns(content: memoryview, file: CachedFile, state: FileState) -> dict[str, _Packed] | None:
    """The columns in a packed file's checked content, None where it is of another file, another state of it or another format."""
    line = bytes(content[_CHECKSUM_BYTES : _CHECKSUM_BYTES + 4096]).partition(b"\n")[0]
    head = json.loads(line)
    if head["format"] != _FORMAT or head["sha256"] != file.sha256 or FileState(*head["state"]) != state:
        return None
    at = _CHECKSUM_BYTES + len(line) + 1
    found = {}
    for name, (kind, base, unit) in head["columns"].items():
        at += -(at - _CHECKSUM_BYTES) % 8
        stored = np.frombuffer(content, dtype=kind, count=head["rows"], offset=at)
        found[name] = _Packed(stored, base, unit)
        at += stored.nbytes
    return found


def _path(folder: Path, file: CachedFile) -> Path:
    return (folder / file.path).with_suffix(SUFFIX)
