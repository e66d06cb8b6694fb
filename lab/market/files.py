"""Files with bars: what they hold, how sure that is, and reading them piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

import polars as pl

from lab.market.bars import PRICES, RAW_SCHEMA, VALUES
from lab.market.columns import HOW, map_columns
from lab.market.errors import UnreadableFile
from lab.market.layouts import Layout, stooq_ticker
from lab.market.numbers import commas_are_points, numbers
from lab.market.tables import FileKind, Table, find_tables
from lab.market.timeframes import DAILY, timeframe_minutes
from lab.market.times import Form, check_times, check_zone, find_format, find_timeframe, find_zone, parse_times, to_utc, without_zone_names

_SAMPLE_ROWS = 5
_WHOLE_ROWS = 1_000_000
"""So many rows are looked at whole; of what follows the first of each piece, and that every time can be read."""
_PIECE_ROWS = 20_000
_AROUND_TICKERS = " \t\r\n\u00a0\u200b\ufeff\"'"
_SURE = 0.9


@dataclass(frozen=True, slots=True)
class Guess:
    """Something read into a file, shown for correction."""

    what: str
    """ "Layout", "Left out", "Dates", "Time zone", "Timeframe", "Decimals" or "Ticker"."""
    sentence: str
    confidence: float
    """From 0 to 1; 1 for what the file says or the person chose."""

    @property
    def sure(self) -> bool:
        """Whether it can be relied on without a look."""
        return self.confidence >= _SURE

    def __str__(self) -> str:
        doubt = "" if self.sure else " Check this: it is not sure."
        return f"{self.what}: {self.sentence}.{doubt}"


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How a file or folder will be read, shown for correction before anything is written."""

    path: Path
    kind: FileKind
    layout: Layout
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
    tables: tuple[Table, ...]
    """What is read: one for a file, several for a folder or an archive."""
    comma_is_point: bool = False
    """Prices are written 101,25."""
    guesses: tuple[Guess, ...] = ()
    """What was read into the file, each with the reason and how sure it is."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The guesses as sentences."""
        return tuple(str(guess) for guess in self.guesses)


def inspect_file(
    path: Path, columns: Mapping[str, str] | None = None, time_zone: str | None = None, timeframe: str | None = None
) -> FilePlan:
    """Find out what a file, an archive or a folder of files holds: layout, separator, columns, times, zone, timeframe, tickers.

    `columns`, `time_zone` and `timeframe` are the person's corrections; of `columns` those given are enough ("" for one that is
    not there), the rest is recognised. Nothing is written, and no more than a part is held in memory. Raises `UnreadableFile`,
    with what is wrong and what to do, for anything that is not bars.
    """
    path = Path(path).expanduser()
    tables, left_out = find_tables(path)
    first = tables[0]
    mapping = map_columns(path.name, first.names, columns or {})
    head = next(first.pieces(list(mapping.values())), None)
    if head is None or head.is_empty():
        raise UnreadableFile(f"{first.name} has column names but no rows: there is nothing to import.")
    if "time" in mapping and not (columns or {}).get("time") and not _is_date_alone(head[mapping["timestamp"]]):
        # A clock beside a column that already holds date and time says nothing new.
        del mapping["time"]
    if time_zone is not None:
        check_zone(time_zone)
    look = _Look(path.name, mapping)
    for table in tables:
        for piece in table.pieces(list(mapping.values())):
            look.add(piece, table)
    kept = pl.concat(look.kept, how="vertical_relaxed")
    form = look.form or look.find_form(kept["#time"])
    parsed = _parsed(kept["#time"], form.name if form else "", path.name)
    bar, bar_guess = _timeframe(pl.DataFrame({"ticker": kept["#ticker"], "at": parsed}), tables, path, timeframe)
    comma_is_point = commas_are_points([kept[mapping[name]] for name in PRICES], first.separator)
    volume = numbers(kept[mapping["volume"]], comma_is_point) if "volume" in mapping else pl.repeat(1.0, kept.height, eager=True)
    zone, reason, zone_sure = _zone(parsed, volume, bar, first.layout, look.named_zone, time_zone)
    guesses = (
        *((Guess("Layout", first.layout.value + (f" and {len(tables) - 1} more like it" if len(tables) > 1 else ""), 1.0),)
          if first.layout is not Layout.PLAIN or len(tables) > 1 else ()),
        *(Guess("Left out", sentence.removesuffix("."), 0.8) for sentence in left_out),
        *((Guess("Dates", form.reason, form.confidence),) if form and form.reason else ()),
        Guess("Time zone", f"{zone} ({reason})", zone_sure),
        bar_guess,
        *((Guess("Decimals", "prices such as 101,25 are read as 101.25", 0.95),) if comma_is_point else ()),
        *(_ticker_guess(tables, kept["#ticker"]) if "ticker" not in mapping else ()),
    )  # fmt: skip
    return FilePlan(
        path=path,
        kind=first.kind,
        layout=first.layout,
        separator=first.separator,
        columns=mapping,
        file_columns=first.names,
        time_format=form.name if form else "",
        time_zone=zone,
        time_zone_reason=reason,
        timeframe=bar,
        tickers=tuple(sorted(look.tickers)),
        rows=look.rows,
        sample=_sample(first),
        tables=tables,
        comma_is_point=comma_is_point,
        guesses=guesses,
    )


