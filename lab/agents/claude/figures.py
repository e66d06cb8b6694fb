"""Every figure of an analysis has to be in the evidence that its sentence cites, rounding allowed; what is not is found here.

A figure is a number in the text. It is sound where one of the values behind an id in the same sentence, shown in the
figure's own unit and to its own decimals, reads the same. Not figures are times of day, versions, aliases ("day 113"),
window lengths and levels of the scripts, and the bounds of a breakdown that the sentence names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lab.agents.evidence import Bucket, EvidencePack, Figure, TradeEvidence
from lab.agents.views import Interval

STRUCK = "~~{}~~ (struck out: not in the evidence)"

IDS = re.compile(r"\[([A-Z]\d+(?:\s*[,;]\s*[A-Z]\d+)*)\]")
_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[+\-−–±]?)(?P<dollar>-?\$?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?P<unit>\s?(?:%|percent\b|basis points\b|bps\b|bp\b|R\b|k\b|x\b|times\b)?)"
)
_NO_FIGURE = re.compile(
    r"\b\d{1,2}:\d{2}\b|\b[Vv]ersions? v?\d+(?:\.\d+)*|\bv\d+(?:\.\d+)+|\b[Dd]ay \d+\b|\bT\d+\b|\b[Ii]teration \d+"
    r"|\b\d+[- ](?:bar|minute|day|hour)s?\b|\b\d{4}-\d\d-\d\d\b|\b[A-Za-z]+-\d+\b|\b[A-Za-z]+\(\d+(?:, ?\d+)*\)|\b95 ?%"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"(\[])|\n+")


@dataclass(frozen=True, slots=True)
class Unsound:
    """A figure that its sentence's evidence does not hold."""

    start: int
    end: int
    text: str
    why: str


