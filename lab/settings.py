"""Where a workspace lives and what the environment sets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Glyphs(StrEnum):
    """Which signs the terminal gets."""

    AUTO = "auto"
    """All of them, unless the locale says that they can't be shown."""
    UNICODE = "unicode"
    ASCII = "ascii"
    WORDS = "words"
    """ASCII without lines, bars and boxes: what a screen reader reads are words."""


class Settings(BaseSettings):
    """Read from the environment, every name with the prefix `LAB_`."""

    model_config = SettingsConfigDict(env_prefix="LAB_", extra="ignore")

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("lab", appauthor=False)))
    """The workspace folder: database, bars, results, logs."""
    config: Path = Field(default_factory=lambda: Path(platformdirs.user_config_dir("lab", appauthor=False)))
    """The person's own themes and keymap."""
    mouse: bool = True
    """Whether the mouse works in the full-screen program; off, it stays the terminal's own, for selecting text."""
    glyphs: Glyphs = Glyphs.AUTO
    """Which signs are drawn: by the locale, "unicode", "ascii", or "words", without lines and bars, for a screen reader."""
    processes: int = Field(default=2, ge=1, le=64)
    """Processes for backtests."""
    polygon_url: str = "https://api.polygon.io"
    """Where Polygon's API is asked; the vendor's new host, https://api.massive.com, speaks the same."""
    polygon_calls_per_minute: int = Field(default=5, ge=0)
    """The rate of the Polygon plan: 5 on the free one, 0 for no limit."""
    claude_model: str = "claude-sonnet-5-5"
    """The model that thinks for agents with a Claude strategist; it needs a price (`lab usage prices`)."""
    claude_url: str = "https://api.anthropic.com"
    """Any server that speaks Anthropic's Messages API, such as one of your own."""
    claude_effort: str = "low"
    """How much the model may think, "low" to "max"; empty for a model that knows no such setting."""
    claude_news_model: str = ""
    """The model that sorts headlines; empty for a small one of Anthropic's, or on a server of your own for `claude_model`."""
    blind: bool = True
    """Whether a model sees aliases in place of tickers, dates and company names."""
    agent_budget: float = Field(default=1.0, ge=0, le=10_000)
    """Dollars an agent may spend on a model in a New York day, where none was set for it."""
    lab_budget: float = Field(default=5.0, ge=0, le=100_000)
    """Dollars all agents together may spend in a New York day, where nothing else was set."""
