"""A script to read, with line numbers as errors and diffs count them."""

from __future__ import annotations

from textual.content import Content

from lab.tui.text import clean
from lab.tui.widgets.flow import Line


def script_text(title: str, script: str) -> list[Line]:
    """The script under its title; comments are muted."""
    lines: list[Line] = [(Content.styled(title, "bold"), 0)]
    for number, line in enumerate(clean(script, lines=True).rstrip("\n").split("\n"), 1):
        code, sign, comment = line.partition("#")
        parts = ((f"{number:>3} ", "$foreground-disabled"), code, (sign + comment, "italic $foreground-muted"))
        lines.append((Content.assemble(*parts), 8))
    return lines
