"""Trades of one day are not independent: means and differences of means that take them for what they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from lab.agents.clusters import MIN_CLUSTERS, clusters_of, difference_p_value, mean_interval
from lab.agents.evidence import build_evidence
from tests.agents.made import made_trades

SESSIONS = 60


def shocked(seed: int, *, sessions: int = SESSIONS, per_session: int = 12) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Trades whose R share a shock of the day as large as what is their own, and the day of each."""
    rng = np.random.default_rng(seed)
    days = np.repeat(np.arange(sessions), rng.poisson(per_session, sessions))
    return rng.normal(0, 1, sessions)[days] + rng.normal(0, 1, days.size), days


@pytest.mark.parametrize("kind", ["days alike", "trades apart", "mostly some days"])
def test_a_shock_that_all_trades_of_a_day_share_is_not_taken_for_an_edge(kind: str) -> None:
    alarms = tested = 0
    for seed in range(500):
        r, days = shocked(seed)
        rng = np.random.default_rng(10_000 + seed)
        share = {"days alike": (rng.random(SESSIONS) < 0.3).astype(float), "trades apart": np.full(SESSIONS, 0.3)}.get(
            kind, rng.beta(0.4, 0.8, SESSIONS)
        )
        p = difference_p_value(r.tolist(), (rng.random(r.size) < share[days]).tolist(), days)
        if p is not None:
            tested += 1
            alarms += p < 0.05
    assert tested > 450
    assert 0.015 <= alarms / tested <= 0.07


def test_the_interval_of_the_mean_holds_the_truth_about_nineteen_times_in_twenty() -> None:
    intervals = [mean_interval(r.tolist(), days) for r, days in (shocked(seed) for seed in range(500))]
    held = sum(1 for found in intervals if found is not None and found[0] <= 0 <= found[1])
    assert 0.925 <= held / 500 <= 0.98


def test_it_agrees_with_the_clustered_sandwich_where_days_are_many() -> None:
    from statsmodels.regression.linear_model import OLS

    r, days = shocked(3, sessions=400)
    inside = np.random.default_rng(1).random(r.size) < 0.4
    fit = OLS(r + 0.1 * inside, np.column_stack([np.ones(r.size), inside])).fit(cov_type="cluster", cov_kwds={"groups": days})
    ours = difference_p_value((r + 0.1 * inside).tolist(), inside.tolist(), days)
    assert ours == pytest.approx(float(fit.pvalues[1]), rel=0.15)


def test_a_few_days_are_not_tested() -> None:
    r, days = shocked(1, sessions=MIN_CLUSTERS - 1, per_session=50)
    assert mean_interval(r.tolist(), days) is None
    r, days = shocked(1)
    assert difference_p_value(r.tolist(), (days < MIN_CLUSTERS - 1).tolist(), days) is None
    assert mean_interval([], np.zeros(0, dtype=np.int64)) is None


def test_a_true_difference_within_days_is_found() -> None:
    found = 0
    for seed in range(50):
        r, days = shocked(seed)
        inside = np.random.default_rng(seed).random(r.size) < 0.3
        found += (difference_p_value((r + 0.6 * inside).tolist(), inside.tolist(), days) or 1.0) < 0.05
    assert found >= 45


def test_what_is_tested_is_the_mean_that_the_sentence_speaks_of() -> None:
    """Ranks and means can point in opposite directions: many small wins and a few large losses."""
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange(SESSIONS), 10)
    inside = rng.random(days.size) < 0.5
    r = np.where(inside, np.where(rng.random(days.size) < 0.8, 0.5, -2.0), np.where(rng.random(days.size) < 0.5, 1.0, -1.0))
    from scipy import stats

    assert stats.mannwhitneyu(r[inside], r[~inside]).pvalue < 0.05
    assert (difference_p_value(r.tolist(), inside.tolist(), days) or 0.0) > 0.05


def test_trades_held_over_nights_are_taken_together_for_longer() -> None:
    start = datetime(2024, 1, 2, 15, 0, tzinfo=UTC)
    entry = [start + timedelta(days=d) for d in range(100)]
    frame = pl.DataFrame({"session": [t.date() for t in entry], "entry_at": entry})
    within = frame.with_columns((pl.col("entry_at") + timedelta(minutes=30)).alias("exit_at"))
    nights = frame.with_columns((pl.col("entry_at") + timedelta(days=5)).alias("exit_at"))
    assert np.unique(clusters_of(within)).size == 100
    assert 10 <= np.unique(clusters_of(nights)).size <= 11
    assert clusters_of(frame.clear().with_columns(pl.col("entry_at").alias("exit_at"))).size == 0


def test_the_pack_says_how_many_days_stand_behind_a_bucket() -> None:
    trades = made_trades(300)
    one_day = trades.with_columns(pl.lit(date(2024, 8, 9)).alias("session"))
    assert all(10 <= b.clusters <= 80 for b in build_evidence(trades).dimension("market.trend"))
    few = build_evidence(one_day)
    assert all(b.p_value is None and b.mean_r_interval is None for b in few.buckets)
    mean = few.figure("mean R")
    assert mean is not None
    assert mean.interval is None
