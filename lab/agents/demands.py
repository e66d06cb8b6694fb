"""Clock times and limits on risk in a person's words: "only before 11:00", "between 10 and 11:30", "risk 2%", "max 3 positions"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.agents.words import MOST_READ, is_negated, mentions

OPEN, CLOSE = 570, 960
"""New York minutes of the regular session."""
RISK_LOW, RISK_HIGH = 0.01, 5.0
"""Percent of equity a trade may risk in the strategy language."""
MOST_POSITIONS = 50


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the session to trade in, or to leave out, in New York minutes since midnight."""

    start: int
    end: int
    outside: bool
    """Leave it out."""
    words: str

    @property
    def condition(self) -> str:
        """In the strategy language."""
        if not self.outside:
            return f'time_between("{clock(self.start)}", "{clock(self.end)}")'
        if self.start <= OPEN:
            return f'time_between("{clock(self.end)}", "{clock(CLOSE)}")'
        if self.end >= CLOSE:
            return f'time_between("{clock(OPEN)}", "{clock(self.start)}")'
        return f'not time_between("{clock(self.start)}", "{clock(self.end)}")'

    @property
    def title(self) -> str:
        if self.outside:
            return f"not from {clock(self.start)} to {clock(self.end)}"
        if self.start <= OPEN:
            return f"only before {clock(self.end)}"
        return f"only from {clock(self.start)} on" if self.end >= CLOSE else f"only from {clock(self.start)} to {clock(self.end)}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on risk that were named; None where none was."""

    risk_percent: float | None = None
    """Within what the language allows."""
    max_positions: int | None = None
    words: tuple[str, ...] = ()
    clamped: str = ""
    """A sentence where what was asked for goes beyond what is allowed."""

    def config(self) -> dict[str, float]:
        """As entries of an agent's risk settings."""
        found = {"risk_percent": self.risk_percent, "max_positions": self.max_positions}
        return {name: float(value) for name, value in found.items() if value is not None}


