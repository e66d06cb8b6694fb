"""Sessions: nothing is lost between two writers, a reader sees one moment, errors are sentences."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select

from lab.store import sqlite
from lab.store.database import Store
from lab.store.errors import DatabaseBusy
from lab.store.models import AgentIteration, Preference, TradingAgent
from lab.store.sqlite import journal_mode
from lab.store.workspace import Workspace
from tests.work.fakes import add_iterations

INCREMENT = """
import sys
from pathlib import Path
from lab.store.database import Store
from lab.store.models import Preference
from lab.store.workspace import Workspace

with Store(Workspace(Path(sys.argv[1]))) as store:
    for _ in range(int(sys.argv[2])):
        with store.write() as session:
            counter = session.get_one(Preference, "counter")
            counter.value = str(int(counter.value) + 1)
"""


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(Workspace(home)) as store:
        yield store


def put(store: Store, key: str, value: str) -> None:
    with store.write() as session:
        session.merge(Preference(key=key, value=value))


def get(store: Store, key: str) -> str | None:
    with store.read() as session:
        found = session.get(Preference, key)
        return None if found is None else found.value


def test_two_processes_counting_at_once_lose_nothing(home: Path, store: Store) -> None:
    put(store, "counter", "0")
    programs = [subprocess.Popen([sys.executable, "-c", INCREMENT, str(home), "150"]) for _ in range(2)]
    assert [program.wait(timeout=60) for program in programs] == [0, 0]
    assert get(store, "counter") == "300"


def test_threads_counting_at_once_lose_nothing(store: Store) -> None:
    put(store, "counter", "0")

    def count() -> None:
        for _ in range(30):
            with store.write() as session:
                counter = session.get_one(Preference, "counter")
                counter.value = str(int(counter.value) + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(store, "counter") == "120"


def test_a_process_killed_while_it_writes_leaves_all_or_nothing(home: Path, store: Store) -> None:
    put(store, "counter", "0")
    program = subprocess.Popen([sys.executable, "-c", INCREMENT, str(home), "1000000"])
    deadline = time.monotonic() + 60
    while get(store, "counter") == "0":
        assert time.monotonic() < deadline
    program.kill()
    program.wait()
    counted = int(get(store, "counter") or "")
    assert counted > 0
    put(store, "counter", str(counted + 1))
    assert store.problems() == ()


def test_an_exception_rolls_everything_back(store: Store) -> None:
    def half() -> None:
        with store.write() as session:
            session.add(Preference(key="a", value="1"))
            session.flush()
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        half()
    assert get(store, "a") is None


def test_what_was_loaded_stays_usable_after_the_session(store: Store) -> None:
    put(store, "theme", "paper")
    with store.read() as session:
        found = session.get_one(Preference, "theme")
    assert found.value == "paper"
    with store.write() as session:
        written = Preference(key="tour", value="seen")
        session.add(written)
    assert written.value == "seen"


def test_a_reading_session_refuses_to_write_in_any_way(store: Store) -> None:
    with pytest.raises(RuntimeError, match="use write"), store.read() as session:
        session.add(Preference(key="a", value="1"))
    with pytest.raises(RuntimeError, match="use write"), store.read() as session:
        session.exec(delete(Preference))
    put(store, "a", "1")
    assert get(store, "a") == "1"


def test_a_session_inside_a_session_is_refused_instead_of_waiting_for_itself(store: Store) -> None:
    with pytest.raises(RuntimeError, match="opened inside one for reading"), store.read(), store.write():
        pass
    with pytest.raises(RuntimeError, match="opened inside one for writing"), store.write(), store.read():
        pass

    async def beside() -> None:
        async def one(key: str) -> None:
            await asyncio.to_thread(put, store, key, "1")

        await asyncio.gather(*(one(str(number)) for number in range(8)))

    asyncio.run(beside())
    assert get(store, "7") == "1"


def test_a_reader_sees_one_moment_while_another_writes(home: Path, store: Store) -> None:
    put(store, "a", "1")
    if journal_mode(sqlite3.sqlite_version_info) == "wal":
        with Store(Workspace(home)) as other, store.read() as session:
            assert session.get_one(Preference, "a").value == "1"
            threading.Thread(target=put, args=(other, "a", "2")).run()
            session.expire_all()
            assert session.get_one(Preference, "a").value == "1"
    else:
        with store.read() as session:
            assert session.get_one(Preference, "a").value == "1"
            writer = threading.Thread(target=put, args=(store, "a", "2"))
            writer.start()
            time.sleep(0.1)
            session.expire_all()
            assert session.get_one(Preference, "a").value == "1"
        writer.join()
    assert get(store, "a") == "2"


def test_a_database_that_stays_locked_gets_a_sentence(home: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    with Store(Workspace(home)) as impatient:
        with store.write(), pytest.raises(DatabaseBusy, match="Another lab program has been holding"):
            threads_own(lambda: put(impatient, "a", "1"))
        with closing(sqlite3.connect(home / "lab.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseBusy, match="locked for"):
                put(impatient, "a", "1")
        put(impatient, "a", "1")


def threads_own(action: object) -> None:
    """Runs it in a thread of its own, with a context of its own, and raises here what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            assert callable(action)
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def test_the_change_token_differs_after_each_commit_of_anyone_and_only_then(home: Path, store: Store) -> None:
    tokens = [store.change_token()]
    assert store.change_token() == tokens[0]
    put(store, "a", "1")
    tokens.append(store.change_token())
    with Store(Workspace(home)) as other:
        put(other, "a", "2")
    tokens.append(store.change_token())
    get(store, "a")
    assert store.change_token() == tokens[-1]
    assert len(set(tokens)) == 3