def unsound(text: str, pack: EvidencePack, scripts: str) -> list[Unsound]:
    """The figures that are not in the evidence they cite, and ids that do not exist, in the order of the text."""
    known = _values(pack)
    names = {bucket.id: bucket.name for bucket in pack.buckets}
    plain = {float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", scripts)}
    found: list[Unsound] = []
    for start, sentence in _sentences(text):
        cited = [identifier for match in IDS.finditer(sentence) for identifier in split_ids(match[1])]
        for match in IDS.finditer(sentence):
            wrong = [identifier for identifier in split_ids(match[1]) if identifier not in known]
            if wrong:
                found.append(Unsound(start + match.start(), start + match.end(), match[0], f"there is no evidence {', '.join(wrong)}"))
        # Blanked with as many spaces, so that places stay what they are.
        bare = IDS.sub(lambda match: " " * len(match[0]), sentence)
        bare = _NO_FIGURE.sub(lambda match: " " * len(match[0]), bare)
        values = [value for identifier in cited for value in known.get(identifier, ())]
        bounds = " ".join(names.get(identifier, "") for identifier in cited)
        for match in _NUMBER.finditer(bare):
            if not _sound(match, values, plain, bounds):
                why = "it cites no evidence" if not cited else f"{', '.join(cited)} says otherwise"
                found.append(Unsound(start + match.start(), start + match.end(), match[0].strip(), why))
    return sorted(found, key=lambda each: each.start)


def struck_out(text: str, wrong: Iterable[Unsound]) -> str:
    """The text with each unsound figure struck out where a person sees it."""
    for each in sorted(wrong, key=lambda each: -each.start):
        piece = text[each.start : each.end]
        kept = piece.rstrip()
        text = text[: each.start] + STRUCK.format(kept) + piece[len(kept) :] + text[each.end :]
    return text


def split_ids(inside: str) -> list[str]:
    """The ids within one pair of brackets."""
    return re.split(r"\s*[,;]\s*", inside)


def _sentences(text: str) -> Iterable[tuple[int, str]]:
    """Each sentence with its place. An id that follows a full stop belongs to the sentence before it."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if "\n" not in match[0] and IDS.match(text, match.end()):
            continue
        yield start, text[start : match.start()]
        start = match.end()
    yield start, text[start:]


def _sound(match: re.Match[str], values: Iterable[tuple[float, str]], plain: set[float], bounds: str) -> bool:
    digits = match["digits"].replace(",", "")
    number, decimals = float(digits), len(digits.partition(".")[2])
    unit = match["unit"].strip()
    half = 0.5 * 10**-decimals * (1 + 1e-9)
    if unit in ("", "x", "times") and not match["dollar"].endswith("$") and number in plain:
        return True
    if re.search(rf"(?<![\d.]){re.escape(digits)}(?![\d.])", bounds):
        return True
    for value, kind in values:
        for scale in _scales(kind, unit, match["dollar"].endswith("$")):
            if abs(abs(value) * scale - number) <= half and not _wrong_sign(match, value):
                return True
    return False


def _wrong_sign(match: re.Match[str], value: float) -> bool:
    """A sign that is written has to be right; a loss may be told without one."""
    minus = match["sign"] in ("-", "−", "–") or match["dollar"].startswith("-")
    return (minus and value > 0) or (match["sign"] == "+" and value < 0)


def _scales(kind: str, unit: str, dollar: bool) -> tuple[float, ...]:
    """By what a value of this kind is multiplied to be read in this unit; empty where it can't be."""
    if dollar:
        return () if kind not in ("dollars", "price") else (1e-3,) if unit == "k" else (1.0,)
    match unit:
        case "%" | "percent":
            return (100.0,) if kind == "fraction" else (1.0,) if kind == "percent" else ()
        case "basis points" | "bps" | "bp":
            return (1e4,) if kind == "fraction" else ()
        case "R":
            return (1.0,) if kind == "R" else ()
        case "k":
            return (1e-3,)
        case "x" | "times":
            return (1.0,) if kind in ("ratio", "number") else ()
        case _:
            return (100.0, 1.0) if kind == "fraction" else (1.0,)


def _values(pack: EvidencePack) -> dict[str, tuple[tuple[float, str], ...]]:
    found: dict[str, tuple[tuple[float, str], ...]] = {}
    for figure in (*pack.figures, *pack.funnel):
        found[figure.id] = tuple(_figure(figure))
    for bucket in pack.buckets:
        found[bucket.id] = tuple(_bucket(bucket))
    for trade in (*pack.best, *pack.worst):
        found[trade.id] = tuple(_trade(trade))
    return found


def _figure(figure: Figure) -> Iterable[tuple[float, str]]:
    kind = figure.unit if figure.unit in ("fraction", "dollars", "R", "ratio") else "number"
    yield figure.value, kind
    yield from _ends(figure.interval, kind)


def _bucket(bucket: Bucket) -> Iterable[tuple[float, str]]:
    yield from ((bucket.trades, "number"), (bucket.wins, "number"), (bucket.win_rate, "fraction"))
    yield from ((bucket.mean_r, "R"), (bucket.total_r, "R"))
    yield from _ends(bucket.win_rate_interval, "fraction")
    yield from _ends(bucket.mean_r_interval, "R")
    for value, kind in (
        (bucket.win_rate_lift, "fraction"),
        (bucket.r_lift, "R"),
        (bucket.p_value, "number"),
        (bucket.corrected_p, "number"),
    ):
        if value is not None:
            yield value, kind


def _trade(trade: TradeEvidence) -> Iterable[tuple[float, str]]:
    yield from ((trade.r_multiple, "R"), (trade.bars_held, "number"), (trade.pnl, "dollars"))
    yield from ((trade.entry_price, "price"), (trade.exit_price, "price"))
    for name, value in trade.context.items():
        yield value, "percent" if name.endswith("percent") or name == "market.change" else "number"


def _ends(interval: Interval | None, kind: str) -> Iterable[tuple[float, str]]:
    if interval is not None:
        yield interval.low, kind
        yield interval.high, kind
