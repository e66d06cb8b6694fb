"""The store on a PostgreSQL server: the same tables, one writer at a time, one moment for a reader, and its errors as sentences."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select

from lab.store.database import Store
from lab.store.errors import StoreError
from lab.store.models import Preference, Universe
from tests.agents.budget.places import postgresql

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as running:
        yield running


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def test_the_migrations_make_the_tables_of_the_models(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlmodel import SQLModel

    with store.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True, "target_metadata": SQLModel.metadata})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_what_is_stored_comes_back_as_it_was(store: Store) -> None:
    day, at = datetime(2024, 3, 5, tzinfo=UTC).date(), datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
    span = {"first_session": day, "learning_until": day, "last_session": day}
    with store.write() as session:
        session.add(Universe(name="U", tickers=["A", "Ü"], timeframe="1m", source="x", created_at=at, **span))
    with store.read() as session:
        found = session.exec(select(Universe)).one()
    assert (found.tickers, found.created_at, found.first_session) == (["A", "Ü"], at, day)


def test_threads_counting_at_once_lose_nothing(store: Store) -> None:
    with store.write() as session:
        session.merge(Preference(key="counter", value="0"))

    def count() -> None:
        for _ in range(10):
            with store.write() as session:
                counter = session.get_one(Preference, "counter")
                counter.value = str(int(counter.value) + 1)

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert session.get_one(Preference, "counter").value == "50"


def test_a_reader_sees_one_moment_and_can_not_write(store: Store, url: str) -> None:
    with store.write() as session:
        session.merge(Preference(key="theme", value="old"))
    with Store(url) as other, store.read() as session:
        assert session.get_one(Preference, "theme").value == "old"
        changed = threading.Thread(target=lambda: _set(other, "theme", "new"))
        changed.start()
        changed.join()
        session.expire_all()
        assert session.get_one(Preference, "theme").value == "old"
    with pytest.raises(RuntimeError, match="given changes"), store.read() as session:
        session.add(Preference(key="x", value="y"))
    with pytest.raises(RuntimeError, match="given changes"):
        _write_while_reading(store)


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_half(store)
    with store.read() as session:
        assert session.get(Preference, "half") is None


def test_the_change_token_moves_with_every_commit_of_anybody(store: Store, url: str) -> None:
    before = store.change_token()
    with Store(url) as other:
        _set(other, "someone", "else")
    assert store.change_token() != before


def test_opening_it_again_changes_nothing(store: Store, url: str) -> None:
    _set(store, "kept", "yes")
    with Store(url) as again, again.read() as session:
        assert session.get_one(Preference, "kept").value == "yes"


def test_a_server_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"database server at 127\.0\.0\.1"):
        Store("postgresql+psycopg://lab@127.0.0.1:1/postgres")


def _set(store: Store, key: str, value: str) -> None:
    with store.write() as session:
        session.merge(Preference(key=key, value=value))


def _write_while_reading(store: Store) -> None:
    with store.read() as session:
        session.add(Preference(key="x", value="y"))
        session.flush()


def _write_half(store: Store) -> None:
    with store.write() as session:
        session.add(Preference(key="half", value="1"))
        session.flush()
        raise ZeroDivisionError
