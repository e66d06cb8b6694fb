"""Agreement with vectorbt trade by trade where its rules can say the same; each difference has its one line."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.peers.agreement import (
    EXIT_ONLY,
    STOP_AND_TARGET,
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

vbt = pytest.importorskip("vectorbt", reason="vectorbt is not installed: uv sync --group peers")


def trades_of(one: Case) -> list[Trade]:
    """What vectorbt makes of the same signals; those whose stop or target the next open has passed are not given to it."""
    rows = len(one.close)
    entries, exits = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    entries[1:], exits[1:] = one.signal[:-1], one.exit[:-1]
    stop, target = np.full(rows, np.nan), np.full(rows, np.nan)
    stop[1:] = 1 - one.stop[:-1] / one.open[1:]
    target[1:] = one.target[:-1] / one.open[1:] - 1
    entries &= (stop > 0) & ((target > 0) | np.isnan(target))
    made = vbt.Portfolio.from_signals(
        one.close, entries, exits, price=one.open, open=one.open, high=one.high, low=one.low, sl_stop=stop, tp_stop=target,
        stop_entry_price="fillprice", stop_exit_price="stopmarket", size=1.0, init_cash=1e9, engine="numba",
    )  # fmt: skip
    return [
        Trade(int(trade["entry_idx"]), float(trade["entry_price"]), int(trade["exit_idx"]), float(trade["exit_price"]))
        for trade in made.trades.records_arr
    ]


def _first_touch(one: Case, mine: Trade | None, other: Trade | None) -> bool:
    return mine is not None and other is not None and mine.exit_row == mine.entry_row and other.exit_row > mine.exit_row


def _both_signals(one: Case, mine: Trade | None, other: Trade | None) -> bool:
    return mine is not None and other is None and bool(one.exit[mine.entry_row - 1])


EXPLANATIONS: list[Explanation] = [
    ("vectorbt takes the stop of a bar that opened beyond the target; the lab the target, for the open came first", opened_beyond_target),
    ("where entry and exit rule hold at the same close, vectorbt does neither; the lab enters, and asks for a new exit", _both_signals),
    ("vectorbt looks at stops from the bar after the entry on; the lab from the entry at the bar's open on", _first_touch),
    ("vectorbt fills a target that the high just touches; the lab wants it traded through", just_touched),
]


@pytest.mark.slow
@pytest.mark.parametrize("execution", [EXIT_ONLY, STOP_AND_TARGET, TO_THE_CENT], ids=["exit rule", "stop and target", "to the cent"])
def test_trades_differ_only_as_explained(execution: str, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, str] = {}
    agreed = 0
    for seed in range(6):
        one = case(make_bars(seed, tickers=1, sessions=12), execution)
        shown, unexplained, same = differences(one, trades_of(one), EXPLANATIONS)
        assert unexplained == []
        found.update({line: words for line, words in shown.items() if line not in found})
        agreed += same
    with capsys.disabled():
        for line, words in found.items():
            sys.stdout.write(f"\n{line}\n  {words}")
    assert agreed > 60
