"""CSV and Parquet files with bars: what they hold, and reading them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import polars as pl

from lab.market.bars import PRICES, VALUES
from lab.market.errors import UnreadableFile
from lab.market.timeframes import DAILY
from lab.market.times import find_format, find_timeframe, find_zone, parse_times, to_utc

_ALIASES: dict[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "datetime", "date", "windowstart", "time", "t", "ts", "bartime", "opentime", "starttime", "start"),
    "time": ("time", "hour"),
    "ticker": ("ticker", "symbol", "sym", "instrument", "ric", "name", "underlyingsymbol"),
    "open": ("open", "o", "openprice", "first"),
    "high": ("high", "h", "highprice", "max"),
    "low": ("low", "l", "lowprice", "min"),
    "close": ("close", "c", "closeprice", "last", "price", "closelast"),
    "volume": ("volume", "v", "vol", "shares", "totalvolume", "qty"),
}
_SEPARATORS = (",", ";", "\t", "|")
_HEAD_BYTES = 65_536
_SAMPLE_ROWS = 5
_HOW = "The lab needs columns for the time, open, high, low and close, and best a ticker and a volume."


class FileKind(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How a file will be read, shown for correction before anything is written."""

    path: Path
    kind: FileKind
    separator: str
    """Between the fields of a CSV file; empty for Parquet."""
    columns: Mapping[str, str]
    """Our name ("timestamp", "open"…, "ticker", "time" where date and time stand apart) -> the file's column."""
    file_columns: tuple[str, ...]
    time_format: str
    """Of written times (see `lab.market.times.find_format`); empty where the file holds real times."""
    time_zone: str
    time_zone_reason: str
    timeframe: str
    tickers: tuple[str, ...]
    rows: int
    sample: tuple[tuple[str, ...], ...]
    """The first rows as text, in the order of `file_columns`."""


def inspect_file(path: Path, columns: Mapping[str, str] | None = None, time_zone: str | None = None) -> FilePlan:
    """Find out what a file holds: kind, separator, columns, times, zone, timeframe, tickers.

    `columns` and `time_zone` are the person's corrections of an earlier look. Nothing is written. Raises `UnreadableFile`, with
    what is wrong and what to do, for anything that is not bars.
    """
    path = Path(path).expanduser()
    kind, separator = _kind(path)
    names = _column_names(path, kind, separator)
    mapping = dict(columns) if columns is not None else _map_columns(path, names)
    _check_mapping(path, mapping, names)
    raw = _read_columns(path, kind, separator, mapping)
    if raw.is_empty():
        raise UnreadableFile(f"{path.name} has column names but no rows: there is nothing to import.")
    times = _times(raw, mapping)
    form = find_format(times, path.name) if times.dtype == pl.String else ""
    parsed = _parsed(times, form, path.name)
    tickers = _tickers(raw, mapping, path)
    timeframe = find_timeframe(pl.DataFrame({"ticker": tickers, "at": parsed}), path.name)
    naive = parsed.dtype == pl.Datetime("us")
    if time_zone is not None:
        zone, reason = time_zone, "chosen by you"
    elif naive:
        volume = _numbers(raw[mapping["volume"]], separator) if "volume" in mapping else pl.repeat(1.0, raw.height, eager=True)
        found = find_zone(parsed, volume, timeframe == DAILY)
        zone, reason = found.name, found.reason
    else:
        zone, reason = "UTC", "the file's times say their zone"
    return FilePlan(
        path=path,
        kind=kind,
        separator=separator,
        columns=mapping,
        file_columns=names,
        time_format=form,
        time_zone=zone,
        time_zone_reason=reason,
        timeframe=timeframe,
        tickers=tuple(sorted(tickers.drop_nulls().unique().to_list())),
        rows=raw.height,
        sample=_sample(path, kind, separator),
    )


