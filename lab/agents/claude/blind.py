"""Blind mode: what a model sees of a market has no ticker, date or company name, and what it answers is translated back.

A model has read what became of most stocks on most days. So a universe's tickers are T01, T02… in an order that says
nothing, the market's ticker is MKT, the VIX's is VOL, and dates count the days from the first session: "day 113". Words a
person typed are searched for tickers, companies and dates too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

MARKET, VOLATILITY = "MKT", "VOL"
ELSEWHERE = "a stock"
"""Stands for a company that is not in the universe."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)"
)
_YEAR = r"(?:19[5-9]\d|20[0-4]\d)"
_DATES = re.compile(
    rf"\b{_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}}\b|\b{_YEAR}[-/]\d{{1,2}}\b"
    r"|\b\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})\b"
    rf"|(?<![:.\d])\b\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?{_MONTH}\b\.?(?:,? {_YEAR}\b)?"
    rf"|\b{_MONTH}\b\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?!:)(?:,? {_YEAR}\b)?"
    rf"|\b{_MONTH}\b\.?,? (?:of )?{_YEAR}\b"
    rf"|\bq[1-4][ /]{_YEAR}\b"
    rf"|(?<![\d.,$]){_YEAR}(?:s\b|\b(?![.,]?\d|%))",
    re.IGNORECASE,
)
_ISO = re.compile(rf"\b{_YEAR}-\d\d-\d\d\b")
_WORDS_TOO = frozenset(
    [
        "a",
        "all",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "best",
        "big",
        "but",
        "buy",
        "by",
        "can",
        "car",
        "day",
        "do",
        "down",
        "ever",
        "fast",
        "first",
        "for",
        "free",
        "fun",
        "go",
        "good",
        "has",
        "he",
        "her",
        "here",
        "high",
        "hold",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "key",
        "left",
        "life",
        "line",
        "live",
        "long",
        "love",
        "low",
        "main",
        "may",
        "me",
        "more",
        "most",
        "move",
        "near",
        "new",
        "next",
        "no",
        "not",
        "now",
        "of",
        "on",
        "one",
        "only",
        "open",
        "or",
        "out",
        "own",
        "pay",
        "play",
        "post",
        "r",
        "rate",
        "real",
        "run",
        "safe",
        "sale",
        "see",
        "sell",
        "so",
        "stay",
        "stop",
        "take",
        "team",
        "tell",
        "than",
        "that",
        "the",
        "them",
        "then",
        "there",
        "they",
        "this",
        "time",
        "to",
        "trade",
        "true",
        "turn",
        "two",
        "up",
        "us",
        "use",
        "very",
        "was",
        "we",
        "well",
        "what",
        "when",
        "will",
        "with",
        "work",
        "you",
    ]
)
"""Tickers that are ordinary words too: hidden in a person's words only where they stand in capitals."""
_LETTERS_TOO = frozenset("AIR")
"""Single letters that are words, or the unit R: hidden only after a dollar sign or in quotes."""
_SUFFIX = r"(?:,? (?:inc|corp|corporation|ltd|plc|company|co|holdings|stock|stocks|shares|share|earnings)\b)"


class Veil(Protocol):
    """Between what the lab knows and what a model may see."""

    def ticker(self, ticker: str) -> str: ...
    def day(self, day: date) -> str: ...
    def hide(self, text: str) -> str:
        """Words a person or the lab wrote, as the model may see them."""
        ...

    def hide_script(self, text: str) -> str: ...
    def reveal(self, text: str) -> str:
        """What the model wrote, in the person's terms."""
        ...

    def reveal_script(self, text: str) -> str: ...