def file_head(path: Path) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The columns of a file and its first rows as text, whatever they hold. Raises `UnreadableFile` where it is no table."""
    first = find_tables(Path(path).expanduser())[0][0]
    return first.names, _sample(first)


def bar_pieces(plan: FilePlan) -> Iterator[pl.DataFrame]:
    """The rows of the plan's tickers, and those that name none, as `ticker` and the columns of `RAW_SCHEMA`, in pieces.

    In the file's order; null where a value can't be read.
    """
    for table in plan.tables:
        for raw in table.pieces(list(plan.columns.values())):
            parsed = _parsed(without_zone_names(_times(raw, plan.columns))[0], plan.time_format, plan.path.name)
            values = {name: numbers(raw[plan.columns[name]], plan.comma_is_point) for name in VALUES if name in plan.columns}
            frame = pl.DataFrame(
                {
                    "ticker": _tickers(raw, plan.columns, table),
                    "timestamp": to_utc(parsed, plan.time_zone, plan.timeframe == DAILY),
                    **values,
                    **({} if "volume" in values else {"volume": pl.zeros(raw.height, pl.Float64, eager=True)}),
                }
            )
            yield frame.filter(pl.col("ticker").is_null() | pl.col("ticker").is_in(plan.tickers))


def read_bars(plan: FilePlan) -> pl.DataFrame:
    """All pieces of a plan in one frame (see `bar_pieces`)."""
    empty = pl.DataFrame(schema={"ticker": pl.String(), **RAW_SCHEMA})
    return pl.concat([empty, *bar_pieces(plan)], how="vertical_relaxed")


@dataclass(slots=True)
class _Look:
    """What is gathered of a file on the one pass over it."""

    file: str
    mapping: Mapping[str, str]
    rows: int = 0
    tickers: set[str] = field(default_factory=set)
    kept: list[pl.DataFrame] = field(default_factory=list)
    kept_rows: int = 0
    form: Form | None = None
    named_zone: str | None = None

    def add(self, raw: pl.DataFrame, table: Table) -> None:
        tickers = _tickers(raw, self.mapping, table)
        self.tickers.update(tickers.drop_nulls().unique().to_list())
        times, zone = without_zone_names(_times(raw, self.mapping))
        self.named_zone = self.named_zone or zone
        if self.kept_rows >= _WHOLE_ROWS and times.dtype == pl.String:
            if self.form is None:
                self.form = self.find_form(pl.concat([one["#time"] for one in self.kept]))
            assert self.form is not None
            check_times(times, self.form.name, self.file, self.rows + 2)
        rows = raw.select(list(dict.fromkeys(self.mapping[name] for name in VALUES if name in self.mapping)))
        rows = rows.with_columns(tickers.alias("#ticker"), times.alias("#time"))
        self.rows += raw.height
        rows = rows if self.kept_rows < _WHOLE_ROWS else rows.head(_PIECE_ROWS)
        self.kept_rows += rows.height
        self.kept.append(rows)

    def find_form(self, times: pl.Series) -> Form | None:
        return find_format(times, self.file) if times.dtype == pl.String else None


def _zone(parsed: pl.Series, volume: pl.Series, bar: str, layout: Layout, named: str | None, chosen: str | None) -> tuple[str, str, float]:
    """The zone of the times, why that is thought, and how sure it is."""
    if parsed.dtype != pl.Datetime("us"):
        return "UTC", "the file's times say their zone", 1.0
    if chosen is not None:
        return chosen, "chosen by you", 1.0
    if named is not None:
        return named, "named in the file's times", 1.0
    if layout is Layout.LEAN:
        return "America/New_York", "LEAN's files of US shares keep New York's time", 1.0
    found = find_zone(parsed, volume, bar == DAILY)
    return found.name, found.reason, found.confidence


def _timeframe(times: pl.DataFrame, tables: tuple[Table, ...], path: Path, chosen: str | None) -> tuple[str, Guess]:
    if chosen is not None:
        timeframe_minutes(chosen)
        return chosen, Guess("Timeframe", f"{chosen} (chosen by you)", 1.0)
    if tables[0].layout is Layout.POLYGON and _each_ticker_once(times):
        # A flat file of days holds one day: a bar a ticker.
        return DAILY, Guess("Timeframe", f"{DAILY} (a Polygon flat file with one bar a ticker)", 0.95)
    found = find_timeframe(times, path.name)
    why = "most days have one bar" if found.name == DAILY else "the usual step between bars"
    return found.name, Guess("Timeframe", f"{found.name} ({why})", found.confidence)


def _each_ticker_once(times: pl.DataFrame) -> bool:
    return not times["ticker"].drop_nulls().is_duplicated().any()


def _ticker_guess(tables: tuple[Table, ...], tickers: pl.Series) -> tuple[Guess, ...]:
    if tables[0].ticker:
        return ()
    if len(tables) > 1:
        return (Guess("Ticker", "each file's stock is its name's first word, since no column names it", 0.9),)
    return (Guess("Ticker", f"{tickers[0]}, after the file's name, since no column names the stock", 0.9),)


def _is_date_alone(column: pl.Series) -> bool:
    """Whether the column holds dates without a clock, so that a time beside it belongs to it."""
    if column.dtype == pl.Date:
        return True
    if isinstance(column.dtype, pl.Datetime):
        return bool((column.drop_nulls().dt.time() == time()).all())
    texts = column.cast(pl.String).str.strip_chars().drop_nulls().head(50)
    return not bool(texts.str.contains(r":|T\d|\d{9,}|\d{8}\s+\d").any())


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


def _tickers(raw: pl.DataFrame, mapping: Mapping[str, str], table: Table) -> pl.Series:
    if "ticker" in mapping:
        written = raw[mapping["ticker"]].cast(pl.String).str.strip_chars(_AROUND_TICKERS)
        # Small letters inside mean something (BACpB is a preferred share), but no ticker is in small letters, or begins a word.
        small = ~written.str.contains(r"[A-Z]") | written.str.contains(r"^[A-Z][a-z]{2,}$")
        written = written.zip_with(~small.fill_null(False), written.str.to_uppercase())
        written = stooq_ticker(written) if table.layout is Layout.STOOQ else written
        return written.set((written == "").fill_null(False), None).alias("ticker")
    return pl.repeat(table.ticker or _named_ticker(table.stem), raw.height, dtype=pl.String, eager=True).alias("ticker")


def _named_ticker(stem: str) -> str:
    """A file of one stock is named after it: "aapl_1h", "SPY", "brk.b-daily", "aapl.us" of Stooq."""
    stem = re.sub(r"(?i)\.us$", "", stem)
    found = re.match(r"[A-Za-z0-9^]+(\.[A-Za-z]\b)?", stem)
    return found.group(0).upper() if found else "IMPORT"


def _sample(table: Table) -> tuple[tuple[str, ...], ...]:
    rows = next(table.pieces(table.names, _SAMPLE_ROWS))
    return tuple(tuple("" if value is None else str(value) for value in row) for row in rows.iter_rows())
