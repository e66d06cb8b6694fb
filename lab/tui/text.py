"""Text on its way to the screen: cleaning of what others wrote, and how figures are written.

Textual passes terminal escapes through in every widget and reads `[...]` in a `str` as markup. So whatever a model, a
news feed, a file or a person wrote goes through `clean` (where a widget never parses markup: table cells, text areas,
inputs) or `safe` (everywhere else: a `Content` is never parsed).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from textual.content import Content

from lab.agents.agent_views import Interval

UNKNOWN = "–"

_ESCAPES = re.compile(
    r"""
      (?:\x1b[PX^_\]]|[\x90\x98\x9d\x9e\x9f]) .*? (?:\x1b\\|\x9c|\x07|\Z)   # DCS, SOS, PM, APC, OSC up to their end
    | (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                                   # CSI
    | \x1b [ -/]* [0-~]?                                                     # two-character and charset escapes
    """,
    re.VERBOSE | re.DOTALL,
)
# Controls, DEL, C1, lone surrogates, and the invisible characters that reorder or hide text.
_CONTROLS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]|[\U000e0000-\U000e007f]"
)


class Tone(StrEnum):
    """What a piece of text says beside its words; a sign, an arrow or a word always says it too."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    ACCENT = "accent"


TONE_STYLES: dict[Tone, str] = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.MUTED: "$foreground-muted",
    Tone.GOOD: "$text-success",
    Tone.BAD: "$text-error",
    Tone.WARN: "$text-warning",
    Tone.ACCENT: "$text-accent",
}


def clean(text: str, *, lines: bool = False) -> str:
    """`text` without terminal escapes, control characters and invisible reordering marks.

    Line ends are kept where `lines` is set and become spaces otherwise; a tab becomes spaces.
    """
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))
    text = _CONTROLS.sub("", text)
    return text if lines else " ".join(text.split("\n"))


def safe(text: str, tone: Tone = Tone.PLAIN, *, lines: bool = True) -> Content:
    """`clean(text)` as content that no widget reads as markup."""
    return Content.styled(clean(text, lines=lines), TONE_STYLES[tone])


def toned(text: str, tone: Tone) -> Content:
    """Our own words in a tone."""
    return Content.styled(text, TONE_STYLES[tone])


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as percent: 0.543 is "54.3%"."""
    return UNKNOWN if value is None else f"{_no_minus_zero(value * 100, digits):,.{digits}f}%"


def signed_percent(value: float | None, digits: int = 1) -> str:
    """A fraction as percent with its sign: 0.031 is "+3.1%"; what rounds to zero has none."""
    return UNKNOWN if value is None else f"{_signed(value * 100, digits)}%"


def number(value: float | None, digits: int = 2) -> str:
    """A ratio such as Sharpe: "1.24"."""
    return UNKNOWN if value is None else f"{_no_minus_zero(value, digits):,.{digits}f}"


def signed_number(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else _signed(value, digits)


def count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def usd(micros: int) -> str:
    """Micro-dollars for a person, to the tenth of a cent where it is little."""
    return f"${micros / 1e6:,.2f}" if micros >= 995_000 or micros == 0 else f"${micros / 1e6:.3f}"


def dollars(value: float | None) -> str:
    """Dollars: "$1,240", "-$310"; with cents below ten of them: "$0.42"."""
    if value is None:
        return UNKNOWN
    digits = 0 if value == 0 or abs(value) >= 10 else 2
    value = _no_minus_zero(value, digits)
    return f"{'-' if value < 0 else ''}${abs(value):,.{digits}f}"


def signed_dollars(value: float | None) -> str:
    """Dollars with their sign: "+$1,240", "-$0.31"; what rounds to zero has none."""
    words = dollars(value)
    return f"+{words}" if value is not None and round(value, 2) > 0 else words


def percent_interval(interval: Interval | None) -> str:
    """An interval of fractions: "48–60%"."""
    return "" if interval is None else f"{interval.low * 100:.0f}–{interval.high * 100:.0f}%"


def number_interval(interval: Interval | None, digits: int = 1) -> str:
    """An interval of ratios, with "to" because its ends may be negative: "-0.3 to 2.1"."""
    return (
        ""
        if interval is None
        else f"{_no_minus_zero(interval.low, digits):.{digits}f} to {_no_minus_zero(interval.high, digits):.{digits}f}"
    )


def verdict_mark(verdict: str) -> tuple[str, Tone]:
    """The sign before a paired verdict. An arrow is drawn only where there is evidence."""
    return {"better": ("▲", Tone.GOOD), "worse": ("▼", Tone.BAD)}.get(verdict, ("≈", Tone.MUTED))


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago: "just now", "5 min ago", "3 h ago", "2 days ago", then the date."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min ago"
    if seconds < 36 * 3600:
        return f"{max(1, round(seconds / 3600))} h ago"
    if seconds < 14 * 86400:
        return f"{round(seconds / 86400)} days ago"
    return moment.strftime("%Y-%m-%d")


def duration(seconds: float | None) -> str:
    """A length of time: "0.4 s", "12 s", "3 min 05 s"."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def plural(amount: int, word: str, words: str = "") -> str:
    """ "1 iteration", "2 iterations"."""
    return f"{amount:,} {word if amount == 1 else words or word + 's'}"


def sentence(words: str) -> str:
    """Cleaned words with a full stop, unless they end with a sign of their own."""
    words = clean(words).strip()
    return words if words.endswith((".", "!", "?", "…", ":")) else words + "."


def bar(fraction: float, width: int) -> str:
    """A progress bar of `width` cells: "█████░░░░░"."""
    filled = round(min(1.0, max(0.0, fraction)) * width)
    return "█" * filled + "░" * (width - filled)


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The last `width` values as one line of blocks; a missing value is a dot."""
    shown = list(values)[-width:] if width > 0 else []
    known = [value for value in shown if value is not None]
    if not known:
        return "·" * len(shown)
    low, high = min(known), max(known)
    blocks = "▁▂▃▄▅▆▇█"
    span = high - low
    return "".join("·" if v is None else blocks[round((v - low) / span * 7) if span else 3] for v in shown)


def levels(values: Sequence[float], width: int) -> str:
    """The last `width` values from 0 to 1 as one line of blocks, the same height for the same value everywhere."""
    return "".join("▁▂▃▄▅▆▇█"[round(min(1.0, max(0.0, value)) * 7)] for value in list(values)[-width:])


def thin(values: Sequence[float], width: int) -> list[float]:
    """At most `width` of the values, evenly spaced, the last one always among them."""
    if len(values) <= width or width < 2:
        return list(values)
    return [values[round(n * (len(values) - 1) / (width - 1))] for n in range(width)]


def _signed(value: float, digits: int) -> str:
    value = _no_minus_zero(value, digits)
    return f"{value:{'+' if value else ''},.{digits}f}"


def _no_minus_zero(value: float, digits: int) -> float:
    return 0.0 if round(value, digits) == 0 else value
