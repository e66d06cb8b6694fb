"""What a result tells: metrics, benchmarks, a fingerprint, and that nothing heavy is loaded for the asking."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest

from lab.backtest import Account, BacktestError, Costs, buy_and_hold, buy_and_hold_equity, daily_returns, run_backtest, sharpe_ratio
from tests.backtest.markets import FIRST_SESSION, Planned, TestPlan, hand_written

FREE = Costs(commission_bps=0.0, slippage_bps=0.0, participation_cap=None, borrow_bps_per_year=0.0)
QUIET = (10.0, 10.5, 9.5, 10.0)
SIGNAL: dict[str, float | None] = {"stop": 9.0, "target": 12.0}


def won_and_lost() -> pl.DataFrame:
    """+2 R on the first session, -1 R on the second, nothing on the third."""
    bars = [QUIET, QUIET, (10, 12.5, 10, 12), QUIET, QUIET, (10, 10, 8, 9), QUIET]
    return hand_written(bars, sessions=[0, 0, 0, 1, 1, 1, 2], long={0: SIGNAL, 3: SIGNAL})


def test_metrics_are_what_a_person_would_reckon() -> None:
    result = run_backtest(Planned(TestPlan(fractions=(1.0,))), won_and_lost(), Account(), FREE)
    metrics = result.metrics
    assert result.trades["pnl"].to_list() == [2_000.0, -1_020.0]
    assert (metrics.trades, metrics.wins, metrics.win_rate) == (2, 1, 0.5)
    assert metrics.win_rate_interval == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert metrics.profit_factor == pytest.approx(2_000 / 1_020)
    assert metrics.expectancy_r == pytest.approx(0.5)
    assert (metrics.average_win, metrics.average_loss) == (2_000.0, -1_020.0)
    assert metrics.total_return == pytest.approx(0.0098)
    assert metrics.max_drawdown == pytest.approx(1_020 / 102_000)
    assert (metrics.average_bars_held, metrics.exposure, metrics.sessions) == (2.0, 4 / 7, 3)
    assert metrics.sharpe == pytest.approx(sharpe_ratio([0.02, -0.01, 0.0]))
    assert (metrics.starting_equity, metrics.final_equity, metrics.costs_paid) == (100_000.0, 100_980.0, 0.0)
    assert daily_returns(result.equity, 100_000.0).tolist() == pytest.approx([0.02, -0.01, 0.0])


def test_a_fall_from_the_start_is_a_drawdown() -> None:
    frame = hand_written([QUIET, QUIET, (10, 10, 8, 9)], long={0: SIGNAL})
    metrics = run_backtest(Planned(TestPlan()), frame, Account(), FREE).metrics
    assert metrics.max_drawdown == pytest.approx(0.01)
    assert (metrics.profit_factor, metrics.average_win, metrics.sharpe) == (0.0, None, None)


def test_a_result_without_a_loss_has_no_profit_factor() -> None:
    frame = hand_written([QUIET, QUIET, (10, 12.5, 10, 12)], long={0: SIGNAL})
    assert run_backtest(Planned(TestPlan(fractions=(1.0,))), frame, Account(), FREE).metrics.profit_factor is None


def test_a_result_survives_the_way_between_processes() -> None:
    result = run_backtest(Planned(TestPlan()), won_and_lost(), Account(), Costs())
    again = pickle.loads(pickle.dumps(result))
    assert again.trades.equals(result.trades)
    assert (again.metrics, again.fingerprint) == (result.metrics, result.fingerprint)


def test_the_fingerprint_tells_any_other_result() -> None:
    plan, frame = Planned(TestPlan()), won_and_lost()
    base = run_backtest(plan, frame, Account(), FREE).fingerprint
    costs = Costs(commission_bps=0.0001, slippage_bps=0.0, participation_cap=None, borrow_bps_per_year=0.0)
    assert run_backtest(plan, frame, Account(), costs).fingerprint != base
    assert run_backtest(plan, frame.with_columns(pl.lit(1.0).alias("score")), Account(), FREE).fingerprint != base


def test_buy_and_hold_pays_its_costs() -> None:
    frame = hand_written([(10, 10, 10, 10), (11, 11, 11, 11), (12, 12, 12, 12)], sessions=[0, 1, 2])
    assert buy_and_hold(frame, ["AAA"], FREE) == pytest.approx(0.2)
    dear = Costs(commission_bps=50, slippage_bps=50)
    assert buy_and_hold(frame, ["AAA"], dear) == pytest.approx(1.2 / 1.01 * 0.99 - 1)
    assert buy_and_hold_equity(frame, ["AAA"], FREE, 1_000.0)["equity"].to_list() == pytest.approx([1_000, 1_100, 1_200])


def test_equal_parts_wait_as_cash_and_outlive_their_bars() -> None:
    early = hand_written([(10, 10, 10, 10), (20, 20, 20, 20)], ticker="AAA", sessions=[0, 1])
    late = hand_written([(10, 10, 10, 10), (5, 5, 5, 5)], ticker="BBB", sessions=[1, 2])
    curve = buy_and_hold_equity(pl.concat([early, late]), ["AAA", "BBB"], FREE, 100.0)
    assert curve["equity"].to_list() == pytest.approx([100.0, 150.0, 125.0])
    assert curve["session"][0] == FIRST_SESSION
    with pytest.raises(BacktestError, match="no bars of CCC"):
        buy_and_hold(early, ["AAA", "CCC"], FREE)
    assert buy_and_hold(early.clear(), [], FREE) == 0.0


@pytest.mark.parametrize(
    ("use", "unwanted"),
    [("b.Account(), b.Costs()", ["polars", "numpy", "scipy", "arch"]), ("b.run_backtest, b.wilson_interval", ["scipy", "arch", "pandas"])],
    ids=["settings", "running"],
)
def test_nothing_heavier_is_loaded_than_the_work_needs(use: str, unwanted: list[str]) -> None:
    code = f"import sys, lab.backtest as b; {use}; print([m for m in {unwanted} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    import lab.backtest

    with pytest.raises(AttributeError, match="nonsense"):
        _ = lab.backtest.nonsense
    assert all(hasattr(lab.backtest, name) for name in lab.backtest.__all__)


def test_a_million_bars_are_a_matter_of_a_moment() -> None:
    random = np.random.default_rng(1)
    sessions, bars, tickers = 130, 390, 20
    n = sessions * bars
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.0006, n)))
    opening = np.concatenate(([100.0], close[:-1]))
    one = pl.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * 1.0003,
            "low": np.minimum(opening, close) * 0.9997,
            "close": close,
            "volume": np.full(n, 1e5),
            "session": pl.Series(np.repeat(np.datetime64("2024-01-01") + np.arange(sessions), bars)),
            "minute": pl.Series(np.tile(np.arange(570, 960), sessions), dtype=pl.Int16),
            "long.stop": close * 0.998,
            "long.target": close * 1.004,
        }
    ).with_columns(
        (pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + pl.duration(minutes="minute")).alias("timestamp")
    )
    market = pl.concat([one.with_columns(pl.lit(f"T{i:02}").alias("ticker")) for i in range(tickers)])
    market = market.with_columns(pl.Series("signal.long", random.random(market.height) < 2_000 / market.height))
    plan = Planned(TestPlan(fractions=(1.0,), max_bars=60, flat_by_minute=955))
    took = math.inf
    for _ in range(3):
        start = time.process_time()
        result = run_backtest(plan, market, Account(), Costs())
        took = min(took, time.process_time() - start)
    assert result.metrics.trades > 1_000
    assert took < 1.0  # seconds of CPU; 0.2 on the machine it was written on
