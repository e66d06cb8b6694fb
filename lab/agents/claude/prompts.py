"""The prompts: files with a version, read once, with their gaps filled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("prompts")


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    version: str
    text: str

    @property
    def label(self) -> str:
        """Name and version, stored with every call."""
        return f"{self.name} {self.version}"

    def fill(self, **values: str) -> str:
        """The text with each {{name}} replaced. Raises KeyError for a gap without a value."""
        return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], self.text)


@cache
def prompt(name: str) -> Prompt:
    """The prompt in `prompts/<name>.md`, whose first line is its version."""
    head, _, text = (FOLDER / f"{name}.md").read_text(encoding="utf-8").partition("\n")
    return Prompt(name, head.removeprefix("version:").strip(), text.strip())
