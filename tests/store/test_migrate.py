"""Opening a database: quick when it is current, safe when it is not, refused when it is not ours to change."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from lab.store import migrate
from lab.store.backup import KEPT_DAILY, make_backup, make_daily_backup
from lab.store.database import Store
from lab.store.errors import DatabaseDamaged, DatabaseNewer, StoreError
from lab.store.models import Preference
from lab.store.workspace import Workspace

NEWEST = migrate.HEAD
OPEN = "import sys, pathlib; from lab.store.database import Store; from lab.store.workspace import Workspace; "
OPEN += "Store(Workspace(pathlib.Path(sys.argv[1]))).close(); print('alembic' in sys.modules)"


def opened(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", OPEN, str(home)], stdout=subprocess.PIPE)


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def set_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def tables(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0]: row[1] for row in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")}


@pytest.fixture
def older_lab(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workspace:
    """A workspace whose schema is one revision behind: the newest one only adds a column to `preferences`."""
    workspace = Workspace(home)
    with Store(workspace) as store, store.write() as session:
        session.add(Preference(key="theme", value="paper"))
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for path in (migrate.MIGRATIONS / "env.py", *(migrate.MIGRATIONS / "versions").glob("0*.py")):
        (folder / path.relative_to(migrate.MIGRATIONS)).write_text(path.read_text())
    (folder / "versions" / "next.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = 'next', '{NEWEST}'\n"
        "def upgrade():\n    op.add_column('preferences', sa.Column('note', sa.String(), nullable=True))\n"
    )
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    monkeypatch.setattr(migrate, "HEAD", "next")
    return workspace


def test_the_migrations_make_exactly_the_tables_of_the_models(home: Path) -> None:
    Store(Workspace(home)).close()
    engine = create_engine(f"sqlite:///{home / 'lab.sqlite3'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": SQLModel.metadata})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


def test_the_migrations_write_the_same_definitions_as_the_models(home: Path, tmp_path: Path) -> None:
    """What the comparison above does not see: ids never given twice, what a deletion takes along."""
    Store(Workspace(home)).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'models.sqlite3'}")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    by_migration = {name: set(sql.replace(",", " ").split()) for name, sql in tables(home / "lab.sqlite3").items()}
    by_models = {name: set(sql.replace(",", " ").split()) for name, sql in tables(tmp_path / "models.sqlite3").items()}
    del by_migration["alembic_version"]
    assert by_migration == by_models


def test_the_revision_that_is_looked_for_is_the_newest_one() -> None:
    assert ScriptDirectory.from_config(migrate.alembic_config()).get_current_head() == migrate.HEAD


def test_a_current_database_is_opened_in_milliseconds_without_alembic(home: Path) -> None:
    Store(Workspace(home)).close()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        Store(Workspace(home)).close()
        took.append(time.perf_counter() - began)
    assert min(took) < 0.05
    assert opened(home).communicate()[0] == b"False\n"


def test_three_programs_that_make_the_workspace_at_once_agree(home: Path) -> None:
    programs = [opened(home) for _ in range(3)]
    assert [program.wait(timeout=60) for program in programs] == [0, 0, 0]
    assert revision(home / "lab.sqlite3") == migrate.HEAD


def test_a_first_start_killed_in_the_middle_does_no_harm(home: Path) -> None:
    for delay in (0.0, 0.3, 0.45):
        program = opened(home)
        time.sleep(delay)
        program.kill()
        program.communicate()
    with Store(Workspace(home)) as store:
        assert store.problems() == ()
    assert revision(home / "lab.sqlite3") == migrate.HEAD


def test_an_older_database_is_backed_up_and_then_migrated(older_lab: Workspace) -> None:
    Store(older_lab).close()
    assert revision(older_lab.database_path) == "next"
    (backup,) = older_lab.backup_files()
    assert backup.name.endswith("-before-next.sqlite3")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert revision(backup) == NEWEST
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT key, value FROM preferences").fetchall() == [("theme", "paper")]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_migration_that_fails_leaves_the_database_as_it_was(older_lab: Workspace) -> None:
    script = migrate.MIGRATIONS / "versions" / "next.py"
    script.write_text(script.read_text() + "    op.execute('DELETE FROM preferences')\n    raise ZeroDivisionError\n")
    with pytest.raises(ZeroDivisionError):
        Store(older_lab)
    assert revision(older_lab.database_path) == NEWEST
    assert "note" not in tables(older_lab.database_path)["preferences"]
    with closing(sqlite3.connect(older_lab.database_path)) as connection:
        assert connection.execute("SELECT value FROM preferences").fetchall() == [("paper",)]


def test_nothing_is_migrated_without_a_backup(older_lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(migrate, "make_backup", no_room)
    with pytest.raises(StoreError, match="disk is full"):
        Store(older_lab)
    assert revision(older_lab.database_path) == NEWEST


def test_the_database_of_a_newer_lab_is_refused_and_kept(home: Path) -> None:
    Store(Workspace(home)).close()
    set_revision(home / "lab.sqlite3", "9999")
    with pytest.raises(DatabaseNewer, match=r"newer version of the lab .*9999.*update this lab"):
        Store(Workspace(home))
    assert revision(home / "lab.sqlite3") == "9999"


def test_the_database_of_another_program_is_refused_and_kept(home: Path) -> None:
    home.mkdir()
    with closing(sqlite3.connect(home / "lab.sqlite3")) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match="not one of the lab's"):
        Store(Workspace(home))
    assert list(tables(home / "lab.sqlite3")) == ["recipes"]


def test_a_backup_of_a_damaged_database_is_not_kept_as_one(home: Path) -> None:
    workspace = Workspace(home)
    with Store(workspace) as store, store.write() as session:
        for number in range(300):
            session.add(Preference(key=f"key {number}", value="x" * 400))
    content = bytearray(workspace.database_path.read_bytes())
    content[-8192:-4096] = b"\x5a" * 4096
    workspace.database_path.write_bytes(content)
    with pytest.raises(DatabaseDamaged):
        make_backup(workspace, "daily", datetime.now(UTC))
    assert list(workspace.backups.iterdir()) == []


def test_a_week_of_daily_backups_is_kept_and_others_are_never_removed(home: Path) -> None:
    workspace = Workspace(home)
    Store(workspace).close()
    now = datetime(2025, 6, 1, tzinfo=UTC)
    make_backup(workspace, "before-0002", now - timedelta(days=90))
    for day in range(10):
        made = make_daily_backup(workspace, now + timedelta(days=day))
        assert made is not None
        os.utime(made, ((now + timedelta(days=day)).timestamp(),) * 2)
        assert make_daily_backup(workspace, now + timedelta(days=day, hours=5)) is None
    names = [path.name for path in workspace.backup_files()]
    assert len(names) == KEPT_DAILY + 1
    assert names[0].startswith("lab-20250610")
    assert names[-1].endswith("before-0002.sqlite3")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:///lab.sqlite3", "has to be PostgreSQL's, not sqlite's"),
        ("not a url", "can't be read: it looks like postgresql"),
    ],
)
def test_a_database_url_of_the_wrong_kind_gets_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        Store(url)
