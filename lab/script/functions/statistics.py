"""Rolling statistics."""

from __future__ import annotations

from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

FUNCTIONS = (
    Function(
        "total",
        Category.STATISTICS,
        (series(), whole()),
        Kind.NUMBER,
        "sum of the last n bars",
        "as in TA-Lib SUM",
        "total(volume, 10)",
        build=lambda x, n: x.rolling_sum(n, min_samples=n),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "median",
        Category.STATISTICS,
        (series(), whole()),
        Kind.NUMBER,
        "middle value of the last n bars",
        "definition",
        "volume > 3 * median(volume, 50)",
        build=lambda x, n: x.rolling_median(n, min_samples=n),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "zscore",
        Category.STATISTICS,
        (series(), whole(default=20, low=2)),
        Kind.NUMBER,
        "how many standard deviations the value is from the mean of the last n bars",
        "(x - mean) / standard deviation",
        "zscore(close, 20) < -2",
        formula="(x - sma(x, n)) / stdev(x, n)",
    ),
)
