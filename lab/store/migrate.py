"""Brings a database to this lab's schema when it is opened: a glance when it is current, else backup and migration."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect

from lab.store.backup import make_backup
from lab.store.errors import DatabaseNewer, StoreError
from lab.store.filelock import holding
from lab.store.head import HEAD
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
_WAIT_SECONDS = 120.0
_MIGRATION_LOCK = 0x1AC


def bring_up_to_date(engine: Engine, workspace: Workspace | None) -> None:
    """Migrates the database to `HEAD` unless it is there already.

    Two programs that start at once are safe: one migrates, the other waits. An existing database is backed up first.
    Raises `DatabaseNewer` for a schema this lab doesn't know, `StoreError` for a database of some other program.
    """
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with holding(workspace.locks / "migration.lock", _WAIT_SECONDS) if workspace is not None else nullcontext():
        _migrate(engine, workspace)


def _migrate(engine: Engine, workspace: Workspace | None) -> None:
    with engine.connect() as connection:
        revision = _revision(connection)
        if revision == HEAD:
            return
        place = workspace.database_path if workspace is not None else engine.url.render_as_string(hide_password=True)
        if revision is None and inspect(connection).get_table_names():
            raise StoreError(f"{place} is a database, but not one of the lab's: move it away, or set LAB_HOME to another folder.")
        if revision is not None and revision not in _known_revisions():
            raise DatabaseNewer(
                f"{place} was written by a newer version of the lab (its schema is {revision}, this one knows up to {HEAD}): "
                "update this lab, or set LAB_HOME to another folder."
            )
    if workspace is not None and revision is not None:
        make_backup(workspace, f"before-{HEAD}", datetime.now(UTC))
    _upgrade(engine)


def _upgrade(engine: Engine) -> None:
    """All migrations in one transaction: killed in the middle, the database is what it was."""
    from alembic import command

    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:
            # Rebuilding a table with references on would delete the rows that refer to it.
            _driver_sql(connection, "PRAGMA foreign_keys = OFF")
        try:
            with connection.execution_options(lab_mode="write").begin():
                if not on_sqlite:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
                if _revision(connection) != HEAD:
                    command.upgrade(alembic_config(connection), "head")
                if on_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise StoreError("The migration left rows that refer to nothing; it was undone and the database is as it was.")
        finally:
            if on_sqlite:
                _driver_sql(connection, "PRAGMA foreign_keys = ON")


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made in memory: there is no alembic.ini."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _known_revisions() -> frozenset[str]:
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _driver_sql(connection: Connection, statement: str) -> None:
    """Outside any transaction, where alone SQLite heeds these."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()
