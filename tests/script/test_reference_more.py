"""More functions against plain loops: averages that adapt, trend lines, profiles, patterns of candles, and what counts from an event."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from tests.script import reference as ref
from tests.script.bars import column, make_bars
from tests.script.reference import Bars, Values, each, window


def _kama(x: Values, n: int) -> list[float | None]:
    moves = each(lambda move: abs(move), ref.change(x))
    ways, nets = window(sum, moves, n), ref.change(x, n)
    results: list[float | None] = []
    average: float | None = None
    for row, (value, way, net) in enumerate(zip(x, ways, nets, strict=True)):
        if value is None or way is None or net is None:
            results.append(None)
            continue
        if average is None:
            average = x[row - 1]
        assert average is not None
        share = ((min(1.0, abs(net) / way) if way else 1.0) * (2 / 3 - 2 / 31) + 2 / 31) ** 2
        average += share * (value - average)
        results.append(average)
    return results


def _supertrend(bars: Bars, n: int, k: float) -> list[float | None]:
    middles, sizes = each(lambda h, low: (h + low) / 2, bars.high, bars.low), ref.atr(bars, n)
    results: list[float | None] = []
    state: tuple[float, float, float, bool] | None = None
    for mid, close, size in zip(middles, bars.close, sizes, strict=True):
        if mid is None or close is None or size is None:
            results.append(None)
            continue
        low, high, rising = mid - k * size, mid + k * size, False
        if state is not None:
            old_low, old_high, old_close, was_rising = state
            low = low if low > old_low or old_close < old_low else old_low
            high = high if high < old_high or old_close > old_high else old_high
            rising = not close < low if was_rising else close > high
        state = (low, high, close, rising)
        results.append(low if rising else high)
    return results


def _control(bars: Bars, n: int, steps: int) -> list[float | None]:
    typical = each(lambda h, low, c: (h + low + c) / 3, bars.high, bars.low, bars.close)
    results: list[float | None] = []
    for row in range(bars.size):
        rows = range(row - n + 1, row + 1)
        if row < n - 1 or any(None in (typical[at], bars.volume[at], bars.high[at], bars.low[at]) for at in rows):
            results.append(None)
            continue
        bottom = min(bars.low[at] or 0.0 for at in rows)
        size = (max(bars.high[at] or 0.0 for at in rows) - bottom) / steps
        filled = [0.0] * steps
        for at in rows:
            filled[min(steps - 1, int(((typical[at] or 0.0) - bottom) / size))] += bars.volume[at] or 0.0
        results.append(bottom + (filled.index(max(filled)) + 0.5) * size if max(filled) else None)
    return results


def _clv(bars: Bars) -> list[float | None]:
    return each(lambda h, low, c, v: ((2 * c - h - low) / (h - low) if h > low else 0.0) * v, bars.high, bars.low, bars.close, bars.volume)


def _since(bars: Bars, pick: Callable[[list[float]], float], values: Values) -> list[float | None]:
    """From the last rising bar on, that bar included."""
    results: list[float | None] = []
    start: int | None = None
    for row, (opened, close) in enumerate(zip(bars.open, bars.close, strict=True)):
        if opened is not None and close is not None and close > opened:
            start = row
        found = [value for value in values[start : row + 1] if value is not None] if start is not None else []
        results.append(pick(found) if found and values[row] is not None else None)
    return results


def _anchored(bars: Bars) -> list[float | None]:
    typical = each(lambda h, low, c: (h + low + c) / 3, bars.high, bars.low, bars.close)
    results: list[float | None] = []
    start: int | None = None
    for row, (opened, close) in enumerate(zip(bars.open, bars.close, strict=True)):
        if opened is not None and close is not None and close > opened:
            start = row
        pairs = [] if start is None else list(zip(typical[start : row + 1], bars.volume[start : row + 1], strict=True))
        traded = [(price, volume) for price, volume in pairs if price is not None and volume is not None]
        total = sum(volume for _, volume in traded)
        known = bool(pairs) and None not in pairs[-1] and total
        results.append(sum(price * volume for price, volume in traded) / total if known else None)
    return results


def _swings(bars: Bars, k: int) -> list[tuple[int, float]]:
    found = []
    for row in range(2 * k, bars.size):
        part = bars.high[row - 2 * k : row + 1]
        if None not in part and part[k] == max(value for value in part if value is not None):
            found.append((row, float(part[k] or 0.0)))
    return found


def _prior_swing(bars: Bars, k: int) -> list[float | None]:
    results: list[float | None] = []
    for row in range(bars.size):
        known = [value for at, value in _swings(bars, k) if at <= row]
        results.append(known[-2] if len(known) > 1 else None)
    return results


def _rank(part: list[float]) -> float:
    others = part[:-1]
    return 100 * sum(1.0 if value < part[-1] else 0.5 if value == part[-1] else 0.0 for value in others) / len(others)


def _moment(power: int) -> Callable[[list[float]], float]:
    return lambda part: float(
        np.mean((np.array(part) - np.mean(part)) ** power) / np.mean((np.array(part) - np.mean(part)) ** 2) ** (power / 2)
    )


def _pairs(work: Callable[[list[float], list[float]], float], a: Values, b: Values, n: int) -> list[float | None]:
    results: list[float | None] = []
    for row in range(len(a)):
        one, other = a[max(0, row - n + 1) : row + 1], b[max(0, row - n + 1) : row + 1]
        full = len(one) == n and None not in one and None not in other
        results.append(work([v for v in one if v is not None], [v for v in other if v is not None]) if full else None)
    return results


def _mean_deviation(part: list[float]) -> float:
    return float(np.mean(np.abs(np.array(part) - np.mean(part))))


def _typical(b: Bars) -> list[float | None]:
    return each(lambda h, low, c: (h + low + c) / 3, b.high, b.low, b.close)


def _middle(b: Bars, n: int) -> list[float | None]:
    return each(lambda h, low: (h + low) / 2, window(max, b.high, n), window(min, b.low, n))


def _twice(x: Values, slow: int, fast: int) -> list[float | None]:
    return ref.ema(ref.ema(x, slow), fast)


REFERENCES: dict[str, Callable[[Bars], list[float | None]]] = {
    "hma(close, 9)": lambda b: ref.wma(each(lambda half, full: 2 * half - full, ref.wma(b.close, 4), ref.wma(b.close, 9)), 3),
    "kama(close, 5)": lambda b: _kama(b.close, 5),
    "supertrend(5, 1.5)": lambda b: _supertrend(b, 5, 1.5),
    "cci(7)": lambda b: each(
        lambda t, m, d: (t - m) / (0.015 * d), _typical(b), ref.sma(_typical(b), 7), window(_mean_deviation, _typical(b), 7)
    ),
    "tsi(close, 5, 3)": lambda b: each(
        lambda top, bottom: 100 * top / bottom,
        _twice(ref.change(b.close), 5, 3),
        _twice(each(abs, ref.change(b.close)), 5, 3),
    ),
    "awesome(3, 7)": lambda b: each(
        lambda one, two: one - two, *(ref.sma(each(lambda h, low: (h + low) / 2, b.high, b.low), n) for n in (3, 7))
    ),
    "choppiness(7)": lambda b: each(
        lambda way, high, low: 100 * math.log10(way / (high - low)) / math.log10(7),
        window(sum, ref.true_range(b), 7),
        window(max, b.high, 7),
        window(min, b.low, 7),
    ),
    "r2(close, 7)": lambda b: window(lambda part: np.corrcoef(part, range(7))[0, 1] ** 2, b.close, 7),
    "linreg(close, 7)": lambda b: window(lambda part: float(np.polyval(np.polyfit(range(7), part, 1), 6)), b.close, 7),
    "bars_since_highest(high, 6)": lambda b: window(lambda part: float(part[::-1].index(max(part))), b.high, 6),
    "bars_since_lowest(low, 6)": lambda b: window(lambda part: float(part[::-1].index(min(part))), b.low, 6),
    "aroon_up(5)": lambda b: window(lambda part: 100 * (5 - part[::-1].index(max(part))) / 5, b.high, 6),
    "ichimoku_conversion(4)": lambda b: _middle(b, 4),
    "ichimoku_base(7)": lambda b: _middle(b, 7),
    "ichimoku_span_a(4, 7)": lambda b: ref.before(each(lambda one, two: (one + two) / 2, _middle(b, 4), _middle(b, 7)), 7),
    "ichimoku_span_b(8, 7)": lambda b: ref.before(_middle(b, 8), 7),
    "donchian_upper(6)": lambda b: window(max, b.high, 6),
    "donchian_lower(6)": lambda b: window(min, b.low, 6),
    "donchian_middle(6)": lambda b: _middle(b, 6),
    "bollinger_percent(close, 9)": lambda b: each(
        lambda c, m, s: 100 * (c - m + 2 * s) / (4 * s), b.close, ref.sma(b.close, 9), ref.stdev(b.close, 9)
    ),
    "realised_volatility(6)": lambda b: each(
        lambda total: 100 * math.sqrt(total),
        window(sum, each(lambda now, then: math.log(now / then) ** 2, b.close, ref.before(b.close)), 6),
    ),
    "parkinson(6)": lambda b: each(
        lambda total: 100 * math.sqrt(total / (4 * math.log(2))), window(sum, each(lambda h, low: math.log(h / low) ** 2, b.high, b.low), 6)
    ),
    "cmf(6)": lambda b: each(lambda top, bottom: top / bottom, window(sum, _clv(b), 6), window(sum, b.volume, 6)),
    "ad()": lambda b: [None if v is None else sum(w for w in _clv(b)[: row + 1] if w is not None) for row, v in enumerate(_clv(b))],
    "force_index(5)": lambda b: ref.ema(each(lambda move, v: move * v, ref.change(b.close), b.volume), 5),
    "point_of_control(8, 10)": lambda b: _control(b, 8, 10),
    "anchored_vwap(close > open)": _anchored,
    "highest_since(close > open, high)": lambda b: _since(b, max, b.high),
    "lowest_since(close > open, low)": lambda b: _since(b, min, b.low),
    "prior_swing_high(2)": lambda b: _prior_swing(b, 2),
    "percentile_rank(volume, 9)": lambda b: window(_rank, b.volume, 9),
    "quantile(close, 9, 0.3)": lambda b: window(lambda part: float(np.quantile(part, 0.3)), b.close, 9),
    "skew(close, 9)": lambda b: window(_moment(3), b.close, 9),
    "kurtosis(close, 9)": lambda b: window(_moment(4), b.close, 9),
    "correlation(close, volume, 9)": lambda b: _pairs(lambda x, y: float(np.corrcoef(x, y)[0, 1]), b.close, b.volume, 9),
    "beta(close, open, 9)": lambda b: _pairs(lambda x, y: float(np.polyfit(y, x, 1)[0]), b.close, b.open, 9),
    "autocorrelation(close, 9, 2)": lambda b: _pairs(lambda x, y: float(np.corrcoef(x, y)[0, 1]), b.close, ref.before(b.close, 2), 9),
    "distance(100)": lambda b: each(lambda c: c - 100, b.close),
    "momentum(close, 4)": lambda b: ref.change(b.close, 4),
    "stoch_d(5, 2)": lambda b: window(
        np.mean, each(lambda c, low, high: 100 * (c - low) / (high - low), b.close, window(min, b.low, 5), window(max, b.high, 5)), 2
    ),
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
        assert one is None or one == pytest.approx(other, rel=1e-8, abs=1e-8)


BAR = tuple[float, float, float, float]
CANDLES: dict[str, tuple[list[BAR], list[BAR]]] = {
    "doji()": ([(10, 11, 9, 10.1)], [(10, 11, 9, 10.9)]),
    "hammer()": ([(10, 10.3, 8, 10.25)], [(10, 11.5, 8, 10.25)]),
    "shooting_star()": ([(10.25, 12, 9.95, 10)], [(10.25, 12, 8, 10)]),
    "engulfing_up()": ([(10, 10.2, 9, 9.2), (9.1, 10.6, 9, 10.4)], [(10, 10.2, 9, 9.2), (9.1, 10, 9, 9.8)]),
    "engulfing_down()": ([(9.2, 10.2, 9, 10), (10.1, 10.2, 8.8, 9)], [(9.2, 10.2, 9, 10), (9.9, 10.2, 8.8, 9)]),
    "harami_up()": ([(10, 10.2, 9, 9.1), (9.3, 9.9, 9.2, 9.7)], [(10, 10.2, 9, 9.1), (9.0, 9.9, 8.9, 9.7)]),
    "harami_down()": ([(9.1, 10.2, 9, 10), (9.7, 9.9, 9.2, 9.3)], [(9.1, 10.2, 9, 10), (9.7, 9.9, 8.9, 9.0)]),
    "inside_bar()": ([(10, 11, 9, 10), (10, 10.5, 9.5, 10)], [(10, 11, 9, 10), (10, 11.5, 9.5, 10)]),
    "outside_bar()": ([(10, 11, 9, 10), (10, 11.5, 8.5, 10)], [(10, 11, 9, 10), (10, 11.5, 9.5, 10)]),
    "morning_star()": (
        [(11, 11.1, 9.9, 10), (9.9, 10, 9.6, 9.8), (9.9, 10.9, 9.8, 10.8)],
        [(11, 11.1, 9.9, 10), (9.9, 10, 9, 9.2), (9.9, 10.9, 9.8, 10.8)],
    ),
    "evening_star()": (
        [(10, 11.1, 9.9, 11), (11.1, 11.4, 11, 11.2), (11.1, 11.2, 10, 10.2)],
        [(10, 11.1, 9.9, 11), (11.1, 11.4, 11, 11.2), (11.1, 11.2, 10, 10.7)],
    ),
    "three_soldiers()": (
        [(10, 11.1, 9.9, 11), (10.5, 11.6, 10.4, 11.5), (11, 12.1, 10.9, 12)],
        [(10, 11.1, 9.9, 11), (11.2, 11.6, 10.4, 11.5), (11, 12.1, 10.9, 12)],
    ),
    "three_crows()": (
        [(12, 12.1, 10.9, 11), (11.5, 11.6, 10.4, 10.5), (11, 11.1, 9.9, 10)],
        [(12, 12.1, 10.9, 11), (11.5, 11.6, 10.4, 10.5), (10.4, 11.1, 9.9, 10)],
    ),
    "narrow_range(3)": ([(10, 12, 9, 10), (10, 11, 9, 10), (10, 10.5, 9, 10)], [(10, 12, 9, 10), (10, 10.2, 9, 10), (10, 10.5, 9, 10)]),
}  # fmt: skip
"""A pattern, and bars that come close to it."""


@pytest.mark.parametrize("pattern", CANDLES)
def test_a_candle_pattern_is_seen_where_it_is_and_not_where_it_almost_is(pattern: str) -> None:
    for bars, expected in zip(CANDLES[pattern], (True, False), strict=True):
        frame = (
            make_bars(tickers=1)
            .head(len(bars))
            .with_columns(
                pl.Series(name, [float(bar[place]) for bar in bars]) for place, name in enumerate(("open", "high", "low", "close"))
            )
        )
        assert column(frame, f"x = {pattern}")[-1] is expected


def test_pivot_levels_are_those_of_their_inventors() -> None:
    frame = make_bars(tickers=1).with_columns(
        pl.lit(value).alias(f"prev_day.{name}") for name, value in (("high", 110.0), ("low", 100.0), ("close", 106.0))
    )
    expected = {
        "pivot_classic": {3: 120.666667, 2: 115.333333, 1: 110.666667, 0: 105.333333, -1: 100.666667, -2: 95.333333, -3: 90.666667},
        "pivot_fibonacci": {3: 115.333333, 2: 111.513333, 1: 109.153333, 0: 105.333333, -1: 101.513333, -2: 99.153333, -3: 95.333333},
        "pivot_camarilla": {4: 111.5, 3: 108.75, 2: 107.833333, 1: 106.916667, -1: 105.083333, -2: 104.166667, -3: 103.25, -4: 100.5},
    }
    for name, levels in expected.items():
        for level, price in levels.items():
            assert column(frame, f"x = {name}({level})")[0] == pytest.approx(price, abs=1e-6)
    assert column(frame, "x = levels.pivot * 0 + pivot_classic()")[0] == pytest.approx(105.333333, abs=1e-6)


def test_events_count_from_their_last_time() -> None:
    frame = make_bars(5, tickers=1)
    rising = [close > opened for close, opened in zip(frame["close"].to_list(), frame["open"].to_list(), strict=True)]
    falling_low = [False, *(b < a for a, b in zip(frame["low"].to_list(), frame["low"].to_list()[1:], strict=False))]
    expected, held, started = [], False, False
    for up, lower in zip(rising, falling_low, strict=True):
        started, held = started or up, False if up else held or lower
        expected.append(started and held)
    assert column(frame, "x = since(close > open, low < ago(low))") == expected


def test_the_last_bars_of_a_session_are_told_from_the_clock_on_half_days_too() -> None:
    frame = make_bars(3, tickers=1, per_session=78, step=5)
    left = (frame["close_minute"] - frame["minute"]).to_list()
    first = [minute == 570 for minute in frame["minute"].to_list()]
    assert column(frame, "x = last_bars(2)") == [not start and minutes <= 10 for start, minutes in zip(first, left, strict=True)]
    assert column(frame, "x = last_minutes(10)") == [minutes <= 10 for minutes in left]
    assert column(frame, "x = first_minutes(10)") == [minute < 580 for minute in frame["minute"].to_list()]
    assert sum(value is True for value in column(frame, "x = first_bars(3)")) == 9


def test_the_last_hour_is_known_though_the_first_bar_is_half_an_hour() -> None:
    """Hourly bars named by the full hour: the first begins at 09:30, the second at 10:00."""
    half_hours = make_bars(3, tickers=1, per_session=13, step=30)
    hours = half_hours.filter((pl.col("minute") == 570) | (pl.col("minute") % 60 == 0))
    for frame, length in ((half_hours, 30), (hours, 60)):
        left = (frame["close_minute"] - frame["minute"]).to_list()
        assert column(frame, "x = last_bars(1)") == [minutes <= length for minutes in left]
        assert column(frame, "x = last_bars(2)") == [minutes <= 2 * length for minutes in left]
