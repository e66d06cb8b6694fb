"""The vault can't be read by anything that learns: every way in is tried, with a recorder on the only door to bars."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lab.agents import jobs
from lab.agents.exits import compare_exits
from lab.agents.jobs import VaultClosed
from lab.agents.loading import forget_bars, market_bars
from lab.agents.sampling import count_signals
from lab.agents.service import Lab
from lab.agents.span import learning_slice, learning_span, vault_slice
from lab.agents.strategist import Variant
from lab.agents.sweeps import SweepRequest, run_sweep, subject_of_scripts
from lab.agents.views import IterationView
from lab.market import BarsCache
from lab.store.models import Universe
from tests.agents.made import EXECUTION, SCAN

GREEDY = """yesterday = on("1d", close)
spy   = of("SPY", close) > of("SPY", vwap())
stock = of("ALTO", close) > prev_day.close and on("1h", rsi(close, 14)) > 0
best  = rank_across(close / open) > 0.5
long  = spy and stock and best and close > yesterday and market.trend >= -1 and close > levels.support and market.vix > 0
"""


@pytest.fixture
def lab(learned: Lab) -> Lab:
    return learned


@pytest.fixture
def universe(lab: Lab) -> Universe:
    """With SPY among what may be traded, so that scripts may read it."""
    with lab.store.write() as session:
        found = session.get_one(Universe, 1)
        found.tickers = [*found.tickers, "SPY"]
        session.add(found)
    return found


@pytest.fixture
def read(universe: Universe, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, ...]]]:
    """What was read of the cache; reading anything of the vault fails the test."""
    reads: list[tuple[str, ...]] = []
    real, undamaged = BarsCache.read, BarsCache.read_undamaged

    def seen(frame: pl.DataFrame, what: object) -> pl.DataFrame:
        last = frame["session"].max()
        assert last is None or (isinstance(last, date) and last <= universe.learning_until), f"{what} read {last} of the vault"
        return frame

    def recorded(self: BarsCache, tickers: Any, *rest: Any, **named: Any) -> pl.DataFrame:
        reads.append(tuple(tickers))
        return seen(real(self, tickers, *rest, **named), tickers)

    monkeypatch.setattr(BarsCache, "read", recorded)
    monkeypatch.setattr(BarsCache, "read_undamaged", lambda *args: pytest.fail("whole series are for imports"))
    forget_bars()
    jobs._remembered.cache_clear()
    yield reads
    assert reads, "the test read no bars at all"
    monkeypatch.setattr(BarsCache, "read_undamaged", undamaged)


def silent(share: float, note: str) -> None:
    return None


def test_the_recorder_would_notice(lab: Lab, universe: Universe, read: list[tuple[str, ...]]) -> None:
    with pytest.raises(AssertionError, match="of the vault"):
        market_bars(vault_slice(universe, lab.workspace.bars, opening_id=1))


def test_an_iteration_with_its_variants_enrichment_and_parent(
    lab: Lab, learn: Callable[..., IterationView], read: list[tuple[str, ...]]
) -> None:
    first = lab.iteration(1)
    assert first.proposal is not None
    lab.apply(first.proposal.id)
    assert learn(lab, 1).row.version == "1.1"
    assert ("SPY",) in read
    assert ("VIX",) in read


def test_a_replay(lab: Lab, read: list[tuple[str, ...]]) -> None:
    assert len(lab.replay(1).changed) == 1, "SPY is traded now"


def test_a_persons_own_scripts_that_reach_for_everything(lab: Lab, threads: Executor, read: list[tuple[str, ...]]) -> None:
    tried = lab.try_scripts(GREEDY, EXECUTION, 1, threads)
    assert tried.result.signals > 0


def test_sweeps_and_exit_plans(lab: Lab, threads: Executor, read: list[tuple[str, ...]]) -> None:
    subject = subject_of_scripts(SCAN, EXECUTION, 1, "balanced")
    run_sweep(lab.workspace, lab.store, threads, subject, SweepRequest("grid", 2, parameters=("loud",)), silent)
    compare_exits(lab.workspace, lab.store, threads, subject)


def test_the_sample_an_editor_counts_signals_on(lab: Lab, universe: Universe, read: list[tuple[str, ...]]) -> None:
    sample = lab.signal_sample(1)
    assert sample.bars.last == universe.learning_until
    assert count_signals(sample, SCAN, EXECUTION).sessions == 20


def test_the_plain_jobs_a_strategist_can_reach(lab: Lab, universe: Universe, tmp_path: Path, read: list[tuple[str, ...]]) -> None:
    bars = learning_slice(universe, lab.workspace.bars)
    scripts = jobs.Scripts(GREEDY, EXECUTION)
    rules = jobs.AccountRules(5, 1.0, 0.25)
    jobs.scan_job(bars, scripts)
    jobs.enrich_job(bars, scripts, str(tmp_path))
    report = jobs.backtest_job(bars, scripts, rules, jobs.TrialsSoFar(1, None), 1, str(tmp_path))
    jobs.variant_job(bars, scripts, rules, str(tmp_path), 1)
    jobs.sample_job(bars, scripts, 5)
    assert report.summary.equity[-1][0] == universe.learning_until


@pytest.mark.parametrize("days", [1, 30, 4_000])
def test_no_job_can_be_given_a_slice_that_reaches_further(lab: Lab, universe: Universe, days: int) -> None:
    span = learning_span(universe, lab.workspace.bars)
    with pytest.raises(VaultClosed, match="only an attempt to graduate"):
        replace(span, last=span.last + timedelta(days=days))


def test_only_the_proof_of_a_graduation_can_make_a_slice_of_the_vault() -> None:
    """Read in the source: nobody else may name the function that does, or an opening."""
    rooms = Path(jobs.__file__).parents[1]
    naming = {
        str(path.relative_to(rooms))
        for path in rooms.rglob("*.py")
        if any(word in path.read_text() for word in ("vault_slice", "opening_id="))
    }
    assert {name for name in naming if not name.startswith(("agents/proof/", "store/"))} == {"agents/span.py"}


def test_bars_are_only_loaded_where_a_slice_says_which() -> None:
    """Who calls `load_market` or reads the cache outside the market's own room."""
    agents = Path(jobs.__file__).parent
    loading = {str(path.relative_to(agents)) for path in agents.rglob("*.py") if "load_market(" in path.read_text()}
    assert loading == {"held.py", "loading.py"}


def test_a_variant_on_the_bench_is_measured_on_the_learning_span(lab: Lab, threads: Executor, read: list[tuple[str, ...]]) -> None:
    from lab.agents.bench import Bench
    from lab.agents.journal import Journal
    from tests.agents.conftest import HeldLease

    journal = Journal(lab.store, HeldLease())

    async def tested() -> str:
        bench = Bench(journal, threads, await journal.load(1))
        (result,) = await bench.test([Variant(GREEDY, EXECUTION, "greedy", "to see")])
        return result.error

    assert asyncio.run(tested()) == ""
