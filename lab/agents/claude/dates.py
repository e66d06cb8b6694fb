"""Dates in words that a person, a vendor or a model wrote: in any form that tells which year or month it was."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date

SOMETIME = "a certain time"
"""Stands for a date of which no day of the span can be told."""

_MONTHS = (
    r"jan(?:uar[yi]?|vier)?|feb(?:ruar[yi]?)?|f[ée]v(?:rier)?|febrero|enero|mar(?:ch|s|zo)?|m(?:ä|ae)rz|apr(?:il)?|avr(?:il)?|abril|ma[iy]|mayo"
    r"|june?|juni|juin|junio|july?|juli|juillet|julio|aug(?:ust)?|ao[uû]t|agosto|sep(?:t(?:emb(?:er|re))?)?|septiembre|o[ck]t(?:ob(?:er|re))?"
    r"|octubre|nov(?:emb(?:er|re))?|noviembre|de[cz](?:ember)?|d[ée]cembre|diciembre"
)
_MONTH = rf"(?:{_MONTHS})\b\.?"
_YEAR = r"(?:19[5-9]\d|20[0-4]\d)"
_SHORT_YEAR = r"['’]\d\d(?!\d|['’])"
_ANY_YEAR = rf"(?:{_YEAR}|{_SHORT_YEAR})"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:{_ONES}))?"
_BARE = "January|February|April|June|July|August|September|October|November|December"
_BEFORE = "in|since|until|till|by|from|through|during|before|after|last|early|late|mid|every|each|this"
_SHORT = "March|May|Jan|Feb|Aug|Sept?|Oct|Nov|Dec"
_ONCE = (
    "covid(?:[- ]?19)?|pandemic|lockdowns?|dot-?com|lehman|great (?:recession|depression)|(?:global )?financial crisis|flash crash"
    "|black (?:monday|tuesday|thursday|friday)|brexit|9/11|volmageddon"
)
_DATES = re.compile(
    "|".join(
        (
            # 2024-03-05T14:30Z, 2024/3/5, 2024.03.05, 2024-03, 2024-W12, 20240305, 2024年3月5日
            rf"\b{_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)",
            rf"\b{_YEAR}[-/](?:\d{{1,2}}|W\d\d)\b",
            rf"\b{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
            rf"{_YEAR} ?年(?: ?\d{{1,2}} ?月)?(?: ?\d{{1,2}} ?日)?",
            # 05.03.2024, 3/5/24, 05-03-2024, 5-Mar-24
            r"\b\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})\b|\b\d{1,2}-\d{1,2}-\d{4}\b",
            rf"\b\d{{1,2}}-{_MONTH}-(?:\d{{4}}|\d\d)\b",
            # 5 March 2024, 5th of March '24, März 5, March 2024, Mar-24
            rf"(?<![:.\d])\b{_DAY}(?:st|nd|rd|th|\.)? ?(?:of |de )?{_MONTH}(?:,? (?:de |of )?{_ANY_YEAR})?",
            rf"\b{_MONTH} {_DAY}(?:st|nd|rd|th)?\b(?!:)(?:,? {_ANY_YEAR})?",
            rf"\b{_MONTH}(?:,? (?:of |de )?|-){_ANY_YEAR}|\b{_MONTH}-\d\d\b",
            # Q3 2024, 2024Q3, 3Q24, H1'24, FY2024, week 12 of 2024
            rf"\b(?:[qh][1-4]|[1-4][qh])[ /-]?(?:{_YEAR}|['’]?\d\d\b)|\b{_YEAR}[ /-]?[qh][1-4]\b|\b[fc]y[ -]?(?:{_YEAR}|['’]?\d\d\b)",
            rf"\bweek \d{{1,2}} (?:of|in) {_YEAR}\b",
            # a year by itself, also in words, and seconds or milliseconds since 1970
            rf"(?<![\d.,$]){_YEAR}(?:s\b|\b(?![.,]?\d|%))|(?<!\w){_SHORT_YEAR}",
            rf"\b(?:twenty[- ](?:{_TEENS}|{_TENS}|oh[- ](?:{_ONES}))|nineteen[- ]{_TENS}"
            rf"|two thousand(?: and)?[- ](?:{_TENS}|{_TEENS}|{_ONES}))"
            r"\b(?! hundred)",
            r"(?<![\d.,$])1\d{9}(?:\d{3})?(?![\d.,])",
            # a month by itself, where it can be nothing else; what happened only once
            rf"\b(?:{_BARE})\b|\b(?:{_BEFORE})[ -](?:{_SHORT})\b|\b(?:{_ONCE})\b",
        )
    ),
    re.IGNORECASE,
)
_ISO = re.compile(rf"\b({_YEAR}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)")
_CASED = re.compile(r"^(?:march|may|jan|feb|aug|sept?|oct|nov|dec)$")
"""A month by itself in lower case may be a word."""


def without_dates(text: str, day: Callable[[date], str | None]) -> str:
    """The text with its dates replaced: one written as 2024-03-05 by what `day` calls it, any other by `SOMETIME`.

    Digits of any script count, and what no eye sees between them does not.
    """
    if not text.isascii():
        text = re.sub(r"(?<=\d)[–—](?=\d)", "-", "".join(_plain(letter) for letter in text))

    def exact(match: re.Match[str]) -> str:
        try:
            found = day(date.fromisoformat(match[1])) or SOMETIME
            return f"{found} {match[2]}" if match[2] else found
        except ValueError:
            return SOMETIME

    def some(match: re.Match[str]) -> str:
        last = re.split(r"[\s-]+", match[0])[-1]
        return match[0] if _CASED.match(last) and last != match[0] and not any(c.isdigit() for c in match[0]) else SOMETIME

    return _DATES.sub(some, _ISO.sub(exact, text))


def _plain(letter: str) -> str:
    if (kind := unicodedata.category(letter)) in ("Cf", "Pd"):
        return "" if kind == "Cf" else letter if letter in "–—" else "-"
    digit = unicodedata.decimal(letter, None)
    return letter if digit is None else str(digit)
