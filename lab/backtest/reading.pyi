"""One pass over the bars of a frame: which can be traded at."""

import numpy as np
from numpy.typing import NDArray

def mark_usable(
    open: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
    usable: NDArray[np.uint8],
) -> int:
    """Set `usable` per bar, 1 where 0 < low <= open, close <= high < infinity; returns how many are not."""
