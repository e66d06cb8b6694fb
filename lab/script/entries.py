"""What a catalogue entry is: signature, typed and bounded arguments, warm-up, meaning, source, example, formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl

    from lab.script.program import Value

MAX_WINDOW = 5000
"""Longest window in bars: a huge one makes Polars abort the process."""


class Takes(Enum):
    """What an argument may be."""

    SERIES = "a number per bar"
    NUMBER = "a number"
    CONDITION = "a condition"
    WHOLE = "a fixed whole number"
    FIXED = "a fixed number"
    TIME = 'a time such as "10:00"'
    TIMEFRAME = 'a timeframe such as "1d"'
    TICKER = 'a ticker such as "SPY"'
    ANY = "a number per bar or a condition"


class Category(Enum):
    AVERAGE = "averages"
    OSCILLATOR = "oscillators"
    TREND = "trend"
    VOLATILITY = "volatility"
    VOLUME = "volume"
    SESSION = "session"
    CANDLE = "candles"
    STRUCTURE = "structure"
    STATISTICS = "statistics"
    LOGIC = "logic"
    ACROSS = "across tickers"
    OTHER = "other timeframes and tickers"
    CONVERSION = "conversion"
    ORDER = "entry orders"


class Scope(Enum):
    """Over which rows a formula may look back."""

    BAR = "the bar itself"
    TICKER = "the ticker's bars so far"
    SESSION = "the ticker's bars so far in the session"
    MOMENT = "the bars of all tickers at the same time"


@dataclass(frozen=True, slots=True)
class Argument:
    """One typed, bounded argument. `default` None means it must be given."""

    name: str
    takes: Takes
    meaning: str
    default: float | str | None = None
    """A number, or the name of a field."""
    low: float | None = None
    high: float | None = None

    @property
    def bounds(self) -> str:
        """The bounds in words, or empty."""
        if self.low is None or self.high is None:
            return ""
        return f"from {number_text(self.low)} to {number_text(self.high)}"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language. Exactly one of `steps`, `among`, `build` and `formula` is set (entry orders, `on` and `of` have none)."""

    name: str
    category: Category
    arguments: tuple[Argument, ...]
    returns: Kind
    meaning: str
    source: str
    """Where the formula comes from."""
    example: str
    build: Callable[..., pl.Expr] | None = None
    """Polars implementation; gets a column per series or condition and a plain number per fixed argument."""
    steps: Callable[..., Value] | None = None
    """Compiled implementation; gets the program to add its steps to, then a value of it per series, number or condition and a plain number
    per fixed argument."""
    among: str | None = None
    """Of a function of scope MOMENT: how it is computed from the values of all tickers, "rank", "place" or "breadth"."""
    formula: str | None = None
    """The function written in the language itself, its arguments by name."""
    scope: Scope = Scope.TICKER
    bars: Callable[..., int] | None = None
    """Warm-up: how many bars at a ticker's start can have no value, from the fixed arguments in order."""
    sessions: Callable[..., int] | None = None
    """Warm-up beyond that: how many earlier sessions are needed, from the fixed arguments in order."""
    refuse: Callable[..., str | None] | None = None
    """What is wrong with these fixed arguments together, as a sentence, or None."""

    @property
    def signature(self) -> str:
        """As it is called, such as `rsi(x, n=14)`."""
        shown = [
            argument.name if argument.default is None else f"{argument.name}={_default_text(argument.default)}"
            for argument in self.arguments
        ]
        return f"{self.name}({', '.join(shown)})"

    @property
    def warm_up(self) -> str:
        """The warm-up at the default arguments, in words."""
        if self.formula is not None:
            return "that of its formula"
        defaults = [float(a.default) for a in self.arguments if a.takes in _FIXED and isinstance(a.default, (int, float))]
        complete = len(defaults) == sum(1 for a in self.arguments if a.takes in _FIXED)
        if self.bars is None and self.sessions is None:
            return "none"
        if not complete:
            return "until its window is full"
        bars = self.bars(*defaults) if self.bars else 0
        sessions = self.sessions(*defaults) if self.sessions else 0
        parts = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in ((bars, "bar"), (sessions, "session")) if count]
        return " and ".join(parts) or "none"


_FIXED = (Takes.WHOLE, Takes.FIXED, Takes.TIME)


def number_text(value: float) -> str:
    """A number as a person would write it: 3.0 is "3", 0.25 is "0.25"."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _default_text(value: float | str) -> str:
    return value if isinstance(value, str) else number_text(value)


def series(name: str = "x", meaning: str = "the numbers to look at", default: str | None = None) -> Argument:
    """A number per bar, which must change from bar to bar."""
    return Argument(name, Takes.SERIES, meaning, default)


def number(name: str = "x", meaning: str = "a number", default: float | None = None) -> Argument:
    """A number per bar or a fixed one."""
    return Argument(name, Takes.NUMBER, meaning, default)


def condition(name: str = "cond", meaning: str = "the condition to look at") -> Argument:
    """A condition per bar."""
    return Argument(name, Takes.CONDITION, meaning)


def whole(name: str = "n", meaning: str = "how many bars", default: int | None = None, low: int = 1, high: int = MAX_WINDOW) -> Argument:
    """A fixed whole number."""
    return Argument(name, Takes.WHOLE, meaning, default, low, high)


def fixed(name: str, meaning: str, default: float | None, low: float, high: float) -> Argument:
    """A fixed number."""
    return Argument(name, Takes.FIXED, meaning, default, low, high)
