"""What only SQLite needs: how a connection is set up, which journal is safe, and its errors as sentences."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lab.store.errors import DatabaseBusy, DatabaseDamaged, DatabaseReadOnly, DiskFull, StoreError, disk_full
from lab.store.workspace import Workspace

BUSY_SECONDS = 30
LOOKED_OVER_BYTES = 4 * 1024 * 1024


def journal_mode(version: tuple[int, int, int]) -> str:
    """ "wal" where that SQLite release is free of the WAL-reset bug that corrupts databases, else "delete".

    Source: sqlite.org/wal.html, section on the WAL-reset bug: fixed in 3.51.3 and in the patch releases 3.50.7 and 3.44.6.
    """
    if version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0):
        return "wal"
    return "delete"


def set_up_connection(connection: sqlite3.Connection) -> None:
    """Per connection: the driver opens no transaction of its own, waits, syncs fully and keeps references intact."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def settle_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Puts the file into the journal mode that is safe here; raises `DatabaseBusy` when another program prevents it."""
    wanted = journal_mode(sqlite3.sqlite_version_info)
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == wanted:
        return
    if connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0] != wanted:
        raise DatabaseBusy(
            f"{path} is open in another program whose way of writing is not safe with this SQLite ({sqlite3.sqlite_version}): "
            "close that program, then start again."
        )


def sentence(error: sqlite3.Error, workspace: Workspace) -> StoreError | None:
    """The error as a sentence, or None where it is not the workspace's condition but a mistake in the statement."""
    path = workspace.database_path
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseBusy(
                f"Another program has kept the database {path} locked for {BUSY_SECONDS} s: close it (or wait for it), then try again."
            )
        case sqlite3.SQLITE_FULL:
            return disk_full(path)
        case sqlite3.SQLITE_READONLY:
            return DatabaseReadOnly(
                f"The database {path} may not be written: make the file and its folder yours (chown, chmod u+rw), "
                "or set LAB_HOME to another folder."
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(workspace, str(error))
        case sqlite3.SQLITE_CANTOPEN:
            return _cannot_open(path)
        case sqlite3.SQLITE_IOERR:
            return StoreError(f"The disk that holds {path} failed to read or write ({error}): check the disk, then start again.")
        case _:
            return None


def damaged(workspace: Workspace, why: str) -> DatabaseDamaged:
    return DatabaseDamaged(f"The database {workspace.database_path} is damaged ({why}). {workspace.recovery_advice()}")


def check_integrity(connection: sqlite3.Connection, quick: bool) -> tuple[str, ...]:
    """What SQLite finds wrong with the file, at most ten lines; empty when it is sound."""
    try:
        rows = connection.execute(f"PRAGMA {'quick_check' if quick else 'integrity_check'}(10)").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return (str(error),)
    return tuple(row[0] for row in rows if row[0] != "ok")


def look_over(connection: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    """What is wrong with a database that is about to be used, as far as it can be seen within milliseconds.

    The whole file where it is small, else only its header and schema: the rest is found when it is read.
    """
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return check_integrity(connection, quick=True) if path.stat().st_size <= LOOKED_OVER_BYTES else ()


def _cannot_open(path: Path) -> StoreError:
    if path.is_dir():
        return StoreError(f"{path} is a folder, but the database should be a file there: move the folder away.")
    try:
        with path.open("rb+"):
            return DiskFull(f"No journal can be made beside {path}: the disk is full or the folder may not be written. Check both.")
    except OSError as error:
        return DatabaseReadOnly(f"The database {path} can't be opened ({error.strerror}): make it yours (chown, chmod u+rw).")
