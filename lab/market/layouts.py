"""The layouts of common vendors: how their files are told, and what their columns mean where the names don't say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import polars as pl

from lab.market.bars import PRICES
from lab.market.errors import UnreadableFile

_LEAN_NAMES = ("timestamp", "open", "high", "low", "close", "volume")
_LEAN_PRICE = 10_000
"""LEAN writes prices of shares as whole ten-thousandths of a dollar."""
_NUMBER = re.compile(r"\s*[-+]?\d[\d.,:/\- ]*\s*")


class Layout(StrEnum):
    PLAIN = "a table"
    POLYGON = "a Polygon flat file"
    YAHOO = "a Yahoo file"
    YFINANCE = "a file written by yfinance"
    STOOQ = "a Stooq file"
    IBKR = "an Interactive Brokers file"
    LEAN = "a LEAN file"


@dataclass(frozen=True, slots=True)
class Head:
    """What the first lines of a CSV file say."""

    layout: Layout
    names: tuple[str, ...]
    header_lines: int
    ticker: str = ""
    """Where the file says it outside its rows."""


@dataclass(frozen=True, slots=True)
class LeanName:
    """What the path of a file in LEAN's folders says."""

    ticker: str
    day: datetime | None
    """Midnight of the one day of a file of minutes or seconds; None for hours and days, whose rows carry dates."""


def layout_of(name: str, lean: LeanName | None, rows: list[list[str]], separator: str) -> Head:
    """Layout and column names from the first rows of a CSV file; raises `UnreadableFile` where it names no columns."""
    first = rows[0]
    if lean is not None and _is_lean(rows[:20], lean):
        return Head(Layout.LEAN, _LEAN_NAMES, 0, lean.ticker)
    names = tuple(_distinct([field.strip().strip("\ufeff") for field in first]))
    plain = {re.sub(r"[^a-z_]", "", one.casefold()) for one in names}
    if len(rows) > 2 and first[0].strip() == "Price" and rows[1][0].strip() == "Ticker":
        return _yfinance(name, rows)
    if any(_NUMBER.fullmatch(one) for one in names):
        raise UnreadableFile(
            f"{name} has no column names in its first line. Add a line such as "
            f"{separator.join(('ticker', 'timestamp', 'open', 'high', 'low', 'close', 'volume'))} and import again."
        )
    layout = Layout.PLAIN
    if {"window_start", "transactions", "ticker"} <= plain:
        layout = Layout.POLYGON
    elif first[0].strip().startswith("<") and {"ticker", "per", "date"} <= plain:
        layout = Layout.STOOQ
    elif "adjclose" in plain and "date" in plain:
        layout = Layout.YAHOO
    elif {"barcount", "average"} <= plain or {"count", "wap"} <= plain:
        layout = Layout.IBKR
    return Head(layout, names, 1)


def lean_name(path: Path, member: str) -> LeanName | None:
    """The ticker and day in the path of a file of trades in LEAN's folders, None for any other."""
    inside = Path(member or path.name).name.lower()
    minute = re.fullmatch(r"(\d{8})_([a-z0-9.]+)_(?:minute|second)_trade\.csv", inside)
    if minute:
        return LeanName(minute[2].upper(), datetime.strptime(minute[1], "%Y%m%d"))
    unpacked = re.fullmatch(r"(\d{8})_trade\.csv", inside)
    if unpacked:
        return LeanName(path.parent.name.upper(), datetime.strptime(unpacked[1], "%Y%m%d"))
    longer = re.fullmatch(r"([a-z][a-z0-9.]*)(?:_(?:hour|daily)_trade)?\.csv", inside)
    folder = path.parent.name.lower() in ("daily", "hour")
    return LeanName(longer[1].upper(), None) if longer and (folder or path.suffix.lower() == ".zip") else None


def lean_bars(rows: pl.DataFrame, path: Path, member: str) -> pl.DataFrame:
    """Rows of LEAN's (all texts, in the order of its columns) as bars: New York's time without zone, prices in dollars."""
    named = lean_name(path, member)
    assert named is not None
    time, *values = rows.columns
    if named.day is None:
        stamp = pl.col(time).str.to_datetime("%Y%m%d %H:%M", strict=False, time_unit="us")
    else:
        stamp = pl.lit(named.day, pl.Datetime("us")) + pl.duration(milliseconds=pl.col(time).cast(pl.Float64, strict=False).cast(pl.Int64))
    numbers = dict(zip((*PRICES, "volume"), values, strict=True))
    scaled = {
        ours: pl.col(theirs).cast(pl.Float64, strict=False) / (1 if ours == "volume" else _LEAN_PRICE) for ours, theirs in numbers.items()
    }
    return rows.select(stamp.alias("timestamp"), **scaled)


def stooq_ticker(tickers: pl.Series) -> pl.Series:
    """Stooq's names without the market at their end: AAPL.US is AAPL."""
    return tickers.str.replace(r"(?i)\.US$", "")


def _is_lean(rows: list[list[str]], lean: LeanName) -> bool:
    """Whether the rows are LEAN's: six whole numbers, the first of them milliseconds of a day or a date with hour."""
    time = r"\d{1,8}(\.0)?" if lean.day is not None else r"\d{8} \d\d:\d\d"
    whole = re.compile(r"\d+(\.0)?")
    return all(len(row) >= 6 and re.fullmatch(time, row[0]) and all(whole.fullmatch(field) for field in row[1:5]) for row in rows)


def _yfinance(name: str, rows: list[list[str]]) -> Head:
    """Three lines of names, the second with the ticker over each column."""
    tickers = {field.strip() for field in rows[1][1:] if field.strip()}
    if len(tickers) != 1:
        raise UnreadableFile(
            f"{name} has the prices of {len(tickers)} stocks side by side. Write each stock into a file of its own, "
            "for example with group_by='ticker' and one to_csv a ticker, and import the folder."
        )
    names = ("Date", *(field.strip() for field in rows[0][1:]))
    lines = 3 if rows[2][0].strip() in ("Date", "Datetime") else 2
    return Head(Layout.YFINANCE, names, lines, tickers.pop().upper())


def _distinct(names: list[str]) -> list[str]:
    """Names told apart by a number where two are the same."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        number = seen.get(name, 0)
        seen[name] = number + 1
        result.append(f"{name}_{number}" if number else name)
    return result
