"""Completing the path of a file of bars while it is typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.suggester import Suggester

DATA_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".gz", ".bz2", ".xz", ".zip")


class PathSuggester(Suggester):
    """Completes a path with the first matching folder or data file."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(complete_path, value)


def complete_path(value: str) -> str | None:
    """`value` completed by the first folder, CSV or Parquet file that begins so; None where there is none."""
    folder, _, start = value.rpartition("/")
    try:
        entries = sorted(Path(folder + "/" if value.startswith("/") or folder else ".").expanduser().iterdir())
    except (OSError, RuntimeError):
        return None
    for entry in entries:
        if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
            if entry.is_dir():
                return value + entry.name[len(start) :] + "/"
            if entry.suffix.lower() in DATA_ENDINGS:
                return value + entry.name[len(start) :]
    return None
