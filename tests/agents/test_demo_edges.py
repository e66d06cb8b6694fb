"""The laboratory as an instrument: on the demo market, the built-in strategist finds what was planted there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.builtin.filters import filters
from lab.agents.enrich import enrich_signals
from lab.agents.evidence import EvidencePack, build_evidence
from lab.agents.personality import detect, risk_config
from lab.agents.strategist import Brief
from lab.backtest import Account, Costs, run_backtest
from lab.market import BarsCache, load_market, make_demo_market
from lab.script import compile_strategy

CONTEXT = frozenset({"market", "levels", "prev_day"})
SELECTION_SESSIONS = 58


@pytest.fixture(scope="module")
def learning_bars(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The part of the demo market's learning span on which refinements are chosen."""
    cache = BarsCache(Path(tmp_path_factory.mktemp("demo")))
    made = make_demo_market(cache)
    frame = load_market(
        cache, list(made.tickers), made.timeframe, made.first_session, made.last_session,
        market_ticker=made.market_ticker, vix_ticker=made.vix_ticker,
    )  # fmt: skip
    last = frame["session"].unique().sort()[SELECTION_SESSIONS - 1]
    return frame.filter(pl.col("session") <= last)


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
