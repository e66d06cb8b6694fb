"""Where a workspace lives and what the environment sets. Read before the first screen, so nothing heavy is loaded for it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

import platformdirs

from lab.errors import LabError

PREFIX = "LAB_"
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class BadSetting(LabError):
    """A variable of the environment has a value that means nothing."""


class Glyphs(StrEnum):
    """Which signs the terminal gets."""

    AUTO = "auto"
    """All of them, unless the locale says that they can't be shown."""
    UNICODE = "unicode"
    ASCII = "ascii"
    WORDS = "words"
    """ASCII without lines, bars and boxes: what a screen reader reads are words."""


class Settings:
    """Read from the environment, every name with the prefix `LAB_`: `home` is LAB_HOME. Raises BadSetting."""

    def __init__(self) -> None:
        self.home = Path(_text("home", "") or platformdirs.user_data_dir("lab", appauthor=False))
        """The workspace folder: database, bars, results, logs."""
        self.config = Path(_text("config", "") or platformdirs.user_config_dir("lab", appauthor=False))
        """The person's own themes and keymap."""
        self.mouse = _truth("mouse", True)
        """Whether the mouse works in the full-screen program; off, it stays the terminal's own, for selecting text."""
        self.glyphs = Glyphs(_one_of("glyphs", Glyphs.AUTO, tuple(Glyphs)))
        """Which signs are drawn: by the locale, "unicode", "ascii", or "words", without lines and bars, for a screen reader."""
        self.processes = _whole("processes", 2, 1, 64)
        """Processes for backtests."""
        self.polygon_url = _text("polygon_url", "https://api.polygon.io")
        """Where Polygon's API is asked; the vendor's new host, https://api.massive.com, speaks the same."""
        self.polygon_calls_per_minute = _whole("polygon_calls_per_minute", 5, 0, 1_000_000)
        """The rate of the Polygon plan: 5 on the free one, 0 for no limit."""
        self.claude_model = _text("claude_model", "claude-sonnet-5-5")
        """The model that thinks for agents with a Claude strategist; it needs a price (`lab usage prices`)."""
        self.claude_url = _text("claude_url", "https://api.anthropic.com")
        """Any server that speaks Anthropic's Messages API, such as one of your own."""
        self.claude_effort = _text("claude_effort", "low")
        """How much the model may think, "low" to "max"; empty for a model that knows no such setting."""
        self.claude_news_model = _text("claude_news_model", "")
        """The model that sorts headlines; empty for a small one of Anthropic's, or on a server of your own for `claude_model`."""
        self.blind = _truth("blind", True)
        """Whether a model sees aliases in place of tickers, dates and company names."""
        self.agent_budget = _number("agent_budget", 1.0, 0, 10_000)
        """Dollars an agent may spend on a model in a New York day, where none was set for it."""
        self.lab_budget = _number("lab_budget", 5.0, 0, 100_000)
        """Dollars all agents together may spend in a New York day, where nothing else was set."""


def _text(name: str, usual: str) -> str:
    return os.environ.get(PREFIX + name.upper(), usual)


def _bad(name: str, wanted: str) -> BadSetting:
    return BadSetting(f"{PREFIX}{name.upper()} is {_text(name, '')!r} in the environment, but it has to be {wanted}.")


def _truth(name: str, usual: bool) -> bool:
    said = _text(name, "").strip().casefold()
    if said and said not in _YES + _NO:
        raise _bad(name, "true or false")
    return said in _YES if said else usual


def _one_of(name: str, usual: str, known: tuple[str, ...]) -> str:
    said = _text(name, "").strip().casefold() or usual
    if said not in known:
        raise _bad(name, f"one of {', '.join(known)}")
    return said


def _whole(name: str, usual: int, low: int, high: int) -> int:
    number = _number(name, usual, low, high)
    if number != int(number):
        raise _bad(name, f"a whole number from {low:,} to {high:,}")
    return int(number)


def _number(name: str, usual: float, low: float, high: float) -> float:
    said = _text(name, "").strip()
    try:
        number = float(said) if said else float(usual)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise _bad(name, f"a number from {low:,g} to {high:,g}")
    return number
