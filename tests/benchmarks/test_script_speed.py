"""What the strategy language costs beside the same Polars expressions written by hand. Run: pytest tests/benchmarks -n 0"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.script import check, compile_strategy
from lab.script.strategy import _compiled
from tests.script.bars import EXECUTION, make_bars

BARS = 2_000_000
MOST_TIMES_BY_HAND = 1.15

SCAN = """
near    = low <= vwap() * 1.001 and close > vwap()
trend   = ema(close, 20) > sma(close, 50)
loud    = volume > 2 * sma(volume, 20)
strong  = rsi(close, 14) > 50
calm    = atr(14) / close < 0.02
fresh   = close > ago(highest(high, 20), 1)
early   = time_between("10:00", "11:30")
long    = near and trend and loud and strong and calm and early
short   = not near and not trend and loud and fresh
score   = volume / sma(volume, 20)
"""


@cache
def _bars() -> pl.DataFrame:
    """Ten tickers of minute bars."""
    one = make_bars(1, tickers=1, sessions=BARS // 10 // 390 * 6 // 5 + 3, per_session=390, step=1).head(BARS // 10)
    return pl.concat([one.with_columns(ticker=pl.lit(f"T{number:02d}")) for number in range(10)])


def _rma(x: pl.Expr, n: int) -> pl.Expr:
    return _average(x, n, 1 / n)


def _average(x: pl.Expr, n: int, alpha: float) -> pl.Expr:
    count = x.is_not_null().cum_sum()
    start = pl.when(count > n).then(x).when(count == n).then(x.cum_sum() / n).otherwise(None)
    return start.ewm_mean(alpha=alpha, adjust=False, ignore_nulls=True)


def _by_hand(frame: pl.DataFrame) -> pl.DataFrame:
    """The scan and its execution script as a Polars user writes them who knows that one ticker at a time is fastest."""
    h, low, c, v = (pl.col(name) for name in ("high", "low", "close", "volume"))
    typical = (h + low + c) * (1 / 3)
    before = c.shift(1)
    move = c - before
    parts = []
    for start in range(0, len(frame), len(frame) // 10):
        done = frame.slice(start, len(frame) // 10).with_columns(
            vwap=((typical * v).cum_sum() / v.cum_sum()).over("session"),
            ema=_average(c, 20, 2 / 21),
            sma=c.rolling_mean(50),
            usual=v.rolling_mean(20),
            up=_rma(pl.when(move > 0).then(move).when(move <= 0).then(0.0), 14),
            down=_rma(pl.when(move < 0).then(-move).when(move >= 0).then(0.0), 14),
            atr=_rma(pl.max_horizontal(h, before) - pl.min_horizontal(low, before), 14),
            highest=h.rolling_max(20).shift(1),
        ).with_columns(
            near=(low <= pl.col("vwap") * 1.001) & (c > pl.col("vwap")),
            trend=pl.col("ema") > pl.col("sma"),
            loud=v > pl.col("usual") * 2,
            strong=100 * pl.col("up") / (pl.col("up") + pl.col("down")) > 50,
            calm=pl.col("atr") / c < 0.02,
            fresh=c > pl.col("highest"),
            early=(pl.col("minute") >= 600) & (pl.col("minute") < 690),
            score=v / pl.col("usual"),
            stop_long=c - 0.01 * c,
            stop_short=c + 0.01 * c,
        ).with_columns(
            long=(pl.col("near") & pl.col("trend") & pl.col("loud") & pl.col("strong") & pl.col("calm") & pl.col("early")).fill_null(False),
            short=(~pl.col("near") & ~pl.col("trend") & pl.col("loud") & pl.col("fresh")).fill_null(False),
        )  # fmt: skip
        parts.append(done.select(pl.exclude(frame.columns)))
    return frame.with_columns(pl.concat(parts).get_columns())


def _best(work: Callable[[], object], other: Callable[[], object], rounds: int = 7) -> tuple[float, float]:
    """The least processor time of each, taken in turns: other programs on the machine hardly touch it."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for place, each in enumerate((work, other)):
            started = time.process_time()
            each()
            times[place].append(time.process_time() - started)
    return min(times[0]), min(times[1])


def test_the_hand_written_columns_are_the_same_signals() -> None:
    frame = _bars()
    found = compile_strategy(SCAN, EXECUTION).evaluate(frame)
    by_hand = _by_hand(frame)
    warm = pl.int_range(pl.len()).over("ticker") >= 50
    assert found.filter(warm)["signal.long"].equals(by_hand.filter(warm)["long"])
    assert found.filter(warm)["signal.short"].equals(by_hand.filter(warm)["short"])
    assert found["signal.long"].sum() > 50


def test_columns_cost_little_more_than_by_hand(benchmark: BenchmarkFixture) -> None:
    frame = _bars()
    strategy = compile_strategy(SCAN, EXECUTION)
    assert len(frame) == BARS
    ours, theirs = _best(lambda: strategy.evaluate(frame), lambda: _by_hand(frame))
    benchmark.extra_info.update(ours_seconds=round(ours, 3), by_hand_seconds=round(theirs, 3), ratio=round(ours / theirs, 3))
    benchmark.pedantic(strategy.evaluate, args=(frame,), rounds=3, warmup_rounds=0)
    assert ours / theirs <= MOST_TIMES_BY_HAND, f"{ours:.3f} s, by hand {theirs:.3f} s, ratio {ours / theirs:.2f}"


def test_a_scan_of_ten_lines_compiles_in_five_milliseconds(benchmark: BenchmarkFixture) -> None:
    def fresh() -> None:
        _compiled.cache_clear()
        compile_strategy(SCAN, EXECUTION)

    benchmark.pedantic(fresh, rounds=100, warmup_rounds=3)
    if benchmark.stats is not None:
        assert benchmark.stats.stats.min < 0.005


def test_a_script_of_thirty_lines_is_checked_in_fifty_milliseconds(benchmark: BenchmarkFixture) -> None:
    lines = SCAN + "\n".join(f"line{i} = ema(close, {i + 5}) > bollinger_upper(close, {i + 9}) and adx({i + 4}) > 20" for i in range(20))
    benchmark.pedantic(check, args=(lines, EXECUTION), rounds=30, warmup_rounds=2)
    if benchmark.stats is not None:
        assert benchmark.stats.stats.min < 0.05


SLOW_FUNCTIONS = (
    "wma(close, 20)", "kama(close, 10)", "psar()", "supertrend(10, 3)", "cci(20)", "aroon(14)", "percentile_rank(close, 50)",
    "correlation(close, open, 30)", "point_of_control(30)", "anchored_vwap(close > ago(high))", 'on("1d", sma(close, 20))',
    "rank_across(close)", 'of("T00", close)',
)  # fmt: skip


@pytest.mark.parametrize("call", SLOW_FUNCTIONS)
def test_functions_with_loops_stay_in_seconds(benchmark: BenchmarkFixture, call: str) -> None:
    frame = _bars().head(1_000_000)
    strategy = compile_strategy(f"x = {call}\nlong = x > 1", EXECUTION)
    benchmark.pedantic(strategy.evaluate, args=(frame,), rounds=1, warmup_rounds=0)
    if benchmark.stats is not None:
        assert benchmark.stats.stats.min < 5.0