class Open:
    """No blind mode: the model sees what the lab sees."""

    def ticker(self, ticker: str) -> str:
        return ticker

    def day(self, day: date) -> str:
        return day.isoformat()

    def hide(self, text: str) -> str:
        return text

    def hide_script(self, text: str) -> str:
        return text

    def reveal(self, text: str) -> str:
        return text

    def reveal_script(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class Blind:
    """The aliases of one universe; always the same for the same tickers and seed."""

    tickers: Sequence[str]
    market_ticker: str | None
    vix_ticker: str | None
    first_session: date
    last_session: date
    seed: str
    """Anything that does not change with time: it only shuffles."""
    _alias: dict[str, str] = field(init=False, repr=False, default_factory=dict)
    _real: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        special = {self.market_ticker: MARKET, self.vix_ticker: VOLATILITY}
        plain = [ticker for ticker in dict.fromkeys(self.tickers) if ticker not in special]
        shuffled = sorted(plain, key=lambda ticker: sha256(f"{self.seed}|{ticker}".encode()).digest())
        self._alias.update({ticker: f"T{number:02d}" for number, ticker in enumerate(shuffled, 1)})
        self._alias.update({ticker: alias for ticker, alias in special.items() if ticker})
        self._real.update({alias: ticker for ticker, alias in self._alias.items()})

    def ticker(self, ticker: str) -> str:
        return self._alias.get(ticker) or ELSEWHERE

    def day(self, day: date) -> str:
        return f"day {(day - self.first_session).days + 1}"

    def hide(self, text: str) -> str:
        text = _ISO.sub(self._day_of, text)
        text = _DATES.sub("a certain time", text)
        for pattern, ticker in _companies():
            text = pattern.sub(self._alias.get(ticker, ELSEWHERE), text)
        return self._hide_tickers(text)

    def hide_script(self, text: str) -> str:
        lines = []
        for line in text.split("\n"):
            code, mark, comment = line.partition("#")
            lines.append(self._hide_tickers(code, quoted_only=True) + (mark + self.hide(comment) if mark else ""))
        return "\n".join(lines)

    def reveal(self, text: str) -> str:
        text = re.sub(r"\b(T\d{2,5}|MKT|VOL)\b", lambda match: self._real.get(match[1], match[1]), text)
        return re.sub(r"(?<!of )\b([Dd])ay (\d{1,5})\b(?![:.,]\d)", self._date_of, text)

    def reveal_script(self, text: str) -> str:
        """Tickers stand in quotes there; a name such as VOL may be the script's own."""
        return re.sub(r"""(["'])(T\d{2,5}|MKT|VOL)\1""", lambda match: f"{match[1]}{self._real.get(match[2], match[2])}{match[1]}", text)

    def _day_of(self, match: re.Match[str]) -> str:
        try:
            found = date.fromisoformat(match[0])
        except ValueError:
            return "a certain time"
        return self.day(found) if self.first_session <= found <= self.last_session else "a certain time"

    def _date_of(self, match: re.Match[str]) -> str:
        if not int(match[2]) or self.first_session + timedelta(days=int(match[2]) - 1) > self.last_session:
            return match[0]
        return (self.first_session + timedelta(days=int(match[2]) - 1)).isoformat()

    def _hide_tickers(self, text: str, quoted_only: bool = False) -> str:
        known = {**dict.fromkeys(_known_tickers(), ELSEWHERE), **self._alias}

        def alias(match: re.Match[str]) -> str:
            quote, word, end = match["open"], match["word"], match["close"]
            name = known.get(word.upper())
            marked = bool(quote) and (quote == "$" or quote == end)
            if name is None or (quoted_only and not marked):
                return match[0]
            plain = word.lower() in _WORDS_TOO or len(word) < 3
            if not marked and (word in _LETTERS_TOO or (plain and word != word.upper()) or (plain and word.upper() not in self._alias)):
                return match[0]
            return f"{'' if quote == '$' else quote}{name}{end}"

        return re.sub(
            r"""(?P<open>["'$“]?)(?<![\w.])(?P<word>[A-Za-z][A-Za-z.-]{0,9}(?<![.-])|[\w.-]{1,12})(?![\w])(?P<close>["'”]?)""", alias, text
        )


@cache
def _companies() -> tuple[tuple[re.Pattern[str], str], ...]:
    """A pattern for each name of a known company, longest first, with its ticker."""
    found = []
    for ticker, names in _listed().items():
        for name in names:
            words = re.escape(name.removeprefix("*"))
            suffix, flags = (_SUFFIX, 0) if name.startswith("*") else (f"{_SUFFIX}?", re.IGNORECASE)
            found.append((len(name), re.compile(rf"\b{words}(?:'s)?{suffix}(?!\w)", flags), ticker))
    return tuple((pattern, ticker) for _, pattern, ticker in sorted(found, key=lambda each: -each[0]))


@cache
def _known_tickers() -> frozenset[str]:
    """Tickers that are looked for in words even where the universe has them not; those of one or two letters say too little."""
    return frozenset(ticker for ticker in _listed() if len(ticker) > 2) | {"SPY", "QQQ"}


@cache
def _listed() -> dict[str, tuple[str, ...]]:
    lines = Path(__file__).with_name("companies.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return {ticker: tuple(name.strip() for name in names.split(",")) for ticker, _, names in entries}
