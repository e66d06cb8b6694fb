"""Checked copies of the database: made before a migration and once a day, the oldest daily ones let go."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.store import sqlite
from lab.store.errors import StoreError, folder_error
from lab.store.workspace import FILE_MODE, Workspace

DAILY = "daily"
KEPT_DAILY = 7


def make_backup(workspace: Workspace, why: str, now: datetime) -> Path:
    """Copies the database as it is at this moment, checks the copy and puts it into `workspace.backups`.

    `why` is a word for the file's name. The copy appears under its name only when it is complete, checked and synced.
    Raises `StoreError` (disk full, damaged…); the database itself is only read.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = workspace.backups / f"lab-{stamp}-{why}.sqlite3"
    partial = target.with_suffix(".partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        try:
            _copy_and_check(workspace, partial)
            os.replace(partial, target)
            _sync(workspace.backups)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise folder_error(error, target) from error
    return target


def make_daily_backup(workspace: Workspace, now: datetime) -> Path | None:
    """A backup when the newest daily one is a day old, keeping the last seven; None when it was not due."""
    newest = next(iter(_daily_backups(workspace)), None)
    if newest is not None and now - _made_at(newest) < timedelta(days=1):
        return None
    made = make_backup(workspace, DAILY, now)
    for old in _daily_backups(workspace)[KEPT_DAILY:]:
        old.unlink(missing_ok=True)
    return made


def _daily_backups(workspace: Workspace) -> list[Path]:
    return [path for path in workspace.backup_files() if path.stem.endswith(f"-{DAILY}")]


def _made_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _copy_and_check(workspace: Workspace, partial: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(workspace.database_path, timeout=sqlite.BUSY_SECONDS)) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
            found = sqlite.check_integrity(copy, quick=False)
            # A copy of a WAL database says so in its header: a lone file must not wait for a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        said = sqlite.sentence(error, workspace)
        raise said if said is not None else StoreError(f"The database could not be backed up: {error}.") from error
    if found:
        raise sqlite.damaged(workspace, found[0])
    _sync(partial)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
