"""The catalogue a second time, as plain loops over one ticker's bars: slow, obvious, and written from the definitions alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

Values = Sequence[float | None]


class Bars:
    """One ticker's bars as lists; None where a value is missing or no usable number."""

    def __init__(self, frame: pl.DataFrame) -> None:
        def clean(name: str) -> list[float | None]:
            return [value if value is not None and math.isfinite(value) else None for value in frame[name].to_list()]

        self.open, self.high, self.low, self.close, self.volume = (clean(name) for name in ("open", "high", "low", "close", "volume"))
        self.session = frame["session"].to_list()
        self.minute = frame["minute"].to_list()
        self.size = len(frame)


def each(work: Callable[..., float | None], *columns: Values) -> list[float | None]:
    """Bar by bar; missing where any input is, or where a division by zero would be."""
    results: list[float | None] = []
    for row in zip(*columns, strict=True):
        try:
            results.append(None if None in row else work(*row))
        except ZeroDivisionError:
            results.append(None)
    return results


def window(work: Callable[[list[float]], float], values: Values, n: int) -> list[float | None]:
    """Over the last n bars; missing before there are n, or where one of them is."""
    results: list[float | None] = []
    for row in range(len(values)):
        part = values[row - n + 1 : row + 1] if row >= n - 1 else [None]
        results.append(None if None in part else float(work([value for value in part if value is not None])))
    return results


def before(values: Values, n: int = 1) -> list[float | None]:
    return ([None] * n + list(values))[: len(values)]


def seeded(values: Values, n: int, weight: float) -> list[float | None]:
    """Exponential average over the known values, started from the mean of the first n; missing where the value is."""
    results: list[float | None] = []
    start: list[float] = []
    average: float | None = None
    for value in values:
        if value is None:
            results.append(None)
            continue
        if average is None:
            start.append(value)
            if len(start) == n:
                average = sum(start) / n
        else:
            average += weight * (value - average)
        results.append(average)
    return results


def sma(x: Values, n: int) -> list[float | None]:
    return window(np.mean, x, n)


def ema(x: Values, n: int) -> list[float | None]:
    return seeded(x, n, 2 / (n + 1))


def rma(x: Values, n: int) -> list[float | None]:
    return seeded(x, n, 1 / n)


def wma(x: Values, n: int) -> list[float | None]:
    return window(lambda part: float(np.dot(part, range(1, n + 1)) / (n * (n + 1) / 2)), x, n)


def change(x: Values, n: int = 1) -> list[float | None]:
    return each(lambda now, then: now - then, x, before(x, n))


def true_range(bars: Bars) -> list[float | None]:
    return each(lambda high, low, then: max(high, then) - min(low, then), bars.high, bars.low, before(bars.close))


def atr(bars: Bars, n: int) -> list[float | None]:
    return rma(true_range(bars), n)


def rsi(x: Values, n: int) -> list[float | None]:
    moves = change(x)
    ups, downs = rma(each(lambda move: max(move, 0.0), moves), n), rma(each(lambda move: max(-move, 0.0), moves), n)
    return each(lambda up, down: 100 * up / (up + down), ups, downs)


def stdev(x: Values, n: int) -> list[float | None]:
    return window(np.std, x, n)


def in_session(bars: Bars, work: Callable[[list[int]], float | None]) -> list[float | None]:
    """For each bar, `work` on the positions of its session's bars so far, itself last."""
    return [work([at for at in range(row + 1) if bars.session[at] == bars.session[row]]) for row in range(bars.size)]


def vwap(bars: Bars) -> list[float | None]:
    typical = each(lambda h, low, c: (h + low + c) / 3, bars.high, bars.low, bars.close)

    def work(rows: list[int]) -> float | None:
        pairs = [(typical[row], bars.volume[row]) for row in rows]
        traded = [(price, volume) for price, volume in pairs if price is not None and volume is not None]
        total = sum(volume for _, volume in traded)
        return sum(price * volume for price, volume in traded) / total if None not in pairs[-1] and total else None

    return in_session(bars, work)


def vwap_deviation(bars: Bars) -> list[float | None]:
    typical = each(lambda h, low, c: (h + low + c) / 3, bars.high, bars.low, bars.close)

    def work(rows: list[int]) -> float | None:
        pairs = [(typical[row], bars.volume[row]) for row in rows]
        traded = [(price, volume) for price, volume in pairs if price is not None and volume is not None]
        total = sum(volume for _, volume in traded)
        if None in pairs[-1] or not total:
            return None
        mean = sum(price * volume for price, volume in traded) / total
        return math.sqrt(sum(volume * (price - mean) ** 2 for price, volume in traded) / total)

    return in_session(bars, work)


def extreme(bars: Bars, values: Values, pick: Callable[[list[float]], float]) -> list[float | None]:
    def work(rows: list[int]) -> float | None:
        found = [value for value in (values[row] for row in rows) if value is not None]
        return pick(found) if values[rows[-1]] is not None else None

    return in_session(bars, work)


def opening_range(bars: Bars, values: Values, minutes: int, pick: Callable[[list[float]], float]) -> list[float | None]:
    def work(rows: list[int]) -> float | None:
        if bars.minute[rows[-1]] < 570 + minutes:
            return None
        found = [value for value in (values[row] for row in rows if bars.minute[row] < 570 + minutes) if value is not None]
        return pick(found) if found else None

    return in_session(bars, work)


def session_open(bars: Bars) -> list[float | None]:
    return in_session(bars, lambda rows: next((bars.open[row] for row in rows if bars.open[row] is not None), None))


def previous_close(bars: Bars) -> list[float | None]:
    results: list[float | None] = []
    for row in range(bars.size):
        earlier = [at for at in range(row) if bars.session[at] != bars.session[row]]
        results.append(next((bars.close[at] for at in reversed(earlier) if bars.close[at] is not None), None))
    return results


def relative_volume(bars: Bars, n: int) -> list[float | None]:
    results: list[float | None] = []
    for row in range(bars.size):
        same = [bars.volume[at] for at in range(row) if bars.minute[at] == bars.minute[row]][-n:]
        now = bars.volume[row]
        if len(same) < n or None in same or now is None or sum(v for v in same if v is not None) == 0:
            results.append(None)
        else:
            results.append(now / (sum(v for v in same if v is not None) / n))
    return results


def since(conditions: Sequence[bool | None]) -> list[float | None]:
    results: list[float | None] = []
    last: int | None = None
    for row, held in enumerate(conditions):
        last = row if held else last
        results.append(None if last is None else float(row - last))
    return results
