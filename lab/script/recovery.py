"""Reading on after a line that can't be read, so that one slip of the pen does not hide what else is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.script.errors import ScriptError
from lab.script.source import MAX_CHARACTERS, MAX_LINES, Source, parse

MAX_UNREADABLE = 10
_STATEMENT = re.compile(r"(?:def\s+)?([A-Za-z_]\w*)\s*(?:=(?!=)|\(.*\)\s*:?)")
_NAME = re.compile(r"\s*(?:def\s+)?([A-Za-z_]\w*)\s*[=(:]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A script as far as it can be read."""

    source: Source | None
    """Without the lines that can't be read; None where the rest would mean nothing."""
    errors: tuple[ScriptError, ...]
    lost: tuple[str, ...]
    """Names that lines give which can't be read."""


def read(script: str, text: str) -> Reading:
    """The script's tree, with an error for each statement that had to be left out to get one."""
    errors: list[ScriptError] = []
    lost: list[str] = []
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > MAX_CHARACTERS or len(lines) > MAX_LINES:
        return _refused(script, text)
    while True:
        try:
            return Reading(parse(script, "\n".join(lines)), tuple(errors), tuple(lost))
        except ScriptError as error:
            if error.message.startswith("the script has"):
                # Its size is no line's own mistake.
                return Reading(None, (error,), ())
            errors.append(error)
            name = _take_out(lines, error.line - 1)
            if name is None or len(errors) >= MAX_UNREADABLE:
                # Without knowing which name is missing, every use of it would look like one more mistake.
                return Reading(None, tuple(errors), tuple(lost))
            lost.append(name)


def _refused(script: str, text: str) -> Reading:
    try:
        return Reading(parse(script, text), (), ())
    except ScriptError as error:
        return Reading(None, (error,), ())


def _take_out(lines: list[str], wrong: int) -> str | None:
    """Empties the statement around a line; returns the name it would have given, or None."""
    first = next((at for at in range(wrong, -1, -1) if _STATEMENT.match(lines[at])), wrong)
    last = next((at for at in range(wrong + 1, len(lines)) if _STATEMENT.match(lines[at])), len(lines))
    found = _NAME.match(lines[first])
    lines[first:last] = [""] * (last - first)
    return found[1] if found else None
