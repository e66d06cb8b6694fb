"""The laboratory as an instrument: what is planted in the demo market is there, and the built-in strategist finds it."""

from __future__ import annotations

import asyncio

import numpy as np
import polars as pl
import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.builtin.filters import filters
from lab.agents.enrich import enrich_signals
from lab.agents.evidence import EvidencePack, build_evidence
from lab.agents.personality import detect, risk_config
from lab.agents.strategist import Brief
from lab.backtest import Account, Costs, daily_returns, run_backtest, sharpe_ratio
from lab.market import DEMO_EDGES, EdgeStrength, make_market_frames
from lab.market.demo import PlantedEdge
from lab.script import compile_strategy

pytestmark = pytest.mark.xdist_group("demo edges")

CONTEXT = frozenset({"market", "levels", "prev_day"})
SELECTION_SESSIONS = 96
"""Refinements of the demo's agents are chosen on so many: three fifths of the learning span."""
COSTS_BPS = 3.0
"""A round trip at 1.5 bps a side."""
NULL_SEEDS = range(6)
USED = ("market.trend", "market.volatility", "market.change", "levels.support", "levels.resistance", "prev_day.close")
EDGES = pytest.mark.parametrize("edge", DEMO_EDGES, ids=lambda edge: edge.name)


@pytest.fixture(scope="module")
def strong_bars() -> pl.DataFrame:
    return make_market_frames(2, 150, 8, EdgeStrength.STRONG).with_context(USED)


def forward_bps(edge: PlantedEdge, bars: pl.DataFrame) -> list[float]:
    """Per session with a signal of the edge's rule: the mean move in its direction from the next open until the edge has ended."""
    strategy = compile_strategy(edge.rule, edge.execution)
    held = strategy.plan.max_bars or 0
    evaluated = strategy.evaluate(bars)
    later = evaluated.with_columns(
        later=((pl.col("close").shift(-held) / pl.col("open").shift(-1)).log() * 1e4).over("ticker", "session"),
        side=pl.lit(1) if "signal.short" not in evaluated.columns else pl.col("signal.long").cast(int) - pl.col("signal.short").cast(int),
    )
    signals = pl.col("signal.long") if "signal.short" not in evaluated.columns else pl.col("signal.long") | pl.col("signal.short")
    found = later.filter(signals).drop_nulls("later").group_by("session").agg((pl.col("later") * pl.col("side")).mean())
    return [float(value) for value in found["later"]]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))


@EDGES
def test_a_strong_edge_pays_where_its_rule_signals(edge: PlantedEdge, strong_bars: pl.DataFrame) -> None:
    mean, error = mean_and_error(forward_bps(edge, strong_bars))
    assert mean - 2 * error > COSTS_BPS, f"{mean:.1f} bps, standard error {error:.1f}"


@pytest.fixture(scope="module")
def found_in_nothing() -> dict[str, list[float]]:
    """By edge, what its rule finds on markets without edges."""
    found: dict[str, list[float]] = {edge.name: [] for edge in DEMO_EDGES}
    for seed in NULL_SEEDS:
        bars = make_market_frames(seed, 60, 6, EdgeStrength.NONE).with_context(USED)
        for edge in DEMO_EDGES:
            found[edge.name] += forward_bps(edge, bars)
    return found


@EDGES
def test_with_no_edges_the_rules_find_nothing_on_many_markets(edge: PlantedEdge, found_in_nothing: dict[str, list[float]]) -> None:
    found = found_in_nothing[edge.name]
    mean, error = mean_and_error(found)
    assert len(found) > 50
    assert abs(mean) < 3 * error, f"{mean:.1f} bps, standard error {error:.1f}"


@pytest.mark.slow
def test_the_planted_rules_are_worth_what_the_guide_says_of_each_strength() -> None:
    """Mean annual Sharpe ratio after costs over eight markets, of the mean over the three rules."""
    said = {
        EdgeStrength.NONE: (-6.0, -0.3),
        EdgeStrength.WEAK: (0.3, 2.5),
        EdgeStrength.MEDIUM: (3.0, 5.5),
        EdgeStrength.STRONG: (5.0, 9.0),
    }
    for strength, (low, high) in said.items():
        found = []
        for seed in range(8):
            bars = make_market_frames(seed, 200, 12, strength).with_context(USED)
            for edge in DEMO_EDGES:
                strategy = compile_strategy(edge.rule, edge.execution)
                equity = run_backtest(strategy, strategy.evaluate(bars), Account(), Costs()).equity
                found.append(sharpe_ratio(np.asarray(daily_returns(equity, 100_000.0))) or 0.0)
        assert low <= np.mean(found) <= high, f"{strength}: {np.mean(found):.2f}"


@pytest.fixture(scope="module")
def learning_bars() -> pl.DataFrame:
    """Of a clear market as many sessions as refinements are chosen on; at medium strength chance has its say."""
    return make_market_frames(sessions=SELECTION_SESSIONS, edges=EdgeStrength.STRONG).with_context()


def evidence_of(instructions: str, bars: pl.DataFrame) -> EvidencePack:
    found = detect(instructions).personality
    limits = risk_config(found)
    draft = asyncio.run(BuiltInStrategist().generate(Brief("Ann", instructions, "", found, limits, "1m", CONTEXT)))
    strategy = compile_strategy(draft.scan_script, draft.execution_script)
    evaluated = strategy.evaluate(bars)
    account = Account(max_positions=int(limits["max_positions"]), max_exposure=limits["max_exposure"])
    trades = run_backtest(strategy, evaluated, account, Costs()).trades
    signals = enrich_signals(evaluated).rename({"timestamp": "signal_at"})
    return build_evidence(trades.join(signals, on=["ticker", "signal_at", "direction"], how="left", maintain_order="left"), prefix="S")


@pytest.mark.parametrize(
    ("instructions", "planted"),
    [
        ("A conservative VWAP scalper for liquid tech stocks, buys dips to VWAP in uptrends", {"volume_burst"}),
        ("An aggressive gap-and-go momentum trader for stocks that gap up", {"relative_volume", "gap_percent"}),
        ("A patient mean-reversion trader who buys sharp sell-offs at support", {"rsi", "support_distance_percent"}),
    ],
    ids=["VWAP bounce", "gap and go", "support bounce"],
)
def test_a_planted_edge_is_among_the_first_filters_tried(instructions: str, planted: set[str], learning_bars: pl.DataFrame) -> None:
    pack = evidence_of(instructions, learning_bars)
    assert 30 <= pack.trades <= 10_000
    assert planted & {f.column for f in filters(pack)[:4]}
