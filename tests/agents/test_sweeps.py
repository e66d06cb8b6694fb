"""Sweeps: each point as if tested alone, stored as it comes, counted for ever, and the best of them not believed too soon."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal
from sqlmodel import select

from lab.agents import sweep_jobs
from lab.agents.errors import BadRange, NotThere
from lab.agents.jobs import Scripts, account_of
from lab.agents.ledger import record_own_trial, trials_so_far
from lab.agents.loading import market_bars
from lab.agents.proof.rules import deflate
from lab.agents.service import Lab
from lab.agents.shared_bars import mapped
from lab.agents.span import learning_slice
from lab.agents.sweep_jobs import Point, read_returns
from lab.agents.sweeps import CHUNK, Subject, SweepReport, SweepRequest, run_sweep, subject_of_agent, subject_of_scripts
from lab.agents.views import IterationView
from lab.backtest import BacktestError, daily_returns, expected_maximum_sharpe, run_backtest
from lab.errors import LabError
from lab.script import compile_strategy
from lab.store.models import Trial, TrialOutcome, Universe
from tests.agents.made import EXECUTION, SCAN

REQUEST = SweepRequest("latin", CHUNK + 3, seed=3, parameters=("loud", "execution.stop"))
DIVIDES = SCAN + "score = volume / (param(3, low=1, high=3, step=1) - 2)\n"


class Counting(Executor):
    """Threads that know what they were asked for; the first job is done, the others wait until released."""

    def __init__(self, threads: Executor, hold: bool = False) -> None:
        self._threads, self._hold = threads, hold
        self.points: list[tuple[float, ...]] = []
        self.slices: list[Any] = []
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.slices.append(args[0])
        if fn is sweep_jobs.share_job:
            return self._threads.submit(fn, *args, **kwargs)
        self.points += args[3]
        held = self._hold and self.futures
        future: Future[Any] = Future() if held else self._threads.submit(fn, *args, **kwargs)
        self.futures.append(future)
        return future


class Stopped(Exception):
    pass


def silent(share: float, note: str) -> None:
    return None


def subject(lab: Lab) -> Subject:
    return subject_of_scripts(SCAN, EXECUTION, lab.state().universes[0].id, "balanced")


def swept(lab: Lab, executor: Executor, request: SweepRequest = REQUEST, progress: Callable[[float, str], None] = silent) -> SweepReport:
    return run_sweep(lab.workspace, lab.store, executor, subject(lab), request, progress)


def trials(lab: Lab) -> list[Trial]:
    with lab.store.read() as session:
        return list(session.exec(select(Trial).order_by(Trial.id)))


def stop_after_the_first_chunk(share: float, note: str) -> None:
    if share > 0:
        raise Stopped


def test_each_point_is_the_same_to_the_bit_as_tested_alone(lab: Lab, threads: Executor) -> None:
    report = swept(lab, threads, SweepRequest("random", 5, seed=1))
    with lab.store.read() as session:
        bars = learning_slice(session.get_one(Universe, 1), lab.workspace.bars)
    assert len(report.points) == 6
    assert report.own is not None
    for point in report.points:
        strategy = compile_strategy(SCAN, EXECUTION, dict(zip(report.parameters, point.values, strict=True)))
        result = run_backtest(strategy, strategy.evaluate(market_bars(bars)), *account_of(subject(lab).rules))
        for name in ("trades", "win_rate", "sharpe", "total_return", "max_drawdown", "profit_factor", "expectancy_r", "average_bars_held"):
            assert getattr(point.measured, name) == getattr(result.metrics, name)
        assert point.measured.script_hash == strategy.script_hash
        stored = read_returns(Path(report.folder), strategy.script_hash)
        assert stored == daily_returns(result.equity, result.metrics.starting_equity).tolist()
    assert any(point.measured.trades >= 30 for point in report.points)


def test_a_broken_off_sweep_goes_on_where_it_was_and_ends_the_same(lab: Lab, demo_home: Path, tmp_path: Path, threads: Executor) -> None:
    broken = Counting(threads, hold=True)
    with pytest.raises(Stopped):
        swept(lab, broken, progress=stop_after_the_first_chunk)
    assert all(future.done() for future in broken.futures), "stopping ends what is still waiting"
    assert sum(future.cancelled() for future in broken.futures) == len(broken.futures) - 1
    assert len(trials(lab)) == CHUNK
    rest = Counting(threads)
    report = swept(lab, rest)
    assert report.stored_before == CHUNK
    assert len(rest.points) == len(report.points) - CHUNK
    assert not {point.values for point in report.points} - {*rest.points, *broken.points}
    shutil.copytree(demo_home, tmp_path / "other")
    other = Lab(tmp_path / "other")
    try:
        whole = swept(other, threads)
        assert len(trials(other)) == len(trials(lab)) == len(report.points)
    finally:
        other.close()
    assert whole.stored_before == 0
    for name in ("points", "best", "trials", "luck_sharpe", "deflated_sharpe", "own", "warning"):
        assert getattr(report, name) == getattr(whole, name)


def test_a_finished_sweep_measures_nothing_again_and_is_no_new_trial(lab: Lab, threads: Executor) -> None:
    first = swept(lab, threads)
    counting = Counting(threads)
    again = swept(lab, counting)
    assert counting.points == []
    assert again.stored_before == len(again.points)
    assert again.points == first.points
    assert again.trials == first.trials
    assert len(trials(lab)) == len(first.points)


def test_damaged_stored_points_are_measured_again(lab: Lab, threads: Executor) -> None:
    first = swept(lab, threads)
    for path in list(Path(first.folder).glob("points-*.parquet"))[:1]:
        path.write_bytes(path.read_bytes()[:100])
    counting = Counting(threads)
    assert swept(lab, counting).points == first.points
    assert 0 < len(counting.points) <= CHUNK


def test_every_point_is_a_trial_of_its_agent_and_only_the_learning_span_is_read(
    lab: Lab, agent_id: int, learn: Callable[..., IterationView], threads: Executor
) -> None:
    with pytest.raises(NotThere, match="has no strategy yet"):
        subject_of_agent(lab.store, agent_id)
    learn(lab, agent_id)
    before = len(trials(lab))
    counting = Counting(threads)
    own = subject_of_agent(lab.store, agent_id)
    report = run_sweep(lab.workspace, lab.store, counting, own, SweepRequest("grid", 6), silent)
    swept = trials(lab)[before:]
    assert {(t.purpose, t.agent_id, t.iteration_id, t.outcome) for t in swept} == {("sweep", agent_id, 0, "completed")}
    assert {t.script_hash for t in swept} == {point.measured.script_hash for point in report.points}
    with lab.store.read() as session:
        universe = session.get_one(Universe, 1)
        bars = learning_slice(universe, lab.workspace.bars)
        assert report.trials == trials_so_far(session, bars, set()).count == before + len(swept) - 1
    assert {bars.last for bars in counting.slices} == {universe.learning_until}
    assert universe.learning_until < universe.last_session


def test_the_best_point_is_deflated_by_all_that_was_ever_tried_on_the_bars(lab: Lab, threads: Executor) -> None:
    report = swept(lab, threads)
    best = report.best
    assert best is not None
    assert best.measured.sharpe == max(p.measured.sharpe or -9.0 for p in report.points if p.measured.trades >= 30)
    fingerprint = trials(lab)[0].data_fingerprint
    with lab.store.read() as session:
        bars = learning_slice(session.get_one(Universe, 1), lab.workspace.bars)
        so_far = trials_so_far(session, bars, {best.measured.script_hash})
    returns = read_returns(Path(report.folder), best.measured.script_hash)
    deflated, effective = deflate(returns, so_far)
    assert (report.deflated_sharpe, report.effective_trials) == (deflated, effective)
    assert 1 <= effective < so_far.count, "points of one strategy move together"
    assert report.luck_sharpe == pytest.approx(expected_maximum_sharpe(effective, 1 / (len(returns) - 1)) * 252**0.5)
    assert f"The best of {len(report.points)} points is biased" in report.warning
    assert f"{so_far.count} variants tried on these bars (worth {effective:.0f} independent ones)" in report.warning
    assert report.overfitting is not None
    assert report.superior_p is not None
    assert 0 <= report.overfitting <= 1
    assert f"{report.overfitting:.0%} of the ways to halve them" in report.warning
    assert f"probability of {report.superior_p:.0%} (SPA test)" in report.warning
    assert 1 <= report.ideas <= len(report.points)
    with lab.store.write() as session:
        for number in range(200):
            record_own_trial(session, 1, fingerprint, f"elsewhere {number}", TrialOutcome.COMPLETED, 50, 0.01 * (-1) ** number)
    assert swept(lab, threads).trials == so_far.count + 200


def test_without_enough_trades_nothing_is_called_the_best(lab: Lab, threads: Executor) -> None:
    rare = SCAN.replace("and time_between", "and volume > param(80, low=60, high=100, step=20) * sma(volume, 20) and time_between")
    quiet = subject_of_scripts(rare, EXECUTION, 1, "balanced")
    report = run_sweep(lab.workspace, lab.store, threads, quiet, SweepRequest("grid", 3, parameters=("long",)), silent)
    assert [point.measured.trades for point in report.points] == [0, 0, 0]
    assert report.best is None
    assert "30 trades" in report.warning


def test_a_point_that_crashes_is_a_trial_and_does_not_take_its_neighbours_along(
    lab: Lab, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sweep_jobs.sweep_job

    def fails_at(bars: Any, scripts: Any, names: Sequence[str], points: Sequence[tuple[float, ...]], *rest: Any) -> tuple[Point, ...]:
        if any(values[0] == 4.5 for values in points):
            raise LabError("The computation needed more memory than it may have.")
        return real(bars, scripts, tuple(names), tuple(points), *rest)

    monkeypatch.setattr(sweep_jobs, "sweep_job", fails_at)
    report = swept(lab, threads, SweepRequest("grid", 6, parameters=("loud",)))
    assert [failed.values for failed in report.failed] == [(4.5,)]
    assert "memory" in report.failed[0].reason
    assert len(report.points) == 5
    assert sorted(t.outcome for t in trials(lab)) == ["completed"] * 5 + ["crashed"]
    assert report.trials == 6


def test_a_value_the_scripts_cannot_have_is_named_and_is_no_trial(lab: Lab, threads: Executor) -> None:
    odd = subject_of_scripts(DIVIDES, EXECUTION, 1, "balanced")
    report = run_sweep(lab.workspace, lab.store, threads, odd, SweepRequest("grid", 5, parameters=("score",)), silent)
    assert [point.values for point in report.points] == [(1.0,), (3.0,)]
    assert [failed.values for failed in report.failed] == [(2.0,)]
    assert "divides by zero" in report.failed[0].reason
    assert len(trials(lab)) == 2


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (("loud=2",), BadRange, "write loud=LOW:HIGH"),
        (("loud=two:3",), BadRange, "'loud=two:3' is no range"),
        (("lout",), BacktestError, "There is no parameter 'lout'"),
        (("loud=0:3",), BacktestError, "leaves the bounds of 'loud'"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_a_sentence(
    lab: Lab, threads: Executor, words: tuple[str, ...], error: type[LabError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        swept(lab, threads, SweepRequest(parameters=words))
    assert trials(lab) == []


def test_the_bars_a_sweep_shares_are_the_slices_and_are_gone_when_it_ends(lab: Lab, threads: Executor, tmp_path: Path) -> None:
    asked = Counting(threads)
    report = swept(lab, asked)
    assert sorted(path.suffix for path in Path(report.folder).iterdir()) == [".parquet", ".parquet"]
    scripts = Scripts(SCAN, EXECUTION)
    sweep_jobs.share_job(asked.slices[0], scripts, str(tmp_path / "bars"))
    found = mapped(tmp_path / "bars")
    expected = market_bars(asked.slices[0], compile_strategy(SCAN, EXECUTION)).select(sorted(found.columns))
    assert_frame_equal(found.select(sorted(found.columns)), expected, check_dtypes=False)


def test_other_bars_scripts_points_or_accounts_are_another_sweep(lab: Lab) -> None:
    with ThreadPoolExecutor(1) as one:
        folders = [swept(lab, one, SweepRequest("grid", 2, parameters=("loud",))).folder]
        folders.append(swept(lab, one, SweepRequest("grid", 3, parameters=("loud",))).folder)
        for changed in (
            subject_of_scripts(SCAN + "# ", EXECUTION, 1, "balanced"),
            subject_of_scripts(SCAN, EXECUTION, 1, "aggressive"),
        ):
            folders.append(run_sweep(lab.workspace, lab.store, one, changed, SweepRequest("grid", 2, parameters=("loud",)), silent).folder)
    assert len(set(folders)) == 4
