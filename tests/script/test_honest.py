"""Honest scripts, as traders write them: every one is accepted, and the look-ahead check raises no alarm on any."""

from __future__ import annotations

import pytest

from lab.script import check, compile_strategy, explain, format_script, truncation_check
from tests.script.bars import EXECUTION, make_bars

HONEST = (
    "long = close > open",
    "long = crosses_above(close, vwap())",
    "long = crosses_below(close, vwap_lower(2)) and volume > 2 * sma(volume, 10)",
    "long = rsi(close, 2) < 10 and close > sma(close, 20)",
    "short = rsi(close, 2) > 90 and close < sma(close, 20)",
    "long = gap() > 1 and close > opening_range_high(15)",
    "short = gap() > 2 and not gap_filled() and minutes_since_open() >= 30",
    "long = crosses_above(ema(close, 5), ema(close, 13))",
    "long = macd_histogram(close, 5, 13, 4) > 0 and rising(macd_histogram(close, 5, 13, 4), 2)",
    "long = was(squeeze(10), 5) and not squeeze(10) and close > keltner_upper(10, 1.5)",
    "long = close > ago(donchian_upper(20), 1)",
    "short = close < ago(donchian_lower(20), 1)",
    "long = adx(7) > 25 and plus_di(7) > minus_di(7)",
    "long = aroon_up(10) > 70 and aroon_down(10) < 30",
    "long = crosses_above(close, supertrend(5, 2))",
    "long = close > psar() and ago(close) <= ago(psar())",
    "long = close > max(ichimoku_span_a(4, 9), ichimoku_span_b(18, 9)) and ichimoku_conversion(4) > ichimoku_base(9)",
    "long = r2(close, 10) > 0.7 and slope(close, 10) > 0",
    "long = choppiness(10) < 38 and roc(close, 5) > 0",
    "long = bollinger_percent(close, 10) < 0 and hammer()",
    "long = engulfing_up() and low < ago(lowest(low, 10), 1)",
    "long = morning_star() or three_soldiers()",
    "short = evening_star() or three_crows() or shooting_star()",
    "long = harami_up() and rsi(close, 5) < 40",
    "long = narrow_range(7) and inside_bar()",
    "long = since(crosses_above(close, opening_range_high(15)), low <= opening_range_high(15)) and close > opening_range_high(15)",
    "long = first_in_session(close > session_open() * 1.005)",
    "long = n_th_in_session(crosses_above(close, vwap()), 2)",
    "long = bars_since(crosses_above(close, vwap())) <= 3 and low <= vwap()",
    "long = higher_highs(2) and higher_lows(2) and close > swing_low(2)",
    "short = lower_highs(2) and lower_lows(2)",
    "long = abs(distance(levels.support)) < 0.5 and close > open",
    "long = close > prev_day.high and open <= prev_day.high",
    "long = crosses_above(close, pivot_classic(1))",
    "short = high >= pivot_camarilla(3) and close < pivot_camarilla(3)",
    "long = low <= pivot_fibonacci(-2) and close > pivot_fibonacci(-2)",
    "long = close > prev_week_high()",
    'long = close > on("1d", close) and close > vwap()',
    'long = on("1h", close > open) and on("15m", rsi(close, 3)) < 50',
    'long = roc(close, 5) > of("T00", roc(close, 5))',
    'long = correlation(roc(close, 1), of("T00", roc(close, 1)), 10) < 0.5 and close > vwap()',
    'long = beta(roc(close, 1), of("T00", roc(close, 1)), 10) > 1',
    "long = rank_across(roc(close, 5)) > 60",
    "long = place_across(relative_volume(1)) <= 1",
    "long = breadth(close > vwap()) > 50 and close > vwap()",
    "short = percent_above(close, sma(close, 10)) < 50",
    "long = zscore(close, 10) < -2",
    "long = percentile_rank(volume, 20) > 90 and close > open",
    "long = volume > quantile(volume, 20, 0.9)",
    "long = skew(roc(close, 1), 20) < -0.5 and kurtosis(roc(close, 1), 20) > 2",
    "long = autocorrelation(roc(close, 1), 20, 1) < 0 and close < sma(close, 5)",
    "long = cmf(10) > 0.1 and obv() > sma(obv(), 10) and ad() > ago(ad(), 3)",
    "long = force_index(5) > 0 and ago(force_index(5)) <= 0",
    "long = close > anchored_vwap(bar_of_session() == 1)",
    "long = close > point_of_control(20) and ago(close) <= ago(point_of_control(20))",
    "long = realised_volatility(10) < parkinson(10)",
    "long = cci(10) < -100 and williams_r(10) < -80 and stoch(10) < 20",
    "long = crosses_above(stoch(7), stoch_d(7, 3)) and stoch_rsi(close, 7, 7) < 30",
    "long = ultimate(3, 6, 12) < 30 or tsi(close, 5, 3) > 0 and awesome(3, 8) > 0",
    "long = close > kama(close, 5) and close > hma(close, 9) and close > tema(close, 5)",
    "long = vwma(close, 10) > wma(close, 10) and dema(close, 10) > rma(close, 10)",
    "long = close < highest_since(crosses_above(close, vwap()), high) * 0.998",
    'long = time_between("10:00", "11:30") and market.trend >= 0 and not first_bars(3) and not last_bars(3)',
    "long = day_of_week() != 1 and market.vix < 101 and market.volatility <= 1",
    "def near(level, band): return abs(close / level - 1) < band\nlong = near(vwap(), 0.001) and not near(session_high(), 0.001)",
    '"""A title"""\n# why\nn = param(10, low=5, high=20, step=5)\nlong = close > sma(close, n)  # the end\nscore = roc(close, n)',
)
EXECUTIONS = (
    EXECUTION,
    "entry = limit(close - side * 0.2 * atr(5), bars=3)\nstop = close - side * 2 * atr(5)\ntarget = close + side * 3 * atr(5)\n",
    'entry = stop_entry(high if side > 0 else low, bars=2)\nstop = low if side > 0 else high\nexit = last_minutes(10)\nflat_by = "15:50"\n',
)


def test_there_are_enough_of_them() -> None:
    """With the forty random ones of the fuzz tests."""
    assert len(set(HONEST)) >= 65


@pytest.mark.parametrize("number", range(len(HONEST)))
def test_an_honest_script_is_accepted_without_alarm(number: int) -> None:
    scan, execution = HONEST[number], EXECUTIONS[number % 3]
    assert check(scan, execution) == ()
    strategy = compile_strategy(scan, execution)
    frame = make_bars(number, tickers=2, sessions=9 if "week" in scan else 3, per_session=30, damaged=number % 2 == 1)
    assert truncation_check(strategy, frame, [1, 2, 11, 32, frame["timestamp"][40], frame["timestamp"][60]]) == ()
    assert len(explain(scan, execution)) >= 3
    assert compile_strategy(format_script(scan), execution).script_hash == strategy.script_hash


def test_a_stored_strategy_with_a_line_that_does_nothing_still_compiles_to_the_same_strategy() -> None:
    idle = EXECUTION + "stop_loss = low - 2 * atr(14)\n"
    assert [error.line for error in check("long = close > vwap()", idle)] == [idle.count("\n")]
    assert compile_strategy("long = close > vwap()", idle).script_hash == compile_strategy("long = close > vwap()", EXECUTION).script_hash
    assert check("long = close > vwap()", idle + "target = close + (close - stop_loss)\n") == (), "what is read has an effect"
