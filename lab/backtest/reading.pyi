"""One pass each over the bars of a frame: which can be traded at, where sessions begin, where signals stand, what positions earned."""

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

def count_unusable(open: _Floats, high: _Floats, low: _Floats, close: _Floats) -> int:
    """How many bars do not have 0 < low <= open, close <= high < infinity."""

def segments(at: _Ints, day: NDArray[np.int32], ticker_ends: _Ints) -> tuple[_Ints, int]:
    """The first row of each (ticker, day), and the first row not later than the one before it, -1 for none."""

def merged(longs: _Ints, shorts: _Ints) -> tuple[_Ints, NDArray[np.uint8], NDArray[np.uint8]]:
    """Two ascending lists of rows as one, long before short; which are of `shorts`, and which are of both."""

def entry_order(at: _Ints, entry_row: _Ints, ticker: _Ints, most: int) -> _Ints | None:
    """The places of trades in order of entry, then ticker; None unless they come in order of entry, at most so many at one moment."""

def wilder_atr(high: _Floats, low: _Floats, close: _Floats, ticker_ends: _Ints, n: int) -> _Floats:
    """Wilder's average true range, ticker by ticker; the plain mean of what there is until n bars are there."""

def profits(
    close: _Floats,
    borrow: _Floats,
    segment_starts: _Ints,
    segment_session: _Ints,
    trade_ticker_end: _Ints,
    trade_settles_at_end: NDArray[np.uint8],
    trade_sign: NDArray[np.int8],
    fill_rows: _Ints,
    fill_values: _Floats,
    sessions: int,
    borrow_rate: float,
) -> tuple[_Floats, _Floats]:
    """Per session, dollars realised in it and dollars of open profit at its close. The fills are those of `Loop.run`."""
