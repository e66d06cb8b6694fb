"""A ticker against the others: ranks at each moment, and another ticker's value as of each bar."""

import numpy as np
from numpy.typing import NDArray

def among_all(
    way: str,
    times: NDArray[np.int64],
    x: NDArray[np.float64],
    out: NDArray[np.float64],
    firsts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> None:
    """Compare each value with those of all tickers whose bar starts at the same time.

    "rank": 0 the lowest, 100 the highest, ties in the middle; "place": 1 the highest; "breadth": percent of x (ones and noughts) that are
    one. Missing values are not-a-number and count for nothing.
    """

def rows_as_of(times: NDArray[np.int64], other: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Per time, the row of the last of the other times that is not later; -1 where there is none. Both are ascending."""
