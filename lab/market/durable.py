"""Writing files so that a crash, a full disk or a cut of power leaves either the old content or the new, never half."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.market.errors import CacheUnwritable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNCHANGED = "The bars cached before are unchanged."
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each for the owner alone (0700)."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Put `content` at `path` (0600): a temporary file beside it, fsync, rename, fsync of the folder."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a cut of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explaining_write_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says when a write fails into a sentence a person can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CacheUnwritable(f"The disk of {folder} is full: free some space and try again. {_UNCHANGED}") from error
        if error.errno in _FORBIDDEN:
            raise CacheUnwritable(
                f"The folder {folder} can't be written (it is read-only or belongs to someone else): change its rights, or set LAB_HOME "
                f"to another folder. {_UNCHANGED}"
            ) from error
        raise CacheUnwritable(f"Writing bars to {folder} failed: {error.strerror or error}. {_UNCHANGED}") from error
