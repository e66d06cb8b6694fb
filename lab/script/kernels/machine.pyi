"""Runs the steps of a script over one ticker's bars, a stretch at a time, so that what lies between two steps stays in the cache."""

import numpy as np
from numpy.typing import NDArray

BETWEEN: int
"""A slot that holds the stretch at hand."""
COLUMN: int
"""A slot that holds one ticker's values, because something looks back at them."""
WHOLE: int
"""A slot that is a column of the whole frame."""

class Machine:
    """Steps with memory of their own: one machine serves one thread."""

    def __init__(
        self,
        slots: list[tuple[int, int, float | None]],
        calls: list[tuple[int, list[int], int, int, float, float, int]],
        longest: int,
    ) -> None:
        """Slots are (kind, bytes a bar, fixed content); calls (kernel's address, operand slots, result slot, n, p, q, doubles of state)."""

    def bind(self, slot: int, column: NDArray[np.uint8]) -> None:
        """Give a WHOLE slot its column, as bytes. The column must outlive the runs."""

    def run(self, first: int, length: int) -> bool:
        """Run over a ticker's rows. False where a field held what is no plausible number: the results are then worth nothing."""
