"""Printing for people and for programs: aligned plain tables, and dataclasses as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import Any

from lab.agents.views import Interval
from lab.cli.plain import own, plain

UNKNOWN = "-"


def print_json(value: Any) -> None:
    print(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose columns are as wide as their widest cell; numbers stand right, words left."""
    if not rows:
        return
    widths = [max(len(text) for text in column) for column in zip(headings, *rows, strict=True)]
    right = [all(_is_number(row[index]) for row in rows) for index in range(len(headings))]
    for line in (headings, *rows):
        cells = (text.rjust(width) if numeric else text.ljust(width) for text, width, numeric in zip(line, widths, right, strict=True))
        print("  ".join(cells).rstrip())


def say(line: str, quiet: bool = False) -> None:
    """Print a line of progress; to stderr where stdout carries JSON."""
    print(line, file=sys.stderr if quiet else sys.stdout, flush=True)


def progress_bar(share: float, note: str) -> None:
    """One line of progress, drawn over itself; nothing where stderr is not a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{share:4.0%}  {plain(note)}", end="" if share < 1 else "\n", file=own(sys.stderr), flush=True)


def percent(value: float | None, digits: int = 1, sign: bool = False) -> str:
    return UNKNOWN if value is None else f"{value * 100:{'+' if sign else ''}.{digits}f}%"


def number(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def interval(value: Interval | None, as_percent: bool = False) -> str:
    if value is None:
        return ""
    return f"({percent(value.low, 0)} to {percent(value.high, 0)})" if as_percent else f"({value.low:.2f} to {value.high:.2f})"


def _is_number(text: str) -> bool:
    return text == UNKNOWN or text.strip("+-%$").replace(",", "").replace(".", "", 1).isdigit()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise TypeError(f"no JSON form for {type(value).__name__}")
