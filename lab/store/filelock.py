"""A lock between processes on one machine: held by an open file, so it can't outlive its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.store.errors import DatabaseBusy, folder_error
from lab.store.workspace import FILE_MODE

_ASK_SECONDS = 0.005
"""The same however long one has waited, so that all who wait have the same chance."""


class FileLock:
    """An exclusive lock (`flock`) on a file that is made where missing and never removed.

    The operating system gives it up when the process ends, however it ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, wait_seconds: float = 0.0) -> bool:
        """Tries for `wait_seconds`, at least once; true when this object holds the lock. Raises `FolderError`, `DiskFull`."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise folder_error(error, self._path) from error
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(_ASK_SECONDS)
            except OSError as error:
                os.close(descriptor)
                raise folder_error(error, self._path) from error
            else:
                self._descriptor = descriptor
                return True

    def write(self, text: str) -> None:
        """Puts a note of the holder into the file, for `note` to read. Only the holder may."""
        if self._descriptor is None:
            raise RuntimeError("only the holder of a lock may write into its file")
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def note(path: Path) -> str:
    """What the last holder wrote into the lock file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def holding(path: Path, wait_seconds: float) -> Iterator[None]:
    """Holds the lock for the block; raises `DatabaseBusy` when another process keeps it for longer than `wait_seconds`."""
    lock = FileLock(path)
    if not lock.acquire(wait_seconds):
        raise DatabaseBusy(f"Another lab program has been holding {path} for {wait_seconds:.0f} s: close it, then try again.")
    try:
        yield
    finally:
        lock.release()
