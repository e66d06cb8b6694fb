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
from typing import Protocol

from lab.agents.claude.companies import Name, by_first_word, known_companies, ordinary_words
from lab.agents.claude.dates import without_dates

MARKET, VOLATILITY = "MKT", "VOL"
ELSEWHERE = "a stock"
"""Stands for a company that is not in the universe."""

_LETTERS_TOO = frozenset("AIR")
"""Single letters that are words, or the unit R: hidden only after a dollar sign or in quotes."""
_WORD = re.compile(r"\w+")


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
    names: Sequence[tuple[str, str]] = ()
    """(ticker, what its company is called) beside those that are known anyway."""
    elsewhere: Sequence[str] = ()
    """Tickers of other universes, hidden where they are met."""
    _alias: dict[str, str] = field(init=False, repr=False, default_factory=dict)
    _real: dict[str, str] = field(init=False, repr=False, default_factory=dict)
    _names: dict[str, tuple[Name, ...]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        special = {self.market_ticker: MARKET, self.vix_ticker: VOLATILITY}
        plain = [ticker for ticker in dict.fromkeys(self.tickers) if ticker not in special]
        shuffled = sorted(plain, key=lambda ticker: sha256(f"{self.seed}|{ticker}".encode()).digest())
        self._alias.update({ticker: f"T{number:02d}" for number, ticker in enumerate(shuffled, 1)})
        self._alias.update({ticker: alias for ticker, alias in special.items() if ticker})
        self._real.update({alias: ticker for ticker, alias in self._alias.items()})
        self._names.update(by_first_word((*self.names, *known_companies())))

    def ticker(self, ticker: str) -> str:
        return self._alias.get(ticker) or ELSEWHERE

    def day(self, day: date) -> str:
        return f"day {(day - self.first_session).days + 1}"

    def hide(self, text: str) -> str:
        return self._hide_tickers(self._hide_companies(without_dates(text, self._day_within)))

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

    def _day_within(self, day: date) -> str | None:
        return self.day(day) if self.first_session <= day <= self.last_session else None

    def _date_of(self, match: re.Match[str]) -> str:
        if not int(match[2]) or self.first_session + timedelta(days=int(match[2]) - 1) > self.last_session:
            return match[0]
        return (self.first_session + timedelta(days=int(match[2]) - 1)).isoformat()

    def _hide_companies(self, text: str) -> str:
        found, at = [], 0
        for word in _WORD.finditer(text):
            if word.start() < at:
                continue
            for name in self._names.get(word[0].casefold(), ()):
                if hit := name.pattern.match(text, word.start()):
                    found += [text[at : word.start()], self._alias.get(name.ticker, ELSEWHERE)]
                    at = hit.end()
                    break
        return "".join((*found, text[at:]))

    def _hide_tickers(self, text: str, quoted_only: bool = False) -> str:
        known = {**dict.fromkeys((*_known_tickers(), *self.elsewhere), ELSEWHERE), **self._alias}

        def alias(match: re.Match[str]) -> str:
            quote, word, end = match["open"], match["word"], match["close"]
            name = known.get(word.upper())
            marked = bool(quote) and (quote == "$" or quote == end)
            if name is None or (quoted_only and not marked):
                return match[0]
            plain = word.lower() in ordinary_words() or len(word) < 3
            if not marked and (word in _LETTERS_TOO or (plain and word != word.upper()) or (plain and word.upper() not in self._alias)):
                return match[0]
            return f"{'' if quote == '$' else quote}{name}{end}"

        return re.sub(
            r"""(?P<open>["'$“]?)(?<![\w.])(?P<word>[A-Za-z][A-Za-z.-]{0,9}(?<![.-])|[\w.-]{1,12})(?![\w])(?P<close>["'”]?)""", alias, text
        )


@cache
def _known_tickers() -> frozenset[str]:
    """Tickers that are looked for in words even where the universe has them not; those of one or two letters say too little."""
    return frozenset(ticker for ticker, _ in known_companies() if len(ticker) > 2) | {"SPY", "QQQ"}
