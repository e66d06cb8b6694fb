"""The workspace folder: closed to others, and a sentence for whatever is wrong with it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import delete

from lab.store import sqlite
from lab.store.backup import make_backup
from lab.store.database import Store
from lab.store.errors import DatabaseDamaged, DiskFull, FolderError, StoreError
from lab.store.models import Preference
from lab.store.workspace import Workspace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system can't be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def as_another_user(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs it without root's right to write anywhere."""
    if os.geteuid() != 0:
        return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    give_up = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    return subprocess.run([sys.executable, "-c", _IMPORTS + give_up + program, *arguments], capture_output=True, text=True)


# Imported before root's rights are given up: the checkout may lie where no other user can read.
_IMPORTS = """
import alembic.command, alembic.script, sys
from pathlib import Path
from lab.store import backup, migrate, models
from lab.store.database import Store
from lab.store.workspace import Workspace
"""

_OPEN_AND_SAY = """
from lab.errors import LabError
try:
    Store(Workspace(Path(sys.argv[1])))
except LabError as error:
    print(type(error).__name__, error)
"""


def test_everything_in_it_is_closed_to_other_users_whatever_the_umask(home: Path) -> None:
    old = os.umask(0o000)
    try:
        with Store(Workspace(home)) as store, store.write() as session:
            session.add(Preference(key="theme", value="paper"))
            session.flush()
            files = {path.name: mode(path) for path in home.rglob("*") if path.is_file()}
    finally:
        os.umask(old)
    assert any(name.startswith("lab.sqlite3-") for name in files), "the journal is there while one writes"
    assert set(files.values()) == {0o600}
    assert {mode(path) for path in [home, *home.rglob("*")] if path.is_dir()} == {0o700}


def test_what_was_left_open_to_others_is_closed(home: Path) -> None:
    Store(Workspace(home)).close()
    home.chmod(0o755)
    (home / "lab.sqlite3").chmod(0o644)
    Store(Workspace(home)).close()
    assert (mode(home), mode(home / "lab.sqlite3")) == (0o700, 0o600)


def test_a_file_in_place_of_the_folder_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("mine")
    with pytest.raises(FolderError, match=r"home can't be a folder, because a file stands in its place.*LAB_HOME"):
        Store(Workspace(tmp_path / "home"))
    with pytest.raises(FolderError, match="a file stands in its place"):
        Store(Workspace(tmp_path / "home" / "below"))
    assert (tmp_path / "home").read_text() == "mine"


def test_a_folder_in_place_of_the_database_is_named(home: Path) -> None:
    (home / "lab.sqlite3").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"lab\.sqlite3 .*folder"):
        Store(Workspace(home))


def test_a_folder_that_may_not_be_written_gets_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for part in tmp_path.parents:
        if part.name.startswith("pytest-") or part.name.startswith("popen-"):
            part.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    said = as_another_user(_OPEN_AND_SAY, str(closed)).stdout
    assert said.startswith("FolderError"), said
    assert "may not be written by you" in said
    assert "LAB_HOME" in said


def test_a_read_only_file_system_gets_a_sentence(small_disk: Path) -> None:
    Store(Workspace(small_disk / "home")).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(FolderError, match="read-only file system"):
        Store(Workspace(small_disk / "home"))
    with pytest.raises(FolderError, match="read-only file system"):
        Store(Workspace(small_disk / "another"))


def test_a_full_disk_gets_a_sentence_and_what_was_stored_stays(small_disk: Path) -> None:
    with Store(Workspace(small_disk / "home")) as store:
        with store.write() as session:
            session.add(Preference(key="before", value="kept"))
        with pytest.raises(DiskFull, match="is full: free some space"), store.write() as session:
            session.add(Preference(key="big", value="x" * 2_000_000))
        with store.read() as session:
            assert session.get(Preference, "before") is not None
            assert session.get(Preference, "big") is None
        with store.write() as session:
            session.add(Preference(key="after", value="works again"))
        assert store.problems() == ()


def test_a_workspace_can_not_be_made_on_a_full_disk_but_says_so_and_later_can(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        file.write(b"x" * file.write(b"x" * 2_000_000))
    with pytest.raises(DiskFull):
        Store(Workspace(small_disk / "home"))
    filler.unlink()
    Store(Workspace(small_disk / "home")).close()


@pytest.mark.parametrize("damage", ["overwritten", "cut off", "a page of noise", "not a database"])
def test_a_damaged_database_is_named_and_not_touched(home: Path, damage: str) -> None:
    path = home / "lab.sqlite3"
    with Store(Workspace(home)) as store, store.write() as session:
        for number in range(300):
            session.add(Preference(key=f"key {number}", value="x" * 400))
    content = bytearray(path.read_bytes())
    match damage:
        case "overwritten":
            content[: len(content) // 2] = b"\xa5" * (len(content) // 2)
        case "cut off":
            del content[len(content) // 2 :]
        case "a page of noise":
            content[-8192:-4096] = b"\x5a" * 4096
        case _:
            content = bytearray(b"Dear diary, today I bought AAPL. " * 300)
    path.write_bytes(content)
    with pytest.raises(DatabaseDamaged) as raised:
        Store(Workspace(home))
    sentence = str(raised.value)
    assert str(path) in sentence
    assert "Nothing has been changed" in sentence
    assert "There is no backup" in sentence
    assert path.read_bytes() == content


def test_a_damaged_database_with_a_backup_says_where_it_is_and_the_backup_works(home: Path) -> None:
    workspace = Workspace(home)
    with Store(workspace) as store, store.write() as session:
        session.add(Preference(key="theme", value="paper"))
    backup = make_backup(workspace, "daily", datetime.now(UTC))
    workspace.database_path.write_bytes(b"\0" * 20000)
    with pytest.raises(DatabaseDamaged) as raised:
        Store(workspace)
    assert str(backup) in str(raised.value)
    workspace.database_path.rename(home / "aside")
    with pytest.raises(DatabaseDamaged, match=f"is missing, though there was one.*{backup.name}"):
        Store(workspace)
    workspace.database_path.write_bytes(backup.read_bytes())
    with Store(workspace) as store, store.read() as session:
        assert session.get(Preference, "theme") is not None


def test_damage_that_shows_only_later_gets_its_sentence_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(Workspace(home)) as store, store.write() as session:
        for number in range(300):
            session.add(Preference(key=f"key {number}", value="x" * 400))
    content = bytearray((home / "lab.sqlite3").read_bytes())
    content[-8192:] = b"\x5a" * 8192
    (home / "lab.sqlite3").write_bytes(content)
    monkeypatch.setattr(sqlite, "LOOKED_OVER_BYTES", 0)
    with Store(Workspace(home)) as store:
        with pytest.raises(DatabaseDamaged, match="is damaged"), store.write() as session:
            session.exec(delete(Preference))
        assert store.problems()
    assert (home / "lab.sqlite3").read_bytes() == content


def test_looking_at_the_folder_loads_no_database_layer() -> None:
    look = "import sys, lab.store.workspace, lab.store.filelock; print({'sqlmodel', 'sqlalchemy', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "set()\n"
