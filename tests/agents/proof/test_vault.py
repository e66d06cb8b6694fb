"""The vault can't be read by anything that learns: every way in is tried, with a recorder on the only door to bars."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlmodel import select

from lab import agents
from lab.agents import jobs
from lab.agents.claude.trade_bars import TradeSpan
from lab.agents.exits import compare_exits
from lab.agents.jobs import VaultClosed
from lab.agents.loading import forget_bars, market_bars
from lab.agents.proof.running import brief_of
from lab.agents.sampling import count_signals
from lab.agents.service import Lab
from lab.agents.span import learning_slice, learning_span, vault_slice
from lab.agents.strategist import Brief, Variant
from lab.agents.sweeps import SweepRequest, run_sweep, subject_of_scripts
from lab.agents.views import IterationView
from lab.market import BarsCache
from lab.store.models import MarketRegime, PriceLevel, TradingAgent, Universe
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


def jobs_on_bars() -> dict[str, Callable[..., Any]]:
    """Every function of the agents' room called a job that is given bars, wherever it is written."""
    found = {}
    for module in pkgutil.walk_packages(agents.__path__, "lab.agents."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            given = list(inspect.signature(function).parameters.values())
            if name.endswith("_job") and given and given[0].annotation == "BarsSlice":
                found[name] = function
    return found


SCRIPTS = jobs.Scripts(GREEDY, EXECUTION)
FIXED = jobs.Scripts(GREEDY, "entry = at_open()\nstop = low * 0.99\ntarget = close * 1.02\n")
"""Without a parameter, so that a study measures one variant."""
RULES = jobs.AccountRules(5, 1.0, 0.25)
TRADE = TradeSpan("ALTO", datetime(2025, 1, 17, 20, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC), 100.0)
"""Its exit lies months behind the learning span."""
GIVEN: dict[str, Callable[[str, Brief], tuple[Any, ...]]] = {
    "scan_job": lambda folder, brief: (SCRIPTS,),
    "enrich_job": lambda folder, brief: (SCRIPTS, folder),
    "backtest_job": lambda folder, brief: (SCRIPTS, RULES, jobs.TrialsSoFar(1, None), 1, folder),
    "variant_job": lambda folder, brief: (SCRIPTS, RULES, folder, 1),
    "sample_job": lambda folder, brief: (SCRIPTS, 5),
    "sample_run_job": lambda folder, brief: (SCRIPTS, 5, RULES),
    "trade_bars_job": lambda folder, brief: (TRADE,),
    "share_job": lambda folder, brief: (SCRIPTS, f"{folder}/shared"),
    "sweep_job": lambda folder, brief: (jobs.Scripts(SCAN, EXECUTION), ("loud",), ((2.0,),), RULES, f"{folder}/points.parquet"),
    "exits_job": lambda folder, brief: (GREEDY, (EXECUTION,), RULES, 1),
    "walk_forward_job": lambda folder, brief: (FIXED, RULES, 1, 1),
    "robustness_job": lambda folder, brief: (FIXED, RULES, 1),
    "random_job": lambda folder, brief: (brief, RULES, 2, 1),
    "shuffled_job": lambda folder, brief: (brief, RULES, 1, 1),
}
"""What each is given beside the bars. A new job fails the next test until it stands here and stays out of the vault."""
OPENED = {"vault_job"}
"""Reads the vault, with a slice that only an opening that is written down can make."""


def test_every_job_that_is_given_bars_stays_on_the_learning_span(
    lab: Lab, universe: Universe, tmp_path: Path, read: list[tuple[str, ...]]
) -> None:
    found = jobs_on_bars()
    assert set(found) == set(GIVEN) | OPENED, "a job was added or taken away: try it here"
    bars = replace(learning_slice(universe, lab.workspace.bars), tickers=("ALTO", "BRIX", "SPY"))
    with lab.store.read() as session:
        brief = brief_of(session.get_one(TradingAgent, 1), universe)
    order = sorted(GIVEN, key=lambda name: name != "backtest_job")  # what it stores is what variants are held against
    for name in order:
        forget_bars()
        jobs._remembered.cache_clear()
        before = len(read)
        found[name](bars, *GIVEN[name](str(tmp_path), brief))
        assert len(read) > before, f"{name} read no bars, so nothing was tried"


def test_the_trade_screen_and_the_tear_sheet(lab: Lab, read: list[tuple[str, ...]]) -> None:
    last = len(lab.trades(1)) - 1
    view = lab.trade(1, last)
    learned_until = lab.iteration(1).universe.learning_until
    assert view.bars[-1].started_at.date() <= learned_until
    assert {article.published_at.date() <= learned_until for article in view.news} <= {True}
    sheet = lab.proof.tear_sheet(1)
    assert max(day for curve in sheet.benchmarks.values() for day, _ in curve) == learned_until


def test_what_is_kept_for_the_screens_ends_with_the_learning_span(lab: Lab) -> None:
    until = lab.iteration(1).universe.learning_until
    with lab.store.read() as session:
        for table in (PriceLevel, MarketRegime):
            kept = session.exec(select(table)).all()
            assert kept
            assert max(row.session for row in kept) <= until


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


WITHIN_A_SLICE = {
    "agents/held.py:benchmarks_of",
    "agents/jobs.py:_around",
    "agents/loading.py:_load",
    "agents/loading.py:finer_bars",
    "agents/proof/null_arm.py:shuffled_bars",
    "agents/trade_view.py:_bars",
}
"""They read what a `BarsSlice` names, which refuses the vault: the tests above walk through each."""
NO_PRICE_IS_TOLD = {
    "agents/cache_care.py:coverage_days": "how many bars a day has, for the calendar of the Data screen",
    "agents/choosing.py:choose": "prices and volumes of before a universe begins, to choose its tickers by a person's rule",
}
"""They read further, and say nothing of it to whoever learns."""


def test_whoever_opens_the_cache_is_known_here() -> None:
    """Read in the source: every function outside the market's own room that reads bars. A new one fails this until it is tried."""
    rooms = Path(jobs.__file__).parents[1]
    reading = set()
    for path in rooms.rglob("*.py"):
        if path.is_relative_to(rooms / "market"):
            continue
        text = path.read_text()
        for function in ast.walk(ast.parse(text)) if "BarsCache" in text or "load_market" in text else ():
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            words = ast.unparse(function)
            loads = any(f"{name}(" in words for name in ("load_market", "session_context", "read_undamaged", "scan_parquet"))
            if loads or re.search(r"(BarsCache\([^)]*\)+|\bcache|\b_cache)\.(read|stream|bars)\(", words):
                reading.add(f"{path.relative_to(rooms)}:{function.name}")
    assert reading == WITHIN_A_SLICE | set(NO_PRICE_IS_TOLD)


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
