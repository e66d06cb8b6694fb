"""Functions give what their definition says, on clean bars and on bars with gaps and missing values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from tests.script import reference as ref
from tests.script.bars import column, make_bars
from tests.script.reference import Bars, each, window


def _above(a: ref.Values, b: ref.Values) -> list[float | None]:
    return each(lambda one, other: float(one > other), a, b)


def _swing_high(bars: Bars, k: int) -> list[float | None]:
    results: list[float | None] = []
    last: float | None = None
    for row in range(bars.size):
        part = bars.high[row - 2 * k : row + 1] if row >= 2 * k else [None]
        if None not in part and part[k] == max(value for value in part if value is not None):
            last = part[k]
        results.append(last)
    return results


def _adx(bars: Bars, n: int) -> list[float | None]:
    ups, downs = ref.change(bars.high), each(lambda move: -move, ref.change(bars.low))
    plus = each(lambda up, down: up if up > down and up > 0 else 0.0, ups, downs)
    minus = each(lambda up, down: down if down > up and down > 0 else 0.0, ups, downs)
    average = ref.atr(bars, n)
    plus_di = each(lambda move, size: 100 * move / size, ref.rma(plus, n), average)
    minus_di = each(lambda move, size: 100 * move / size, ref.rma(minus, n), average)
    return ref.rma(each(lambda a, b: 100 * abs(a - b) / (a + b), plus_di, minus_di), n)


def _mfi(bars: Bars, n: int) -> list[float | None]:
    typical = each(lambda h, low, c: (h + low + c) / 3, bars.high, bars.low, bars.close)
    # Two equal typical prices may differ by rounding.
    moves = each(lambda move: round(move, 6), ref.change(typical))
    up = each(lambda move, price, volume: price * volume if move > 0 else 0.0, moves, typical, bars.volume)
    down = each(lambda move, price, volume: price * volume if move < 0 else 0.0, moves, typical, bars.volume)
    return each(lambda a, b: 100 * a / (a + b), window(sum, up, n), window(sum, down, n))


def _obv(bars: Bars) -> list[float | None]:
    total, results = 0.0, []
    for move, volume in zip(ref.change(bars.close), bars.volume, strict=True):
        if move is None or volume is None:
            results.append(None)
            continue
        total += math.copysign(volume, move) if move else 0.0
        results.append(total)
    return results


REFERENCES: dict[str, Callable[[Bars], list[float | None]]] = {
    "sma(close, 7)": lambda b: ref.sma(b.close, 7),
    "ema(close, 7)": lambda b: ref.ema(b.close, 7),
    "rma(close, 7)": lambda b: ref.rma(b.close, 7),
    "wma(close, 7)": lambda b: ref.wma(b.close, 7),
    "vwma(close, 7)": lambda b: each(
        lambda top, bottom: top / bottom,
        window(sum, each(lambda c, v: c * v, b.close, b.volume), 7),
        window(sum, each(lambda c, v: v, b.close, b.volume), 7),
    ),
    "dema(close, 5)": lambda b: each(lambda one, two: 2 * one - two, ref.ema(b.close, 5), ref.ema(ref.ema(b.close, 5), 5)),
    "true_range()": ref.true_range,
    "atr(5)": lambda b: ref.atr(b, 5),
    "natr(5)": lambda b: each(lambda size, c: 100 * size / c, ref.atr(b, 5), b.close),
    "stdev(close, 9)": lambda b: ref.stdev(b.close, 9),
    "bollinger_upper(close, 9, 1.5)": lambda b: each(lambda m, s: m + 1.5 * s, ref.sma(b.close, 9), ref.stdev(b.close, 9)),
    "bollinger_lower(close, 9)": lambda b: each(lambda m, s: m - 2 * s, ref.sma(b.close, 9), ref.stdev(b.close, 9)),
    "bollinger_width(close, 9)": lambda b: each(lambda m, s: 400 * s / m, ref.sma(b.close, 9), ref.stdev(b.close, 9)),
    "keltner_upper(5, 2)": lambda b: each(lambda m, s: m + 2 * s, ref.ema(b.close, 5), ref.atr(b, 5)),
    "keltner_lower(5, 2)": lambda b: each(lambda m, s: m - 2 * s, ref.ema(b.close, 5), ref.atr(b, 5)),
    "rsi(close, 5)": lambda b: ref.rsi(b.close, 5),
    "roc(close, 3)": lambda b: each(lambda now, then: 100 * (now / then - 1), b.close, ref.before(b.close, 3)),
    "change(close, 3)": lambda b: ref.change(b.close, 3),
    "stoch(5)": lambda b: each(lambda c, low, high: 100 * (c - low) / (high - low), b.close, window(min, b.low, 5), window(max, b.high, 5)),
    "williams_r(5)": lambda b: each(
        lambda c, low, high: -100 * (high - c) / (high - low), b.close, window(min, b.low, 5), window(max, b.high, 5)
    ),
    "mfi(5)": lambda b: _mfi(b, 5),
    "macd(close, 4, 9)": lambda b: each(lambda f, s: f - s, ref.ema(b.close, 4), ref.ema(b.close, 9)),
    "macd_signal(close, 4, 9, 3)": lambda b: ref.ema(each(lambda f, s: f - s, ref.ema(b.close, 4), ref.ema(b.close, 9)), 3),
    "ppo(close, 4, 9)": lambda b: each(lambda f, s: 100 * (f - s) / s, ref.ema(b.close, 4), ref.ema(b.close, 9)),
    "adx(5)": lambda b: _adx(b, 5),
    "slope(close, 9)": lambda b: window(lambda part: np.polyfit(range(9), part, 1)[0], b.close, 9),
    "relative_volume(2)": lambda b: ref.relative_volume(b, 2),
    "session_volume()": lambda b: ref.extreme(b, b.volume, sum),
    "obv()": _obv,
    "vwap()": ref.vwap,
    "vwap_deviation()": ref.vwap_deviation,
    "vwap_upper(2)": lambda b: each(lambda m, s: m + 2 * s, ref.vwap(b), ref.vwap_deviation(b)),
    "opening_range_high(30)": lambda b: ref.opening_range(b, b.high, 30, max),
    "opening_range_low(30)": lambda b: ref.opening_range(b, b.low, 30, min),
    "session_high()": lambda b: ref.extreme(b, b.high, max),
    "session_low()": lambda b: ref.extreme(b, b.low, min),
    "session_open()": ref.session_open,
    "previous_close()": ref.previous_close,
    "gap()": lambda b: each(lambda now, then: 100 * (now / then - 1), ref.session_open(b), ref.previous_close(b)),
    "minutes_since_open()": lambda b: [float(minute - 570) for minute in b.minute],
    "day_of_week()": lambda b: [float(day.isoweekday()) for day in b.session],
    "day_of_month()": lambda b: [float(day.day) for day in b.session],
    "exp(close - 100)": lambda b: each(lambda c: math.exp(c - 100), b.close),
    "bar_of_session()": lambda b: ref.in_session(b, lambda rows: float(len(rows))),
    "body()": lambda b: each(lambda o, c: abs(c - o), b.open, b.close),
    "upper_wick()": lambda b: each(lambda o, h, c: h - max(o, c), b.open, b.high, b.close),
    "lower_wick()": lambda b: each(lambda o, low, c: min(o, c) - low, b.open, b.low, b.close),
    "range_()": lambda b: each(lambda h, low: h - low, b.high, b.low),
    "close_location()": lambda b: each(lambda h, low, c: (c - low) / (h - low), b.high, b.low, b.close),
    "ago(close, 4)": lambda b: ref.before(b.close, 4),
    "highest(high, 6)": lambda b: window(max, b.high, 6),
    "lowest(low, 6)": lambda b: window(min, b.low, 6),
    "swing_high(2)": lambda b: _swing_high(b, 2),
    "total(volume, 6)": lambda b: window(sum, b.volume, 6),
    "median(volume, 6)": lambda b: window(np.median, b.volume, 6),
    "zscore(close, 6)": lambda b: each(lambda c, m, s: (c - m) / s, b.close, ref.sma(b.close, 6), ref.stdev(b.close, 6)),
    "count_true(close > open, 4)": lambda b: window(sum, _above(b.close, b.open), 4),
    "1 if was(close > open, 4) else 0": lambda b: window(max, _above(b.close, b.open), 4),
    "1 if all_true(close > open, 2) else 0": lambda b: window(min, _above(b.close, b.open), 2),
    "1 if rising(close, 2) else 0": lambda b: window(min, _above(b.close, ref.before(b.close)), 2),
    "1 if falling(close, 2) else 0": lambda b: window(min, _above(ref.before(b.close), b.close), 2),
    "bars_since(close > open)": lambda b: ref.since([bool(held) for held in _above(b.close, b.open)]),
    "abs(close - 100)": lambda b: each(lambda c: abs(c - 100), b.close),
    "min(open, close)": lambda b: each(min, b.open, b.close),
    "max(open, 100)": lambda b: each(lambda o: max(o, 100.0), b.open),
    "sqrt(close - 100)": lambda b: [None if c is None or c < 100 else math.sqrt(c - 100) for c in b.close],
    "log(volume)": lambda b: [None if not v else math.log(v) for v in b.volume],
    "sign(close - open)": lambda b: each(lambda o, c: float((c > o) - (c < o)), b.open, b.close),
    "round(close, 1)": lambda b: each(lambda c: math.floor(c * 10 + 0.5) / 10, b.close),
    "clip(close, 99, 101)": lambda b: each(lambda c: min(max(c, 99.0), 101.0), b.close),
    "nz(volume, 7)": lambda b: [7.0 if v is None else v for v in b.volume],
}


@pytest.mark.parametrize("damaged", [False, True], ids=["clean", "damaged"])
@pytest.mark.parametrize("expression", REFERENCES)
def test_a_function_gives_what_its_definition_says(expression: str, damaged: bool) -> None:
    frame = make_bars(11, tickers=1, sessions=4, per_session=40, damaged=damaged)
    expected = REFERENCES[expression](Bars(frame))
    found = column(frame, f"x = {expression}")
    assert [value is None for value in found] == [value is None for value in expected]
    assert any(value is not None for value in expected)
    for one, other in zip(found, expected, strict=True):
        assert one is None or one == pytest.approx(other, rel=1e-9, abs=1e-9)


def test_crossings_happen_on_the_bar_where_they_happen() -> None:
    frame = make_bars(3, tickers=1)
    close, average = frame["close"].to_list(), ref.sma(frame["close"].to_list(), 5)
    pairs = list(zip(close, average, strict=True))
    ups = [False] + [b[1] is not None and a[1] is not None and a[0] <= a[1] and b[0] > b[1] for a, b in itertools.pairwise(pairs)]
    assert column(frame, "x = crosses_above(close, sma(close, 5))") == ups
    flat = [False] + [a <= 100 < b for a, b in itertools.pairwise(close)]
    assert column(frame, "x = crosses_above(close, 100)") == flat
    assert column(frame, "x = crosses_below(-close, -100)") == flat


def test_session_functions_start_anew_each_session_and_know_half_days() -> None:
    frame = make_bars(3, tickers=1)
    rising = [close > opened for close, opened in zip(frame["close"].to_list(), frame["open"].to_list(), strict=True)]
    seen: dict[object, int] = {}
    first, second = [], []
    for session, held in zip(frame["session"].to_list(), rising, strict=True):
        seen[session] = seen.get(session, 0) + held
        first.append(held and seen[session] == 1)
        second.append(held and seen[session] == 2)
    assert column(frame, "x = first_in_session(close > open)") == first
    assert column(frame, "x = n_th_in_session(close > open, 2)") == second
    left = [float(closes - minute) for closes, minute in zip(frame["close_minute"].to_list(), frame["minute"].to_list(), strict=True)]
    assert column(frame, "x = minutes_to_close()") == left
    assert set(frame["close_minute"].to_list()) == {960, 780}
    inside = [585 <= minute < 660 for minute in frame["minute"].to_list()]
    assert column(frame, 'x = time_between("09:45", "11:00")') == inside
