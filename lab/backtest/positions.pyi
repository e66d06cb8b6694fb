"""How a position lives and ends, bar by bar: its stop, its targets and its other exits."""

from lab.backtest.money import Money

class Positions(Money):
    """The exits of an account's positions."""
