"""Columns packed into whole numbers, and spread out again."""

import numpy as np
from numpy.typing import NDArray

def spread_whole(stored: NDArray[np.uint8], out: NDArray[np.uint8], count: int, unit: int, base: int) -> None:
    """Write `stored * unit + base` to the column `out`: unsigned numbers of 1, 2 or 4 bytes to signed ones of 2, 4 or 8, both as bytes."""

def spread_decimals(stored: NDArray[np.int32], out: NDArray[np.float64], divisor: float) -> None:
    """Write `stored / divisor` to `out`."""

def whole_decimals(values: NDArray[np.float64], stored: NDArray[np.int32], divisor: float) -> bool:
    """Write to `stored` the whole numbers that give `values` when divided, and say whether they do, every one to the bit."""
