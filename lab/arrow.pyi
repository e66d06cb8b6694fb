"""Columns handed to Polars without a copy, by the Arrow C data interface."""

import numpy as np
from numpy.typing import NDArray

class Column:
    """An array of Arrow: what `polars.Series` takes without a copy."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

def repeated_text(texts: list[bytes], counts: NDArray[np.int64], views: NDArray[np.uint64]) -> Column:
    """Each text (UTF-8) as many times as its count says, one after another; `views` is room for two numbers a row, which it keeps."""
