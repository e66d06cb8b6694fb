"""Between columns of bars and plain arrays: order checked in one pass, results handed to Polars without a copy."""

import numpy as np
from numpy.typing import NDArray

class Column:
    """An array of Arrow made of buffers that others own."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

def number_column(values: NDArray[np.float64], known: NDArray[np.uint8]) -> Column:
    """Numbers, missing where they are not-a-number; `known`, a byte for eight of them, is filled and kept."""

def condition_column(
    values: NDArray[np.uint8], bits: NDArray[np.uint8], firsts: NDArray[np.int64], lengths: NDArray[np.int64], warm_up: int
) -> Column:
    """Conditions: true where 1, never within the first `warm_up` bars of a ticker; `bits`, a byte for eight of them, is filled and kept."""

def starts_anew(times: NDArray[np.int64], out: NDArray[np.uint8]) -> int:
    """1 where a bar does not start after the one before it; returns how many there are."""

def text_runs(stream: object, most: int) -> list[int] | None:
    """Rows at which a column of text (a capsule of an Arrow stream) may hold another text than the row before.

    None beyond `most` of them, with missing texts, or where the column is kept in another way.
    """
