"""The bars the loop walks along, and the account's money on them: what it is worth, what it owes, how much it may buy."""

import numpy as np
from numpy.typing import NDArray

from lab.backtest.account import Account, Costs
from lab.backtest.bars import Bars
from lab.backtest.finer import Within
from lab.backtest.plan import Plan
from lab.backtest.signals import Signals

class Market:
    """The bars of all tickers as the loop reads them; what it holds stays alive with it."""

    def __init__(self, bars: Bars, atr: NDArray[np.float64] | None = None, finer: Within | None = None) -> None: ...

class Money:
    """What an account holds, and what its rules and the costs say of it."""

    def __init__(self, market: Market, plan: Plan, account: Account, costs: Costs, signals: Signals) -> None: ...
