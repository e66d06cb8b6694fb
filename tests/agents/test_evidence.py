"""The evidence pack: true counts, honest tests, an id for everything."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.agents.evidence import MIN_BUCKET, EvidencePack, build_evidence, with_parent
from lab.agents.results import from_json, to_json
from lab.agents.strategist import ParentComparison
from tests.agents.made import compared, made_summary, made_trades, span


@given(n=st.integers(0, 120), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_buckets_of_a_dimension_hold_every_trade_whose_value_is_known_once(n: int, seed: int) -> None:
    trades = made_trades(n, seed)
    pack = build_evidence(trades, made_summary(trades))
    for column in {b.column for b in pack.buckets}:
        buckets = pack.dimension(column)
        assert sum(b.trades for b in buckets) == trades[column].drop_nulls().len()
        known = trades.filter(pl.col(column).is_not_null())
        assert sum(b.wins for b in buckets) == int((known["pnl"] > 0).sum())
        assert math.isclose(sum(b.total_r for b in buckets), float(known["r_multiple"].sum()), abs_tol=1e-9)
    for b in pack.buckets:
        assert b.win_rate_interval.low <= b.win_rate <= b.win_rate_interval.high
        assert math.isclose(b.mean_r, b.total_r / b.trades)
        assert b.mean_r_interval is None or b.mean_r_interval.low <= b.mean_r <= b.mean_r_interval.high


def test_every_piece_of_evidence_has_its_own_id() -> None:
    trades = made_trades(200)
    pack = build_evidence(trades, made_summary(trades, 260))
    parts = [*pack.figures, *pack.funnel, *pack.buckets, *pack.best, *pack.worst]
    assert [e.id for e in parts] == [f"E{i}" for i in range(1, len(parts) + 1)]
    assert pack.ids() == {e.id for e in parts}
    assert next(iter(build_evidence(trades, prefix="S").figures)).id == "S1"


def test_a_bucket_counts_what_it_says() -> None:
    trades = made_trades(60)
    pack = build_evidence(trades)
    loud = next(b for b in pack.dimension("volume_burst") if b.low == 2.0)
    rows = trades.filter(pl.col("volume_burst").is_between(2.0, 3.0, closed="left"))
    rest = trades.filter(~pl.col("volume_burst").is_between(2.0, 3.0, closed="left"))
    assert loud.name == "2 to 3x"
    assert loud.trades == rows.height
    assert loud.mean_r == pytest.approx(rows["r_multiple"].mean())
    assert loud.r_lift == pytest.approx(np.mean(rows["r_multiple"].to_numpy()) - np.mean(rest["r_multiple"].to_numpy()))
    up = next(b for b in pack.dimension("market.trend") if b.name == "up")
    assert up.trades == int((trades["market.trend"] == 1).sum())
    assert (up.low, up.high) == (1.0, 1.0)


def test_corrected_p_values_are_those_of_benjamini_and_hochberg() -> None:
    pack = build_evidence(made_trades(300, loud_lift=0.7))
    tested = sorted((b.p_value, b.corrected_p) for b in pack.buckets if b.p_value is not None and b.corrected_p is not None)
    m = len(tested)
    by_hand = [min(tested[j][0] * m / (j + 1) for j in range(i, m)) for i in range(m)]
    assert [c for _, c in tested] == pytest.approx([min(1.0, p) for p in by_hand])


def test_a_planted_difference_is_found() -> None:
    pack = build_evidence(made_trades(400, loud_lift=0.8))
    best = min((b for b in pack.buckets if b.corrected_p is not None), key=lambda b: b.corrected_p or 0.0)
    assert best.column == "volume_burst"
    assert (best.corrected_p or 1.0) < 0.01


def test_pure_noise_rarely_looks_like_a_difference() -> None:
    alarms = 0
    for seed in range(40):
        pack = build_evidence(made_trades(200, seed))
        alarms += any((b.corrected_p or 1.0) < 0.05 for b in pack.buckets if b.corrected_p is not None)
    assert alarms <= 6


def test_small_buckets_and_outcomes_are_not_tested() -> None:
    pack = build_evidence(made_trades(90))
    assert all(b.p_value is None for b in pack.buckets if min(b.trades, 90 - b.trades) < MIN_BUCKET)
    assert pack.dimension("exit_reason")
    assert all(b.p_value is None for b in pack.dimension("exit_reason"))


def test_the_extremes_are_the_best_and_worst_trades() -> None:
    trades = made_trades(50)
    pack = build_evidence(trades)
    ordered = sorted(trades["r_multiple"].to_list())
    assert [t.r_multiple for t in pack.worst] == ordered[:5]
    assert [t.r_multiple for t in pack.best] == ordered[::-1][:5]
    assert pack.worst[0].context["volume_burst"] >= 1.5


def test_no_trades_are_no_error() -> None:
    trades = made_trades(0)
    pack = build_evidence(trades, made_summary(trades, 12))
    assert (pack.trades, pack.buckets, pack.best, pack.worst) == (0, (), (), ())
    skipped = pack.figure("no slot")
    assert skipped is not None
    assert skipped.value == 12


def test_missing_context_is_left_out() -> None:
    trades = made_trades(40).drop("market.trend").with_columns(pl.lit(None, dtype=pl.Float64).alias("gap_percent"))
    pack = build_evidence(trades)
    assert not pack.dimension("market.trend")
    assert not pack.dimension("gap_percent")


def test_figures_agree_with_the_account() -> None:
    trades = made_trades(100)
    summary = made_summary(trades, 130)
    pack = build_evidence(trades, summary)
    values = {f.name: f.value for f in (*pack.figures, *pack.funnel)}
    assert values["trades"] == 100
    assert values["signals"] == 130
    assert values["Sharpe ratio"] == summary.sharpe
    assert values["buy and hold SPY"] == 0.031
    best = np.sort(trades["pnl"].to_numpy())[::-1][:5].sum()
    assert values["net profit without the five best trades"] == pytest.approx(float(trades["pnl"].sum()) - best)


@given(n=st.integers(0, 80), seed=st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_a_stored_pack_comes_back_the_same(n: int, seed: int) -> None:
    trades = made_trades(n, seed)
    pack = build_evidence(trades, made_summary(trades))
    assert from_json(EvidencePack, json.loads(json.dumps(to_json(pack)))) == pack


def test_the_parents_figures_can_be_cited_too() -> None:
    trades = made_trades(60)
    pack = build_evidence(trades, made_summary(trades))
    parent = ParentComparison("1.0", ("stop: 3 → 4",), span(), span(), compared(2e-4))
    both = with_parent(pack, parent)
    added = both.figures[len(pack.figures) :]
    assert added[0].name == "trades before"
    assert not {f.id for f in added} & pack.ids()
    assert len(both.ids()) == len(pack.ids()) + len(added)
