"""The one way to the database: a `Store` gives reading and writing sessions and says when something has changed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, NoReturn, Self

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from lab.store import migrate, sqlite
from lab.store.errors import DatabaseReadOnly, StoreError
from lab.store.filelock import holding
from lab.store.workspace import Workspace

_MODE = "lab_mode"
_WRITERS_LOCK = 0x1AB
"""PostgreSQL's key for "one writing transaction at a time", what BEGIN IMMEDIATE is on SQLite."""

_READ_ONLY_STATE = "25006"
"""What PostgreSQL calls a change in a read-only transaction."""

_READ_ONLY_SESSION = "a session for reading was given changes: use write()"

_session_open: ContextVar[str] = ContextVar("lab_session_open", default="")


class Store:
    """The database of a workspace, opened, checked and at the newest schema.

    `place` is a `Workspace` (SQLite, the default) or the URL of a PostgreSQL database. Opening raises a `StoreError` whose text says
    what a person can do: a read-only folder, a full disk, a damaged file, a database of a newer lab.
    Safe to share between threads, not between processes: each process opens its own.
    """

    def __init__(self, place: Workspace | str) -> None:
        self.workspace = place if isinstance(place, Workspace) else None
        self._watch_lock = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        if self.workspace is not None:
            self.workspace.open()
            fresh = self.workspace.prepare_database()
            self._engine = _sqlite_engine(self.workspace)
        else:
            fresh = False
            self._engine = _server_engine(str(place))
        event.listen(self._engine, "begin", _begin)
        self._reader = self._engine.execution_options(**{_MODE: "read"})
        self._writer = self._engine.execution_options(**{_MODE: "write"})
        try:
            with self._sentences():
                if self.workspace is not None:
                    self._look_at_the_file(self.workspace, fresh)
                migrate.bring_up_to_date(self._engine, self.workspace)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent moment of the database; what it loads stays usable after it.

        Writing in it is an error. Keep it short: where the journal is DELETE, a reader makes writers wait.
        """
        with self._session(self._reader, "reading") as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first moment, so what it reads is still true when it writes.

        Commits at the end of the block, all or nothing; an exception rolls everything back.
        Waits up to 30 s for other writers, then raises `DatabaseBusy`. Neither `read` nor `write` may be opened inside it.
        """
        with self._session(self._writer, "writing") as session:
            yield session
            session.commit()

    def change_token(self) -> int:
        """A number that differs from the last one when anything was committed since, by whatever process. Cheap."""
        with self._sentences():
            if self.workspace is None:
                with self._engine.connect() as connection:
                    return int(connection.exec_driver_sql("SELECT (pg_current_wal_lsn() - '0/0')::bigint").scalar_one())
            with self._watch_lock:
                if self._watcher is None:
                    # Never used to write, so its data_version counts this process's own commits as well.
                    self._watcher = _connect(self.workspace)
                return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def problems(self) -> tuple[str, ...]:
        """What a full integrity check of the database finds, a line each; empty when it is sound. Slow on a large one."""
        if self.workspace is None:
            return ()
        with self._sentences(), closing(_connect(self.workspace)) as connection:
            return sqlite.check_integrity(connection, quick=False)

    def close(self) -> None:
        with self._watch_lock:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _session(self, engine: Engine, what: Literal["reading", "writing"]) -> Iterator[Session]:
        already = _session_open.get()
        if already:
            # With one writer at a time this would wait for itself until the timeout.
            raise RuntimeError(f"a session for {what} was opened inside one for {already}")
        token = _session_open.set(what)
        try:
            with self._turn(what), self._sentences(), Session(engine, expire_on_commit=False, autoflush=what == "writing") as session:
                session.connection()
                yield session
                if what == "reading" and (session.new or session.dirty or session.deleted):
                    raise RuntimeError(_READ_ONLY_SESSION)
        except DatabaseReadOnly as error:
            if what == "reading":
                raise RuntimeError(_READ_ONLY_SESSION) from error
            raise
        finally:
            _session_open.reset(token)

    def _turn(self, what: Literal["reading", "writing"]) -> AbstractContextManager[None]:
        """Lets one writer after the other into a SQLite file.

        SQLite's own waiting asks the less often the longer it has waited, so among many writers it starves some for half a minute.
        """
        if self.workspace is None or what == "reading":
            return nullcontext()
        return holding(self.workspace.locks / "write.lock", sqlite.BUSY_SECONDS)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turns the driver's errors that are a condition of the workspace into `StoreError`; others pass as they are."""
        try:
            yield
        except exc.DBAPIError as error:
            self._raise_sentence(error, error.orig)
        except sqlite3.Error as error:
            self._raise_sentence(error, error)

    def _raise_sentence(self, error: Exception, cause: BaseException | None) -> NoReturn:
        if self.workspace is not None and isinstance(cause, sqlite3.Error):
            said = sqlite.sentence(cause, self.workspace)
            if said is not None:
                raise said from error
        elif getattr(cause, "sqlstate", None) == _READ_ONLY_STATE:
            raise DatabaseReadOnly(f"The database server at {self._engine.url.host} takes no changes: {cause}.") from error
        elif isinstance(error, exc.OperationalError):
            raise StoreError(f"The database server at {self._engine.url.host} did not answer as it should: {cause}.") from error
        raise error

    @staticmethod
    def _look_at_the_file(workspace: Workspace, fresh: bool) -> None:
        with closing(_connect(workspace)) as connection:
            found = () if fresh else sqlite.look_over(connection, workspace.database_path)
            if found:
                raise sqlite.damaged(workspace, found[0])
            sqlite.settle_journal(connection, workspace.database_path)


def _connect(workspace: Workspace) -> sqlite3.Connection:
    connection = sqlite3.connect(workspace.database_path, timeout=sqlite.BUSY_SECONDS, check_same_thread=False)
    sqlite.set_up_connection(connection)
    return connection


def _sqlite_engine(workspace: Workspace) -> Engine:
    # A connection is only ever used by one thread at a time: the pool sees to it.
    return create_engine("sqlite://", creator=lambda: _connect(workspace), poolclass=QueuePool, pool_size=8, max_overflow=-1)


def _server_engine(address: str) -> Engine:
    try:
        url = make_url(address)
        if url.get_backend_name() == "postgresql":
            return create_engine(url, pool_pre_ping=True)
    except exc.ArgumentError as error:
        raise StoreError("The database URL can't be read: it looks like postgresql+psycopg://user@host/database.") from error
    except ModuleNotFoundError as error:
        raise StoreError(f"PostgreSQL needs the Python package {error.name}, which is not installed here: install it.") from error
    raise StoreError(f"A database URL has to be PostgreSQL's, not {url.get_backend_name()}'s; SQLite needs only the workspace folder.")


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_MODE)
    if connection.dialect.name == "sqlite":
        if mode is not None:
            connection.exec_driver_sql(f"PRAGMA query_only = {int(mode == 'read')}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
    elif mode == "write":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
    elif mode == "read":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
