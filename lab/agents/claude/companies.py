"""What companies are called, and how a name is found in words: from a list, and from what a vendor says of a universe's tickers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SUFFIX = r"(?i:,? (?:inc|corp|corporation|ltd|plc|company|co|holdings|group|stock|stocks|shares|share|earnings)\b)"
_LEGAL = re.compile(
    r"[,.]?\s+(?:inc|incorporated|corp|corporation|co|company|ltd|limited|llc|lp|plc|nv|n\.v|sa|s\.a|ag|se|ab|asa|spa|holdings?|group|trust"
    r"|bancorp"
    r"|common (?:stock|shares?)|ordinary shares?|american depositary (?:shares?|receipts?)|adrs?|ads|class [a-z]|series [a-z]"
    r"|the|new|de|del)\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Name:
    """How one name is found."""

    pattern: re.Pattern[str]
    ticker: str


@cache
def known_companies() -> tuple[tuple[str, str], ...]:
    """(ticker, name) of companies.txt, a name that is an ordinary word too with an asterisk before it."""
    entries = (line.partition(" ") for line in _lines("companies.txt"))
    return tuple((ticker, name.strip()) for ticker, _, names in entries for name in names.split(","))


@cache
def ordinary_words() -> frozenset[str]:
    """Words that are names or tickers too; as such they are hidden only where something beside them says so."""
    return frozenset(_lines("ordinary.txt"))


def spoken(listed: str) -> str:
    """What a company is called, from its name on an exchange's list: "Tesla, Inc. Common Stock" is Tesla. Ordinary words get a star."""
    name = " ".join(listed.split()).removeprefix("The ")
    while (shorter := _LEGAL.sub("", name).rstrip(" ,.-")) != name and shorter:
        name = shorter
    return f"*{name}" if len(name) < 4 or name.casefold() in ordinary_words() else name


def by_first_word(companies: Iterable[tuple[str, str]]) -> dict[str, tuple[Name, ...]]:
    """The names by the word they begin with, longest first."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for ticker, name in companies:
        plain = name.removeprefix("*")
        if first := re.match(r"\w+", plain):
            found.setdefault(first[0].casefold(), {}).setdefault(plain.casefold(), (name, ticker))
    return {
        first: tuple(Name(_pattern(name), ticker) for name, ticker in sorted(names.values(), key=lambda each: -len(each[0])))
        for first, names in found.items()
    }


def _lines(file: str) -> list[str]:
    lines = Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _pattern(name: str) -> re.Pattern[str]:
    words = re.escape(name.removeprefix("*"))
    suffix, flags = (_SUFFIX, re.NOFLAG) if name.startswith("*") else (f"{_SUFFIX}?", re.IGNORECASE)
    return re.compile(rf"{words}(?:['’]s)?{suffix}(?!\w)", flags)
