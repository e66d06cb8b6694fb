"""Scripts in files: how a file holds the two scripts of a strategy, and what can be asked of them without a workspace.

A file holds a scan script, then a line `# execution`, then the execution script; a line `# scan` may stand before the
scan. A file without the line `# execution` is a scan alone. The execution script may also have a file of its own.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.errors import BadScript
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.script import ScriptError

STANDARD_INPUT = "-"
LARGEST_BYTES = 200_000
_MARK = re.compile(r"#\s*(scan|execution)(?:\s+script)?\s*(?::.*)?$", re.IGNORECASE)
_ANY_EXECUTION = "entry = at_open()\nstop = low - atr(14) if side > 0 else high + atr(14)\n"
"""Stands in for the execution script of a scan alone where both are needed; none of it is shown."""


class NoScript(LabError):
    """A file is not there, can't be read or written, or is not laid out as a file of scripts is."""


@dataclass(frozen=True, slots=True)
class ScriptFile:
    """The two scripts of a file, or of two; the lines that part them stay in the texts, as the comments they are."""

    path: str
    scan: str
    execution: str | None
    """None for a scan alone."""
    execution_path: str | None = None
    """Where the execution script has a file of its own."""
    first_execution_line: int = 1
    """In which line of its file the execution script begins."""

    @property
    def text(self) -> str:
        """What the (first) file holds."""
        return self.scan if self.execution is None or self.execution_path is not None else self.scan + self.execution


@dataclass(frozen=True, slots=True)
class Finding:
    """An error at its place in a file. Line and column count from 1."""

    path: str
    script: str
    line: int
    column: int
    message: str
    suggestion: str
    example: str
    source_line: str

    @property
    def in_words(self) -> str:
        hint = f" {_sentence(self.suggestion)}" if self.suggestion else ""
        return f"{self.path}, line {self.line}, column {self.column}: {_sentence(self.message)}{hint}"


@dataclass(frozen=True, slots=True)
class Said:
    """A line of a script and what it says in plain English. `line` counts from 1 in its file."""

    script: str
    line: int
    source: str
    words: str


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """A number the scripts mark as free to vary."""

    name: str
    script: str
    value: float
    low: float | None
    high: float | None
    step: float | None


def read_scripts(path: str, execution_path: str | None = None) -> ScriptFile:
    """The scripts of a file ("-" is standard input), the execution script from a file of its own where one is named.

    Raises:
        NoScript: a file can't be read, or holds its scripts in another order or twice.
    """
    text = _read(path)
    marks = [(number, match[1].lower()) for number, line in enumerate(text.split("\n")) if (match := _MARK.match(line.strip()))]
    kinds = [kind for _, kind in marks]
    if len(set(kinds)) < len(kinds):
        twice = next(kind for kind in kinds if kinds.count(kind) > 1)
        raise NoScript(f"{path} has the line `# {twice}` twice: a file holds one scan and one execution script.")
    if kinds == ["execution", "scan"]:
        raise NoScript(f"{path} has its execution script before its scan: write the scan first, then a line `# execution`.")
    at = next((number for number, kind in marks if kind == "execution"), None)
    if execution_path is not None:
        if at is not None:
            raise NoScript(f"{path} has an execution script of its own (line {at + 1}), and {execution_path} is given as another.")
        return ScriptFile(path, text, _read(execution_path), execution_path)
    if at is None:
        return ScriptFile(path, text, None)
    lines = text.split("\n")
    scan = "".join(line + "\n" for line in lines[:at])
    return ScriptFile(path, scan, "\n".join(lines[at:]), None, at + 1)


def findings(file: ScriptFile) -> tuple[Finding, ...]:
    """Every error in the scripts, in reading order; empty when they are right. A scan alone is checked as one."""
    from lab.script import check, check_scan

    errors = check_scan(file.scan) if file.execution is None else check(file.scan, file.execution)
    return tuple(_finding(file, error) for error in errors)


def require_right(file: ScriptFile) -> None:
    """Raises BadScript with the first error where there is one."""
    if found := findings(file):
        more = f" It has {len(found)} errors: see `lab script check`." if len(found) > 1 else ""
        raise BadScript(f"{found[0].in_words}{more}")