def clock(minute: int) -> str:
    """Minutes since midnight as "HH:MM"."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


_END = r"(?=\s*(?:$|[,;!?)\n]|\.(?!\d)|(?:and|or|but|only|in the|on|o'clock|sharp|et|est|edt|new york|ny|every|each|with)\b))"
"""What may follow a bare number that is a time and no count: "before 11, on volume", but not "after 2 red candles"."""
_HALF = r"\s*(?:a\.?m\.?(?!\w)|p\.?m\.?(?!\w))"
_SURE = rf"\d{{1,2}}(?:[:.h]\d{{2}}(?!\s*%)(?:{_HALF})?|{_HALF}|\s+o'clock)|noon|midday|the open|the close|lunch(?:time)?"
_TIME = rf"(?:{_SURE}|\d{{1,2}}{_END})"
_LEAVE = r"(?:flat|out|exit\w*|clos(?:e|es|ed|ing)(?: \w+)?|sell everything|go home)"
_FLAT = re.compile(rf"\b{_LEAVE}\s+(?:by|before|at|until)\s+(?P<time>{_SURE})", re.IGNORECASE)
_RANGE = re.compile(
    rf"\b(?:(?:between|from)\s+(?P<a>{_SURE}|\d{{1,2}})\s*(?:and|to|until|till|-|–)\s*(?P<b>{_TIME})"
    rf"|(?P<c>{_SURE})\s*(?:to|until|till|-|–)\s*(?P<d>{_TIME})|\b(?P<e>\d{{1,2}})\s*[-–]\s*(?P<f>\d{{1,2}}:\d{{2}}))",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"\b(?:before|until|till|up to|no later than|not later than|by)\s+(?P<time>{_TIME})", re.IGNORECASE)
_AFTER = re.compile(rf"\b(?:after|since|from|starting at|no earlier than|not earlier than)\s+(?P<time>{_TIME})", re.IGNORECASE)
_NUMBERS = {"one": 1, "a": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10, "half an": 0.5}
_FIRST = re.compile(
    r"\b(?:only|trad(?:e|es|ing)|in|during|avoid\w*|skip\w*|not)\s+(?:in\s+|during\s+)?the\s+(?P<which>first|last)\s+"
    r"(?:(?P<n>\d+|half|two|three)\s*[- ]?)?(?P<unit>minutes|hours?)\b(?!\s+(?:range|high|low|bar|candle))",
    re.IGNORECASE,
)
_NAMED: tuple[tuple[tuple[str, ...], int, int], ...] = (
    (("in the morning*", "only morning*", "morning* only", "mornings", "before noon"), OPEN, 720),
    (("in the afternoon*", "only afternoon*", "afternoon* only", "afternoons", "after lunch"), 780, CLOSE),
    (("around noon", "over lunch", "at lunch", "lunchtime", "lunch hour", "midday", "at noon"), 690, 810),
)
_STOPS = re.compile(r"\bstops?\s+(?:trading|buying|selling|entering)?\s*$", re.IGNORECASE)
_RISK = re.compile(
    r"\brisk(?:s|ing|ed)?\b(?:\s+(?:up|to|at|most|more|than|no|of|about|only|just|maximum|max|a|per|each|every|trade|is|never|be|should))*"
    r"\s*[:=]?\s*(?P<a>\d+(?:\.\d+)?)\s*(?:%|percent|per cent)"
    r"|(?P<b>\d+(?:\.\d+)?)\s*(?:%|percent|per cent)\s+(?:of\s+(?:my\s+|the\s+)?(?:equity|account|capital)\s+)?"
    r"(?:risk|a trade|per trade)\b",
    re.IGNORECASE,
)
_POSITIONS = re.compile(
    r"\b(?:max(?:imum|imal)?(?: of)?|at most|no more than|not more than|up to|only|never more than)\s+(?P<a>\d+|[a-z]+)\s+(?:open\s+)?"
    r"(?:positions?|trades? at (?:a|one|the same) time|stocks? at (?:a|one) time)\b"
    r"|\b(?P<b>\d+|one|two|three|four|five|six|eight|ten)\s+positions?\s+(?:at most|at (?:a|one) time|max(?:imum)?)",
    re.IGNORECASE,
)


def windows(text: str) -> tuple[Window, ...]:
    """The parts of the session that `text` asks for or wants left out, each once; those outside regular hours are not there."""
    text = text[:MOST_READ]
    found: list[Window] = []
    taken = [m.span() for m in _FLAT.finditer(text)]

    def free(match: re.Match[str]) -> bool:
        return not any(start < match.end() and match.start() < end for start, end in taken)

    def add(match: re.Match[str], start: int | None, end: int | None, *, flipped: bool = False) -> None:
        taken.append(match.span())
        if start is None or end is None:
            return
        start, end = max(OPEN, start), min(CLOSE, end)
        if start < end and (start, end) != (OPEN, CLOSE):
            outside = flipped or is_negated(text, match.start()) or bool(_STOPS.search(text[: match.start()]))
            found.append(Window(start, end, outside, match.group(0).strip()))

    for m in _RANGE.finditer(text):
        if free(m):
            add(m, _minute(m["a"] or m["c"] or m["e"]), _minute(m["b"] or m["d"] or m["f"]))
    for m in _BEFORE.finditer(text):
        if free(m):
            add(m, OPEN, _minute(m["time"]))
    for m in _AFTER.finditer(text):
        if free(m):
            add(m, _minute(m["time"]), CLOSE)
    for m in _FIRST.finditer(text):
        long = _length(m["n"], m["unit"])
        avoid = m.group(0).lower().startswith(("avoid", "skip", "not"))
        span = (OPEN, OPEN + long) if m["which"].lower() == "first" else (CLOSE - long, CLOSE)
        if free(m):
            add(m, *span, flipped=avoid)
    for words, start, end in _NAMED:
        for outside in (False, True):
            if any(_overlaps(text, said, taken) for said in mentions(text, words, negated=outside)):
                continue
            if said := mentions(text, words, negated=outside):
                found.append(Window(start, end, outside, said[0]))
    return tuple({w.condition: w for w in reversed(found)}.values())[::-1]


def flat_by(text: str) -> tuple[int, str] | None:
    """The New York minute by which the person wants to be out, with their words."""
    found = _FLAT.search(text, 0, MOST_READ)
    minute = _minute(found["time"]) if found else None
    if found is None or minute is None or not OPEN < minute <= CLOSE:
        return None
    return min(minute, CLOSE - 1), found.group(0)


def limits(text: str) -> Limits:
    """The limits on risk that `text` names, within what is allowed."""
    text = text[:MOST_READ]
    risk, positions = _RISK.search(text), _POSITIONS.search(text)
    percent = float(risk["a"] or risk["b"]) if risk else None
    named = (positions["a"] or positions["b"]).lower() if positions else ""
    many = int(named) if named.isdigit() else _NUMBERS.get(named)
    said = tuple(m.group(0).strip() for m, value in ((risk, percent), (positions, many)) if m is not None and value is not None)
    notes = []
    if percent is not None and not RISK_LOW <= percent <= RISK_HIGH:
        kept = min(RISK_HIGH, max(RISK_LOW, percent))
        notes.append(f"A risk of {percent:g}% a trade was asked for; {kept:g}% is the {'most' if percent > kept else 'least'} allowed.")
        percent = kept
    if many is not None and not 1 <= many <= MOST_POSITIONS:
        many_kept = min(MOST_POSITIONS, max(1, int(many)))
        notes.append(f"{many:g} positions were asked for; {many_kept} are taken.")
        many = many_kept
    return Limits(percent, None if many is None else int(many), said, " ".join(notes))


def unusable(text: str, style: str) -> tuple[str, ...]:
    """What `text` demands that an agent can't do here, a sentence each; `style` is the trading style read from it."""
    found = [f"“{said[0]}”: {why}" for words, why in _UNUSABLE if (said := mentions(text, words))]
    if style in _INTRADAY_STYLES and (said := mentions(text, ("overnight position*", "hold* overnight", "over night", "overnight hold*"))):
        found.append(f"“{said[0]}”: a {style} is flat by the close; call it a swing trader to hold over nights.")
    if note := limits(text).clamped:
        found.append(note)
    return tuple(found)


