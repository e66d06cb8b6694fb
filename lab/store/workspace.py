"""The workspace folder: where its parts lie, who may read them, and what to say when it can't be used."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lab.store.errors import DatabaseDamaged, folder_error

FOLDER_MODE = 0o700
FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that holds everything one person's lab knows. Making the object touches nothing; `open` makes the folder."""

    home: Path

    @property
    def database_path(self) -> Path:
        return self.home / "lab.sqlite3"

    @property
    def bars(self) -> Path:
        return self.home / "bars"

    @property
    def results(self) -> Path:
        return self.home / "results"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def backups(self) -> Path:
        """Checked copies of the database, made by the lab: `lab-<time>-<why>.sqlite3`."""
        return self.home / "backups"

    @property
    def locks(self) -> Path:
        """Files that only serve as locks between programs; empty but for a process id."""
        return self.home / "locks"

    def open(self) -> Workspace:
        """Makes the folder and its parts where they are missing, closed to other users, and sees that it can be written.

        Raises `FolderError` or `DiskFull`, each with a sentence. Never deletes or overwrites anything.
        """
        for folder in (self.home, self.bars, self.results, self.logs, self.backups, self.locks):
            _make_private_folder(folder)
        if not os.access(self.home, os.W_OK | os.X_OK):
            read_only = os.statvfs(self.home).f_flag & os.ST_RDONLY
            raise folder_error(OSError(errno.EROFS if read_only else errno.EACCES, "not writable"), self.home)
        return self

    def prepare_database(self) -> bool:
        """Sees that the database file is there with mode 0600; true when it is still to be filled.

        Raises `DatabaseDamaged` where the file is gone or empty though backups say that it was not: an empty lab in
        its place would look as if everything had been lost.
        """
        path = self.database_path
        try:
            size = path.stat().st_size if path.exists() else 0
            if size == 0 and self.backup_files():
                raise DatabaseDamaged(
                    f"The database {path} is {'empty' if path.exists() else 'missing'}, though there was one. {self.recovery_advice()}"
                )
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise folder_error(error, path) from error
        try:
            information = os.fstat(descriptor)
            if stat.S_IMODE(information.st_mode) & 0o077 and information.st_uid == os.geteuid():
                os.fchmod(descriptor, FILE_MODE)
        finally:
            os.close(descriptor)
        return size == 0

    def backup_files(self) -> tuple[Path, ...]:
        """The checked backups, newest first."""
        return tuple(sorted(self.backups.glob("lab-*.sqlite3"), reverse=True))

    def recovery_advice(self) -> str:
        """What a person can do about a lost or damaged database, as sentences."""
        backups = self.backup_files()
        if backups:
            return (
                f"Nothing has been changed. Its newest checked backup is {backups[0]}: move {self.database_path.name} aside and copy "
                f"the backup to {self.database_path}; or move the folder {self.backups} away too, to begin with an empty lab."
            )
        return (
            f"Nothing has been changed. There is no backup in {self.backups} yet: try `sqlite3 {self.database_path} .recover`, "
            f"or move the file aside to begin with an empty lab; the bars in {self.bars} stay."
        )


def _make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        information = folder.stat()
        if stat.S_IMODE(information.st_mode) & 0o077 and information.st_uid == os.geteuid():
            folder.chmod(FOLDER_MODE)
    except OSError as error:
        raise folder_error(error, folder) from error
