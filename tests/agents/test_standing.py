"""How agents stand, as plain SQL reads it: the same as the rows in full, and always the newest."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import col, select

from lab.agents.results import from_json
from lab.agents.service import Lab
from lab.agents.standing import Standings, open_read_only, result_from
from lab.agents.views import ResultSummary
from lab.store.models import AgentIteration
from tests.benchmarks.big_workspace import make


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six agents with five iterations each."""
    folder = tmp_path_factory.mktemp("standing") / "home"
    make(folder, 6, 30, sessions=5)
    return folder


def test_a_stored_result_is_read_as_the_checked_reader_does(home: Path) -> None:
    lab = Lab(home)
    with lab.store.read() as session:
        stored = session.exec(select(AgentIteration.backtest_results)).all()
    lab.close()
    assert stored
    for each in stored:
        assert each is not None
        assert result_from(each) == from_json(ResultSummary, each)


def test_it_stands_as_the_agents_do_without_their_curves(home: Path) -> None:
    lab, alone = Lab(home), open_read_only(home)
    assert alone is not None
    rows = lab.standing()
    assert rows == Standings().rows(lambda sql: alone.execute(sql).fetchall())
    assert rows == tuple(replace(row, result=row.result and replace(row.result, equity=())) for row in lab.agents())
    assert [lab.curve(row.id) for row in rows] == [row.result.equity if row.result else () for row in lab.agents()]
    assert lab.firm().measured == 6
    assert isinstance(lab.firm().curve[0][0], date)
    alone.close()
    lab.close()


def test_a_changed_verdict_and_a_new_iteration_are_seen(home: Path) -> None:
    lab = Lab(home)
    before = {row.id: row for row in lab.standing()}
    with lab.store.write() as session:
        newest = session.exec(select(AgentIteration).where(AgentIteration.agent_id == 1).order_by(col(AgentIteration.id).desc())).first()
        assert newest is not None
        assert newest.backtest_results is not None
        newest.backtest_results = newest.backtest_results | {"verdict": "holds up"}
        session.add(newest)
    lab.start_iteration(2)
    after = {row.id: row for row in lab.standing()}
    lab.close()
    assert after[1].result is not None
    assert after[1].result.verdict == "holds up"
    assert (before[2].step, after[2].step, after[2].iterations) == (None, "queued", before[2].iterations + 1)
    assert all(after[number] == before[number] for number in range(3, 7))


def test_no_refresh_reads_through_all_iterations(home: Path) -> None:
    """Every statement finds its rows by an index."""
    connection = open_read_only(home)
    assert connection is not None
    statements: list[str] = []

    def run(sql: str) -> list[tuple[object, ...]]:
        statements.append(sql)
        return connection.execute(sql).fetchall()

    Standings().rows(run)
    plans = [(step[3], sql) for sql in statements for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(statements) < 12
    assert [plan for plan in plans if plan[0] == "SCAN agent_iterations"] == []
    connection.close()