def formatted(file: ScriptFile) -> ScriptFile:
    """The scripts in canonical layout, comments kept. Raises BadScript where one can't be read."""
    from lab.script import ScriptError, format_script

    texts: list[str | None] = []
    for script, text in (("scan", file.scan), ("execution", file.execution)):
        try:
            texts.append(None if text is None else format_script(text))
        except ScriptError as error:
            error.script = script
            raise BadScript(_finding(file, error).in_words) from None
    scan, execution = texts[0] or "", texts[1]
    return replace(file, scan=scan + "\n" if scan and execution is not None and file.execution_path is None else scan, execution=execution)


def explained(file: ScriptFile) -> tuple[Said, ...]:
    """The scripts in plain English, line by line; of a scan alone its own lines. Raises BadScript."""
    from lab.script import ScriptError, explain

    require_right(file)
    try:
        lines = explain(file.scan, _ANY_EXECUTION if file.execution is None else file.execution)
    except ScriptError as error:  # a scan that is right only as long as it stands alone
        raise BadScript(_finding(file, error).in_words) from None
    first = {"scan": 1, "execution": file.first_execution_line}
    return tuple(
        Said(line.script, line.number + first[line.script] - 1, line.source, line.words)
        for line in lines
        if line.script == "scan" or file.execution is not None
    )


def parameters(file: ScriptFile) -> tuple[ParameterRow, ...]:
    """The scripts' parameters in reading order. Raises BadScript."""
    from lab.script import compile_strategy
    from lab.script.parameters import find_parameters
    from lab.script.source import parse

    require_right(file)
    if file.execution is None:
        found = tuple(marked.parameter for marked in find_parameters(parse("scan", file.scan))[0])
    else:
        found = compile_strategy(file.scan, file.execution).parameters
    return tuple(ParameterRow(one.name, one.script, one.default, one.low, one.high, one.step) for one in found)


def with_parameters(file: ScriptFile, values: Mapping[str, float]) -> ScriptFile:
    """The scripts with the defaults of the named parameters rewritten, all else untouched. Raises BadScript."""
    from lab.script import ScriptError, set_parameters

    require_right(file)
    try:
        scan, execution = set_parameters(file.scan, file.execution or "", values)
    except ScriptError as error:
        hint = f" {_sentence(error.suggestion)}" if error.suggestion else ""
        raise BadScript(f"{file.path}: {_sentence(error.message)}{hint}") from None
    changed = replace(file, scan=scan, execution=None if file.execution is None else execution)
    require_right(changed)
    return changed


def changes(old: ScriptFile, new: ScriptFile) -> tuple[str, ...]:
    """What differs in meaning, a phrase each; empty where only the layout does. Raises BadScript."""
    from lab.script import describe_changes

    for file in (old, new):
        require_right(file)
    if (old.execution is None) != (new.execution is None):
        alone, both = (old, new) if old.execution is None else (new, old)
        note = f"{alone.path} is a scan alone: the execution script of {both.path} is not compared"
        return (*describe_changes(old.scan, "", new.scan, ""), note)
    return describe_changes(old.scan, old.execution or "", new.scan, new.execution or "")


def write_scripts(file: ScriptFile) -> None:
    """Write the scripts to where they were read from; each file whole or not at all, its permissions kept. Raises NoScript."""
    _write(file.path, file.text)
    if file.execution_path is not None and file.execution is not None:
        _write(file.execution_path, file.execution)


def _finding(file: ScriptFile, error: ScriptError) -> Finding:
    own = error.script == "execution"
    path = (file.execution_path or file.path) if own else file.path
    line = error.line + (file.first_execution_line - 1 if own else 0)
    return Finding(path, error.script, line, error.column, error.message, error.suggestion, error.example, error.source_line)


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?", "…")) else words + "."


def _read(path: str) -> str:
    try:
        raw = sys.stdin.buffer.read(LARGEST_BYTES + 1) if path == STANDARD_INPUT else _head(Path(path))
    except OSError as error:
        raise NoScript(f"{path} can't be read: {error.strerror or error}.") from None
    if len(raw) > LARGEST_BYTES:
        raise NoScript(f"{path} is larger than {LARGEST_BYTES // 1000} kB: that is no script.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoScript(f"{path} is not a text file in UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _write(path: str, text: str) -> None:
    target = Path(path).resolve()
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o7777)
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise NoScript(f"{path} can't be written: {error.strerror or error}.") from None
