"""Where a workspace lives and what the environment sets."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment, every name with the prefix `LAB_`."""

    model_config = SettingsConfigDict(env_prefix="LAB_", extra="ignore")

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("lab", appauthor=False)))
    """The workspace folder: database, bars, results, logs."""
    config: Path = Field(default_factory=lambda: Path(platformdirs.user_config_dir("lab", appauthor=False)))
    """The person's own themes and keymap."""
    processes: int = Field(default=2, ge=1, le=64)
    """Processes for backtests."""
    polygon_url: str = "https://api.polygon.io"
    """Where Polygon's API is asked; the vendor's new host, https://api.massive.com, speaks the same."""
    polygon_calls_per_minute: int = Field(default=5, ge=0)
    """The rate of the Polygon plan: 5 on the free one, 0 for no limit."""