_INTRADAY_STYLES = ("scalper", "day trader")
_UNUSABLE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("options", "calls and puts", "call options", "put options", "iron condor*", "straddle*", "covered call*"), "only shares are traded."),
    (("crypto*", "bitcoin", "btc", "ethereum", "forex", "fx", "futures", "commodities", "currencies"), "only US shares are traded."),
    (("pre market", "premarket", "after hours", "extended hours"), "only regular hours, 09:30 to 16:00, are traded."),
    (("level 2", "level ii", "order book", "order flow", "tape reading", "dark pool*"), "there are bars only, no order book."),
    (("twitter", "social media", "reddit"), "no such texts are read."),
    (("dividend*", "fundamental*", "p/e", "valuation*", "balance sheet*"), "there are prices and volumes only."),
    (("margin", "leverage*"), "positions are never larger than the account."),
    (("pairs trad*", "pair trad*", "market neutral"), "each signal is one stock on its own."),
)


def _overlaps(text: str, said: str, taken: list[tuple[int, int]]) -> bool:
    at = text.find(said)
    return any(start < at + len(said) and at < end for start, end in taken)


def _length(number: str | None, unit: str) -> int:
    n = {"half": 0.5, "two": 2.0, "three": 3.0, None: 1.0}.get(number.lower() if number else None)
    value = float(number or 1) if n is None else n
    return int(value * (60 if unit.lower().startswith("hour") else 1))


def _minute(words: str) -> int | None:
    """Minutes since midnight; an hour from 1 to 6 without more is in the afternoon, where the session is."""
    said = words.lower().strip()
    if said in ("noon", "midday"):
        return 720
    if said.startswith("lunch"):
        return 750
    if said.startswith("the "):
        return OPEN if said.endswith("open") else CLOSE
    found = re.match(r"(\d{1,2})(?:[:.h](\d{2}))?\s*(a\.?m|p\.?m)?", said)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if hour > 23 or minute > 59:
        return None
    if hour < 12 and ((found[3] or "").startswith("p") or (not found[3] and 1 <= hour <= 6)):
        hour += 12
    return hour * 60 + minute