def test_the_change_token_is_cheap(store: Store) -> None:
    store.change_token()
    began = time.perf_counter()
    for _ in range(200):
        store.change_token()
    assert (time.perf_counter() - began) / 200 < 0.002


def test_mistakes_in_a_statement_pass_as_they_are(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    with pytest.raises(IntegrityError), store.write() as session:
        session.add(AgentIteration(agent_id=999, iteration_number=1, universe_id=1))


def test_what_belongs_to_an_agent_goes_with_it_and_its_id_is_never_given_again(home: Path, store: Store) -> None:
    add_iterations(home, 1, 2)
    with store.write() as session:
        session.exec(delete(TradingAgent).where(col(TradingAgent.id) == 2))
    with store.read() as session:
        assert list(session.exec(select(AgentIteration.id))) == [1]
    with store.write() as session:
        agent = TradingAgent(
            name="New",
            instructions="",
            system_prompt="",
            risk_tolerance="",
            trading_style="",
            pattern_focus=[],
            market_conditions=[],
            universe_id=1,
        )
        session.add(agent)
        session.flush()
        new = AgentIteration(agent_id=agent.id or 0, iteration_number=1, universe_id=1)
        session.add(new)
    assert (agent.id, new.id) == (3, 4)


def test_times_come_back_aware_and_the_same_moment(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    moment = datetime(2025, 7, 1, 9, 30, 15, 123456, timezone(timedelta(hours=-4)))
    with store.write() as session:
        session.get_one(AgentIteration, 1).finished_at = moment
    with store.read() as session:
        found = session.get_one(AgentIteration, 1).finished_at
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC


def test_every_connection_waits_syncs_fully_and_keeps_references_intact(store: Store) -> None:
    with store.write() as session:
        settings = [session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("busy_timeout", "synchronous", "foreign_keys")]
        mode = session.execute(text("PRAGMA journal_mode")).scalar_one()
    assert settings == [30_000, 2, 1]
    assert mode == journal_mode(sqlite3.sqlite_version_info)


def test_a_database_left_in_a_journal_mode_that_is_not_safe_here_is_put_right(home: Path) -> None:
    Store(Workspace(home)).close()
    wanted = journal_mode(sqlite3.sqlite_version_info)
    connection = sqlite3.connect(home / "lab.sqlite3")
    connection.execute(f"PRAGMA journal_mode = {'wal' if wanted == 'delete' else 'delete'}")
    connection.close()
    with Store(Workspace(home)) as store, store.read() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == wanted


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "delete"),
        ((3, 44, 5), "delete"),
        ((3, 44, 6), "wal"),
        ((3, 45, 0), "delete"),
        ((3, 50, 6), "delete"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "delete"),
        ((3, 51, 2), "delete"),
        ((3, 51, 3), "wal"),
        ((4, 0, 0), "wal"),
    ],
)
def test_wal_only_where_the_release_is_free_of_the_reset_bug(version: tuple[int, int, int], mode: str) -> None:
    assert journal_mode(version) == mode
