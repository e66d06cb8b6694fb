"""Between columns of bars and plain arrays: order checked in one pass, results handed to Polars without a copy."""

import numpy as np
from numpy.typing import NDArray

from lab.arrow import Column

def mark_known(values: NDArray[np.float64], known: NDArray[np.uint8], first: int, length: int) -> None:
    """A bit for each value of a stretch of rows, 1 where it is a number; those of bytes shared with other stretches are left out."""

def number_column(values: NDArray[np.float64], known: NDArray[np.uint8], firsts: NDArray[np.int64]) -> Column:
    """Numbers, missing where they are not-a-number. Every stretch that begins at one of `firsts` went through `mark_known`."""

def condition_column(
    values: NDArray[np.uint8], bits: NDArray[np.uint8], firsts: NDArray[np.int64], lengths: NDArray[np.int64], warm_up: int
) -> Column:
    """Conditions: true where 1, never within the first `warm_up` bars of a ticker; `bits`, a byte for eight of them, is filled and kept."""

def rows_held(
    values: NDArray[np.uint8], firsts: NDArray[np.int64], lengths: NDArray[np.int64], warm_up: int, rows: NDArray[np.int64]
) -> int:
    """Fill in the rows at which a condition holds, after a ticker's warm-up, as far as there is room; returns how many there are."""

def steps_back(times: NDArray[np.int64]) -> int:
    """How many bars do not start after the one before them."""

def text_runs(stream: object, most: int) -> list[int] | None:
    """Rows at which a column of text (a capsule of an Arrow stream) may hold another text than the row before.

    None beyond `most` of them, with missing texts, or where the column is kept in another way.
    """
