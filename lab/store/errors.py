"""What can go wrong with a workspace, each as a sentence a person can act on."""

from __future__ import annotations

import errno
from pathlib import Path

from lab.errors import LabError


class StoreError(LabError):
    """The workspace can't be used as asked; the text says why and what to do."""


class FolderError(StoreError):
    """The workspace folder can't be made, read or written."""


class DatabaseBusy(StoreError):
    """Another program held the database for longer than the lab waits."""


class DiskFull(StoreError):
    """There is no room left to store anything."""


class DatabaseReadOnly(StoreError):
    """The database can be read but not written."""


class DatabaseDamaged(StoreError):
    """The database file is not a sound database; the lab leaves it as it is."""


class DatabaseNewer(StoreError):
    """A newer version of the lab wrote this database."""


def folder_error(error: OSError, path: Path) -> StoreError:
    """The sentence for an error of the operating system while `path` was made, read or written."""
    match error.errno:
        case errno.EEXIST | errno.ENOTDIR:
            return FolderError(
                f"{path} can't be a folder, because a file stands in its place (or in place of a folder above it): "
                "move that file away, or set LAB_HOME to another folder."
            )
        case errno.EACCES | errno.EPERM:
            return FolderError(f"{path} may not be written by you: make it yours (chown, chmod u+rwx), or set LAB_HOME to another folder.")
        case errno.EROFS:
            return FolderError(f"{path} is on a read-only file system: set LAB_HOME to a folder that can be written.")
        case errno.ENOSPC | errno.EDQUOT:
            return disk_full(path)
        case _:
            return FolderError(f"{path} can't be used ({error.strerror or error}): check it, or set LAB_HOME to another folder.")


def disk_full(path: Path) -> DiskFull:
    return DiskFull(
        f"The disk that holds {path} is full: free some space and try again. "
        "What was stored before is safe; what was being stored just now is not."
    )
