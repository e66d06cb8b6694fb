"""Where fetches stand, known without loading the database layer."""

from __future__ import annotations

from enum import StrEnum


class FetchState(StrEnum):
    """Where a fetch or one of its parts stands; a part is never PAUSED or CANCELLED, its fetch is."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FetchKind(StrEnum):
    """What a part of a fetch asks for."""

    SPLITS = "splits"
    DIVIDENDS = "dividends"
    BARS = "bars"
    INDEX = "index"
    NEWS = "news"
