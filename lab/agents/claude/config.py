"""What a person set for Claude: the model, its server, blind mode, budgets, and where the key is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.budget.money import Daily

if TYPE_CHECKING:
    from pydantic import SecretStr

MODEL = "claude-sonnet-5-5"
BASE_URL = "https://api.anthropic.com"
EFFORT = "low"
READER = "claude-haiku-5-5"
"""Sorts headlines: a model of a twentieth of the price does that as well."""


@dataclass(frozen=True, slots=True)
class ClaudeSettings:
    """Holds no key: that is read when it is needed and kept nowhere."""

    config_folder: Path
    """Where the key's file lies."""
    model: str = MODEL
    base_url: str = BASE_URL
    """Any server that speaks the Messages API."""
    blind: bool = True
    effort: str = EFFORT
    """How much the model may think: "low" to "max"; empty for a model that knows no such setting."""
    daily: Daily = field(default_factory=Daily)
    silence_seconds: float = 120.0
    """A reply that brings nothing for so long is given up."""
    news_model: str = ""
    """The model that sorts headlines; empty for `READER`, or on a server of one's own for `model`."""

    @property
    def reader(self) -> str:
        """The model that sorts headlines."""
        return self.news_model or (READER if self.base_url == BASE_URL else self.model)

    def key(self) -> SecretStr | None:
        """The person's key, or None where there is none."""
        from lab.agents.keys import anthropic_key

        return anthropic_key(self.config_folder)
