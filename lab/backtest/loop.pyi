"""The account meeting every signal, fill and exit of all tickers in order of time, by the rules that `engine.py` states."""

import numpy as np
from numpy.typing import NDArray

from lab.backtest.positions import Positions

VERSION: str
"""Of the rules: goes up when the same inputs could give another trade."""

class Loop(Positions):
    """One run of one plan on one account."""

    def run(
        self,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """What was written down; to be called once.

        Per signal the place of its `SkipReason`, counted from 1, 0 for a trade. Per session the interest paid at its opening, in
        dollars. Per trade, in order of fills: signal, ticker, signal's row, entry's row, last exit's row, bars held, place of the
        `ExitReason`, whether it hung on the order of prices, whether its ticker has no further bar; and entry price, exit price,
        shares, pnl, costs, R multiple, MAE, MFE, stop. Per fill, those of a trade together and the entry first: trade, row, place
        of the `ExitReason` or -1; and price, shares, costs.
        """
