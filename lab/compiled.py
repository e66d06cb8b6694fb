"""The compiled modules (`.pyx` files): a sentence that says what to run where one is missing, or older than its source."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

from lab.errors import LabError

REBUILD = "uv sync --reinstall-package trading-lab"

_PACKAGE = Path(__file__).parent


class NotCompiledError(LabError):
    """A part of the program that is compiled at install is missing."""


class _Missing:
    """Asked last for a module: one that nobody found though its source is here was not compiled.

    Not derived from `MetaPathFinder`: `importlib.abc` costs each start 8 ms.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        room, *rest = fullname.split(".")
        if room == _PACKAGE.name and rest and _PACKAGE.joinpath(*rest).with_suffix(".pyx").is_file():
            raise NotCompiledError(f"The compiled part {fullname} of the program is missing: run `{REBUILD}` in {_PACKAGE.parent}.")


def explain_missing() -> None:
    """From now on a compiled module that is missing is a NotCompiledError, not an ImportError."""
    if not any(isinstance(finder, _Missing) for finder in sys.meta_path):
        sys.meta_path.append(_Missing())


def outdated() -> str | None:
    """A sentence that names the compiled modules older than their sources, which only a checkout has; None where all are current."""
    old = [
        source.stem
        for source in sorted(_PACKAGE.rglob("*.pyx"))
        for built in _built(source)
        if built.stat().st_mtime < source.stat().st_mtime
    ]
    if not old:
        return None
    return f"The compiled part of the program ({', '.join(old)}) is older than its source: run `{REBUILD}` in {_PACKAGE.parent}."


def _built(source: Path) -> list[Path]:
    places = (source.with_name(source.stem + suffix) for suffix in EXTENSION_SUFFIXES)
    return [place for place in places if place.is_file()][:1]
