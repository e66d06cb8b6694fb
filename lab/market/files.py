"""CSV and Parquet files with bars: what they hold, and reading them."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path

import polars as pl

from lab.market.bars import PRICES, VALUES
from lab.market.columns import HOW, map_columns
from lab.market.errors import UnreadableFile
from lab.market.numbers import commas_are_points, numbers
from lab.market.timeframes import DAILY, timeframe_minutes
from lab.market.times import check_zone, find_format, find_timeframe, find_zone, parse_times, to_utc

_SEPARATORS = (",", ";", "\t", "|")
_HEAD_BYTES = 65_536
_SAMPLE_ROWS = 5
_AROUND_TICKERS = " \t\r\n\u00a0\u200b\ufeff\"'"


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
    """Only these are imported."""
    rows: int
    sample: tuple[tuple[str, ...], ...]
    """The first rows as text, in the order of `file_columns`."""
    comma_is_point: bool = False
    """Prices are written 101,25."""
    assumptions: tuple[str, ...] = ()
    """What was read into the file, each with the reason, as sentences: its zone, timeframe, order of day and month."""


def inspect_file(
    path: Path, columns: Mapping[str, str] | None = None, time_zone: str | None = None, timeframe: str | None = None
) -> FilePlan:
    """Find out what a file holds: kind, separator, columns, times, zone, timeframe, tickers.

    `columns`, `time_zone` and `timeframe` are the person's corrections; of `columns` those given are enough ("" for one that is
    not there), the rest is recognised. Nothing is written. Raises `UnreadableFile`, with what is wrong and what to do, for
    anything that is not bars.
    """
    path = Path(path).expanduser()
    kind, separator = _kind(path)
    names = _column_names(path, kind, separator)
    mapping = map_columns(path.name, names, columns or {})
    raw = _read_columns(path, kind, separator, mapping)
    if raw.is_empty():
        raise UnreadableFile(f"{path.name} has column names but no rows: there is nothing to import.")
    if "time" in mapping and not (columns or {}).get("time") and not _is_date_alone(raw[mapping["timestamp"]]):
        # A clock beside a column that already holds date and time says nothing new.
        del mapping["time"]
    times = _times(raw, mapping)
    form = find_format(times, path.name) if times.dtype == pl.String else None
    parsed = _parsed(times, form.name if form else "", path.name)
    tickers = _tickers(raw, mapping, path)
    bar = _timeframe(pl.DataFrame({"ticker": tickers, "at": parsed}), path, timeframe)
    comma_is_point = commas_are_points([raw[mapping[name]] for name in PRICES], separator)
    if time_zone is not None:
        check_zone(time_zone)
    if parsed.dtype != pl.Datetime("us"):
        zone, reason = "UTC", "the file's times say their zone"
    elif time_zone is not None:
        zone, reason = time_zone, "chosen by you"
    else:
        volume = numbers(raw[mapping["volume"]], comma_is_point) if "volume" in mapping else pl.repeat(1.0, raw.height, eager=True)
        found = find_zone(parsed, volume, bar == DAILY)
        zone, reason = found.name, found.reason
    chosen = "chosen by you" if timeframe is not None else "most days have one bar" if bar == DAILY else "the usual step between bars"
    return FilePlan(
        path=path,
        kind=kind,
        separator=separator,
        columns=mapping,
        file_columns=names,
        time_format=form.name if form else "",
        time_zone=zone,
        time_zone_reason=reason,
        timeframe=bar,
        tickers=tuple(sorted(tickers.drop_nulls().unique().to_list())),
        rows=raw.height,
        sample=_sample(path, kind, separator),
        comma_is_point=comma_is_point,
        assumptions=(
            *((f"Dates: {form.reason}.",) if form and form.reason else ()),
            f"Time zone: {zone} ({reason}).",
            f"Timeframe: {bar} ({chosen}).",
            *(("Decimals: prices such as 101,25 are read as 101.25.",) if comma_is_point else ()),
            *((f"Ticker: {tickers[0]}, after the file's name, since no column names the stock.",) if "ticker" not in mapping else ()),
        ),
    )


def read_bars(plan: FilePlan) -> pl.DataFrame:
    """The rows of the plan's tickers, and those that name none, as `ticker` and the columns of `RAW_SCHEMA`.

    In the file's order; null where a value can't be read.
    """
    raw = _read_columns(plan.path, plan.kind, plan.separator, plan.columns)
    parsed = _parsed(_times(raw, plan.columns), plan.time_format, plan.path.name)
    values = {name: numbers(raw[plan.columns[name]], plan.comma_is_point) for name in VALUES if name in plan.columns}
    ticker = pl.col("ticker")
    return pl.DataFrame(
        {
            "ticker": _tickers(raw, plan.columns, plan.path),
            "timestamp": to_utc(parsed, plan.time_zone, plan.timeframe == DAILY),
            **values,
            **({} if "volume" in values else {"volume": pl.zeros(raw.height, pl.Float64, eager=True)}),
        }
    ).filter(ticker.is_null() | ticker.is_in(plan.tickers))


def _timeframe(times: pl.DataFrame, path: Path, chosen: str | None) -> str:
    if chosen is None:
        return find_timeframe(times, path.name)
    timeframe_minutes(chosen)
    return chosen


def _is_date_alone(column: pl.Series) -> bool:
    """Whether the column holds dates without a clock, so that a time beside it belongs to it."""
    if column.dtype == pl.Date:
        return True
    if isinstance(column.dtype, pl.Datetime):
        return bool((column.drop_nulls().dt.time() == time()).all())
    texts = column.cast(pl.String).str.strip_chars().drop_nulls().head(50)
    return not bool(texts.str.contains(r":|T\d|\d{9,}|\d{8}\s+\d").any())


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
        raise UnreadableFile(f"{path.name} is neither a CSV nor a whole Parquet file. {HOW}")
    return FileKind.CSV, _separator(path, head)


def _encoding(path: Path) -> str:
    """UTF-8, or what spreadsheets in western Europe write where the file isn't that."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    try:
        # The last bytes may be half a letter.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        # Unlike the code page it stands for it has a letter for every byte, so that no later byte can fail.
        return "latin-1"
    return "utf8-lossy"


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
        raise UnreadableFile(f"{path.name} is not a CSV or Parquet file with bars: its lines don't have the same columns. {HOW}")
    return best


