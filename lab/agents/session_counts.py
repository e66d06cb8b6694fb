"""How many sessions each cached series has and how many of them are complete, kept in a file: counting them reads all bars.

A count holds as long as the series' files have the checksums that it was made of. The file can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.store.workspace import FILE_MODE

Series = tuple[str, str, bool]
"""Ticker, timeframe, and whether the bars are the demo market's."""


@dataclass(frozen=True, slots=True)
class SessionCount:
    """Of a series, from its first bar to its last."""

    sessions: int
    complete: int


class SessionCounts:
    """The counts kept in one file. What can't be read is counted again, and what can't be written is not kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self, digests: dict[Series, str]) -> dict[Series, SessionCount]:
        """The counts that still hold of these series, by the digest of their files."""
        kept = self._read()
        found = {}
        for series, digest in digests.items():
            count = kept.get(_name(series))
            if isinstance(count, list) and len(count) == 3 and count[0] == digest:
                found[series] = SessionCount(int(count[1]), int(count[2]))
        return found

    def keep(self, series: Series, digest: str, count: SessionCount) -> None:
        """Keep a count. Of two that are kept at the same time one may be lost, and is made again."""
        kept = {**self._read(), _name(series): [digest, count.sessions, count.complete]}
        unfinished = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            unfinished.write_text(json.dumps(kept), encoding="utf-8")
            unfinished.chmod(FILE_MODE)
            unfinished.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def _name(series: Series) -> str:
    ticker, timeframe, synthetic = series
    return f"{ticker} {timeframe}{' demo' if synthetic else ''}"
