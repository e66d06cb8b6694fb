"""Agreement with backtesting.py trade by trade where its rules can say the same; each difference has its one line."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest

from tests.peers.agreement import (
    EXIT_ONLY,
    STOP_AND_TARGET,
    TIMED,
    TO_THE_CENT,
    Case,
    Explanation,
    Trade,
    case,
    differences,
    just_touched,
    opened_beyond_target,
)
from tests.script.bars import make_bars

backtesting = pytest.importorskip("backtesting", reason="backtesting.py is not installed: uv sync --group peers")


def trades_of(one: Case) -> list[Trade]:
    """What backtesting.py makes of the same signals; those whose stop or target the next open has passed are not given to it."""
    import pandas as pd

    frame = pd.DataFrame(
        {"Open": one.open, "High": one.high, "Low": one.low, "Close": one.close}, index=pd.DatetimeIndex(one.timestamps.to_list())
    )

    class Signals(backtesting.Strategy):  # type: ignore[misc,name-defined]  # the package has no types
        def init(self) -> None:
            pass

        def next(self) -> None:
            row = len(self.data) - 1
            if self.position:
                held = self.trades[0]
                if one.exit[row] or (one.max_bars is not None and row - held.entry_bar + 1 >= one.max_bars):
                    self.position.close()
            elif one.signal[row] and row + 1 < len(one.open):
                target = None if np.isnan(one.target[row]) else one.target[row]
                if one.stop[row] < one.open[row + 1] and (target is None or target > one.open[row + 1]):
                    self.buy(size=1, sl=one.stop[row], tp=target)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done: Any = backtesting.Backtest(frame, Signals, cash=1e9, finalize_trades=True).run()
    return [
        Trade(int(trade.EntryBar), float(trade.EntryPrice), int(trade.ExitBar), float(trade.ExitPrice))
        for trade in done["_trades"].sort_values("EntryBar").itertuples()
    ]


def _end(one: Case, mine: Trade | None, other: Trade | None) -> bool:
    if mine is None or other is None or mine.reason != "end of data":
        return False
    return mine.exit_row == other.exit_row and other.exit_price == one.open[-1]


EXPLANATIONS: list[Explanation] = [
    ("backtesting.py fills a target that the high just touches; the lab wants it traded through", just_touched),
    (
        "backtesting.py takes the stop of a bar that opened beyond the target; the lab the target, for the open came first",
        opened_beyond_target,
    ),
    ("backtesting.py closes what is open at the last bar's open; the lab values it at the last close", _end),
]


@pytest.mark.parametrize(
    "execution", [EXIT_ONLY, STOP_AND_TARGET, TIMED, TO_THE_CENT], ids=["exit rule", "stop and target", "time", "to the cent"]
)
def test_trades_differ_only_as_explained(execution: str, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, str] = {}
    agreed = 0
    for seed in range(4):
        one = case(make_bars(seed, tickers=1, sessions=12), execution)
        shown, unexplained, same = differences(one, trades_of(one), EXPLANATIONS)
        assert unexplained == []
        found.update({line: words for line, words in shown.items() if line not in found})
        agreed += same
    with capsys.disabled():
        for line, words in found.items():
            sys.stdout.write(f"\n{line}\n  {words}")
    assert agreed > 80
