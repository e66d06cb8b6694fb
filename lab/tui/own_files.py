"""The person's own files, keymap and themes: TOML read with the line of each entry, and a look at whether one has changed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError

_PLACE = re.compile(r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)

Marks = tuple[tuple[str, int, int], ...]
"""What tells that a file is another one: its path, when it was written and its size."""


class OwnFileError(LabError):
    """A file of the person's own can't be read."""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A TOML file that was read."""

    path: Path
    content: dict[str, Any]
    _lines: tuple[str, ...]

    def at(self, key: str = "") -> str:
        """Where a key is set, such as "/home/me/.config/lab/keymap.toml, line 3"; the file alone where it isn't."""
        told = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
        line = next((number for number, words in enumerate(self._lines, 1) if key and told.match(words)), None)
        return f"{self.path}, line {line}" if line else str(self.path)


def read_own_file(path: Path) -> OwnFile:
    """Read a TOML file.

    Raises OwnFileError that says where the mistake is.
    """
    try:
        words = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OwnFileError(f"{path} can't be read: {error}.") from None
    try:
        content = tomllib.loads(words)
    except tomllib.TOMLDecodeError as error:
        placed = _PLACE.match(str(error))
        line, what = (placed["line"] or len(words.splitlines()), placed["what"]) if placed else (1, str(error))
        raise OwnFileError(f"{path}, line {line} can't be read: {what}.") from None
    return OwnFile(path, content, tuple(words.splitlines()))


def marks(paths: Iterator[Path]) -> Marks:
    """How these files are now; those that are not there are left out. Cheap enough to be asked twice a second."""
    found = []
    for path in paths:
        try:
            now = path.stat()
        except OSError:
            continue
        found.append((str(path), now.st_mtime_ns, now.st_size))
    return tuple(found)


def own_paths(folder: Path) -> Iterator[Path]:
    """The files that a person's configuration folder may have."""
    yield folder / "keymap.toml"
    try:
        yield from sorted((folder / "themes").glob("*.toml"))
    except OSError:
        return