def read_bars(plan: FilePlan) -> pl.DataFrame:
    """All rows of the file as `ticker` and the columns of `RAW_SCHEMA`, in the file's order; null where a value can't be read."""
    raw = _read_columns(plan.path, plan.kind, plan.separator, plan.columns)
    parsed = _parsed(_times(raw, plan.columns), plan.time_format, plan.path.name)
    values = {name: _numbers(raw[plan.columns[name]], plan.separator) for name in VALUES if name in plan.columns}
    return pl.DataFrame(
        {
            "ticker": _tickers(raw, plan.columns, plan.path),
            "timestamp": to_utc(parsed, plan.time_zone, plan.timeframe == DAILY),
            **values,
            **({} if "volume" in values else {"volume": pl.zeros(raw.height, pl.Float64, eager=True)}),
        }
    )


def _kind(path: Path) -> tuple[FileKind, str]:
    if path.is_dir():
        raise UnreadableFile(f"{path} is a folder: import its files one by one.")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise UnreadableFile(f"There is no file {path}.") from None
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read ({error.strerror}).") from error
    if not head.strip():
        raise UnreadableFile(f"{path.name} is empty: there is nothing to import.")
    if head.startswith(b"PAR1"):
        return FileKind.PARQUET, ""
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        raise UnreadableFile(f"{path.name} is compressed: unpack it and import the CSV or Parquet file inside.")
    if b"\0" in head or path.suffix.lower() in (".parquet", ".pq"):
        raise UnreadableFile(f"{path.name} is neither a CSV nor a whole Parquet file. {_HOW}")
    return FileKind.CSV, _separator(path, head)


def _separator(path: Path, head: bytes) -> str:
    lines = [line for line in head.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    if not lines:
        raise UnreadableFile(f"{path.name} is empty: there is nothing to import.")
    if len(head) == _HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]
    best = max(_SEPARATORS, key=lambda one: lines[0].count(one))
    fields = [len(row) for row in csv.reader(lines[:50], delimiter=best)]
    alike = sum(1 for count in fields if count == fields[0]) / len(fields)
    # Some vendors write their names as <TICKER>,<DATE>; a web page saved by mistake starts with a bracket too.
    markup = lines[0].lstrip()[:1] in ("<", "{", "[") and not lines[0].split(best)[0].strip().endswith(">")
    if fields[0] < 2 or alike < 0.8 or markup:
        raise UnreadableFile(f"{path.name} is not a CSV or Parquet file with bars: its lines don't have the same columns. {_HOW}")
    return best


def _column_names(path: Path, kind: FileKind, separator: str) -> tuple[str, ...]:
    try:
        if kind is FileKind.PARQUET:
            return tuple(pl.read_parquet_schema(path))
        head = pl.read_csv(path, separator=separator, infer_schema=False, n_rows=0, encoding="utf8-lossy")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _broken(path, kind, error) from error
    names = tuple(head.columns)
    if any(re.fullmatch(r"\s*[-+]?\d[\d.,:/\- ]*\s*", name) for name in names):
        raise UnreadableFile(
            f"{path.name} has no column names in its first line. Add a line such as "
            f"{separator.join(('ticker', 'timestamp', 'open', 'high', 'low', 'close', 'volume'))} and import again."
        )
    return names


def _map_columns(path: Path, names: Sequence[str]) -> dict[str, str]:
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in reversed(names)}
    mapping: dict[str, str] = {}
    for ours, aliases in _ALIASES.items():
        taken = set(mapping.values())
        match = next((plain[alias] for alias in aliases if alias in plain and plain[alias] not in taken), None)
        if match is not None:
            mapping[ours] = match
    # A clock beside a column that already holds date and time says nothing new.
    if "time" in mapping and "date" not in re.sub(r"[^a-z]", "", mapping["timestamp"].lower()):
        del mapping["time"]
    if not any(name in mapping for name in PRICES):
        found = ", ".join(names[:12]) + ("…" if len(names) > 12 else "")
        raise UnreadableFile(f"{path.name} has no column with prices; its columns are {found}. {_HOW}")
    return mapping