def _column_names(path: Path, kind: FileKind, separator: str) -> tuple[str, ...]:
    try:
        if kind is FileKind.PARQUET:
            return tuple(pl.read_parquet_schema(path))
        head = pl.read_csv(path, separator=separator, infer_schema=False, n_rows=0, encoding=_encoding(path))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _broken(path, kind, error) from error
    names = tuple(head.columns)
    if any(re.fullmatch(r"\s*[-+]?\d[\d.,:/\- ]*\s*", name) for name in names):
        raise UnreadableFile(
            f"{path.name} has no column names in its first line. Add a line such as "
            f"{separator.join(('ticker', 'timestamp', 'open', 'high', 'low', 'close', 'volume'))} and import again."
        )
    return names


def _read_columns(path: Path, kind: FileKind, separator: str, mapping: Mapping[str, str]) -> pl.DataFrame:
    wanted = list(dict.fromkeys(mapping.values()))
    try:
        if kind is FileKind.PARQUET:
            return pl.read_parquet(path, columns=wanted)
        return pl.read_csv(path, separator=separator, infer_schema=False, columns=wanted, encoding=_encoding(path))
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
        day = times.dt.date() if isinstance(times.dtype, pl.Datetime) else times
        times = day.cast(pl.String).str.strip_chars() + " " + raw[mapping["time"]].cast(pl.String).str.strip_chars()
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
    raise UnreadableFile(f"{file} has a time column of the type {times.dtype}, which holds no times. {HOW}")


def _tickers(raw: pl.DataFrame, mapping: Mapping[str, str], path: Path) -> pl.Series:
    if "ticker" in mapping:
        written = raw[mapping["ticker"]].cast(pl.String).str.strip_chars(_AROUND_TICKERS)
        # Small letters inside mean something (BACpB is a preferred share), but no ticker is in small letters, or begins a word.
        small = ~written.str.contains(r"[A-Z]") | written.str.contains(r"^[A-Z][a-z]{2,}$")
        written = written.zip_with(~small.fill_null(False), written.str.to_uppercase())
        return written.set((written == "").fill_null(False), None).alias("ticker")
    # A file of one stock is named after it: "aapl_1h.csv", "SPY.csv", "brk.b-daily.csv".
    found = re.match(r"[A-Za-z0-9^]+(\.[A-Za-z]\b)?", path.stem)
    name = found.group(0).upper() if found else "IMPORT"
    return pl.repeat(name, raw.height, dtype=pl.String, eager=True).alias("ticker")


def _sample(path: Path, kind: FileKind, separator: str) -> tuple[tuple[str, ...], ...]:
    if kind is FileKind.PARQUET:
        rows = pl.read_parquet(path, n_rows=_SAMPLE_ROWS)
    else:
        rows = pl.read_csv(path, separator=separator, infer_schema=False, n_rows=_SAMPLE_ROWS, encoding=_encoding(path))
    return tuple(tuple("" if value is None else str(value) for value in row) for row in rows.iter_rows())