def _check_mapping(path: Path, mapping: Mapping[str, str], names: Sequence[str]) -> None:
    absent = [name for name in mapping.values() if name not in names]
    if absent:
        raise UnreadableFile(f"{path.name} has no column “{absent[0]}”; its columns are {', '.join(names)}.")
    if "timestamp" not in mapping:
        raise UnreadableFile(f"{path.name} has no column with the time of the bars; its columns are {', '.join(names)}. {_HOW}")
    missing = [name for name in PRICES if name not in mapping]
    if missing:
        raise UnreadableFile(f"{path.name} has no column for {' and '.join(missing)}; its columns are {', '.join(names)}. {_HOW}")


def _read_columns(path: Path, kind: FileKind, separator: str, mapping: Mapping[str, str]) -> pl.DataFrame:
    wanted = list(dict.fromkeys(mapping.values()))
    try:
        if kind is FileKind.PARQUET:
            return pl.read_parquet(path, columns=wanted)
        return pl.read_csv(path, separator=separator, infer_schema=False, columns=wanted, encoding="utf8-lossy")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _broken(path, kind, error) from error


def _broken(path: Path, kind: FileKind, error: BaseException) -> UnreadableFile:
    if isinstance(error, OSError) and not isinstance(error, pl.exceptions.PolarsError) and error.strerror:
        return UnreadableFile(f"{path} can't be read ({error.strerror}).")
    what = "a whole Parquet file" if kind is FileKind.PARQUET else "a CSV file whose lines all have the same columns"
    first_line = str(error).strip().splitlines()[0][:160] if str(error).strip() else "its content is damaged"
    return UnreadableFile(f"{path.name} is not {what}: {first_line}. Export it again and import the new file.")


def _times(raw: pl.DataFrame, mapping: Mapping[str, str]) -> pl.Series:
    times = raw[mapping["timestamp"]]
    if "time" in mapping:
        times = times.cast(pl.String) + " " + raw[mapping["time"]].cast(pl.String)
    return times.cast(pl.String) if times.dtype.is_numeric() else times


def _parsed(times: pl.Series, form: str, file: str) -> pl.Series:
    """Times as microseconds: naive where the file doesn't say their zone, else UTC."""
    if form:
        return parse_times(times, form)
    if times.dtype == pl.Date:
        return times.cast(pl.Datetime("us"))
    if isinstance(times.dtype, pl.Datetime):
        zone = times.dtype.time_zone
        return times.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC")) if zone else times.cast(pl.Datetime("us"))
    raise UnreadableFile(f"{file} has a time column of the type {times.dtype}, which holds no times. {_HOW}")


def _tickers(raw: pl.DataFrame, mapping: Mapping[str, str], path: Path) -> pl.Series:
    if "ticker" in mapping:
        written = raw[mapping["ticker"]].cast(pl.String).str.strip_chars()
        return written.set(written == "", None).alias("ticker")
    # A file of one stock is named after it: "aapl_1h.csv", "SPY.csv", "brk.b-daily.csv".
    found = re.match(r"[A-Za-z0-9^]+(\.[A-Za-z]\b)?", path.stem)
    name = found.group(0).upper() if found else "IMPORT"
    return pl.repeat(name, raw.height, dtype=pl.String, eager=True).alias("ticker")


def _numbers(column: pl.Series, separator: str) -> pl.Series:
    if column.dtype != pl.String:
        return column.cast(pl.Float64, strict=False)
    texts = column.str.strip_chars().str.strip_prefix("$")
    if texts.str.contains(",", literal=True).any():
        # With semicolons between fields a comma is the decimal point; otherwise it parts thousands.
        comma_is_point = separator == ";"
        texts = texts.str.replace_all("." if comma_is_point else ",", "", literal=True).str.replace(",", ".", literal=True)
    return texts.cast(pl.Float64, strict=False)


def _sample(path: Path, kind: FileKind, separator: str) -> tuple[tuple[str, ...], ...]:
    if kind is FileKind.PARQUET:
        rows = pl.read_parquet(path, n_rows=_SAMPLE_ROWS)
    else:
        rows = pl.read_csv(path, separator=separator, infer_schema=False, n_rows=_SAMPLE_ROWS, encoding="utf8-lossy")
    return tuple(tuple("" if value is None else str(value) for value in row) for row in rows.iter_rows())
