"""When and at what price orders fill: one hand-written bar pattern a rule, longs and the same upside down for shorts."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from lab.backtest import Account, BacktestResult, Costs, run_backtest
from lab.backtest.finer import FinerBars
from tests.backtest.markets import Planned, TestPlan, hand_written

FREE = Costs(commission_bps=0.0, slippage_bps=0.0, participation_cap=None, borrow_bps_per_year=0.0)
Rows = list[tuple[float, float, float, float]]
QUIET = (10.0, 10.5, 9.5, 10.0)
MIRROR = 20.0
"""Prices are turned upside down around 10."""


def run(bars: Rows, plan: TestPlan, signal: dict[str, float | None], *, upside_down: bool = False, **more: Any) -> BacktestResult:
    """Signal on the first bar."""
    if upside_down:
        bars = [(MIRROR - o, MIRROR - low, MIRROR - h, MIRROR - c) for o, h, low, c in bars]
        signal = {name: None if price is None else MIRROR - price for name, price in signal.items()}
        frame = hand_written(bars, short={0: signal}, short_exit=more.pop("exits", ()), **more)
    else:
        frame = hand_written(bars, long={0: signal}, long_exit=more.pop("exits", ()), **more)
    return run_backtest(Planned(plan), frame, Account(), FREE)


def outcome(result: BacktestResult, upside_down: bool) -> tuple[str, float, float, int] | str:
    """The only trade as (exit reason, entry, exit, bars held), or the reason for the skip."""
    if result.skips.height:
        reason: str = result.skips["reason"].item()
        return reason
    trade = result.trades.row(0, named=True)
    entry, exit_ = (MIRROR - trade[name] if upside_down else trade[name] for name in ("entry_price", "exit_price"))
    return trade["exit_reason"], entry, exit_, trade["bars_held"]


AT_OPEN = TestPlan(fractions=(1.0,))
LIMIT = TestPlan(entry_kind="limit", expiry_bars=2, fractions=(1.0,))
STOP_ENTRY = TestPlan(entry_kind="stop_entry", expiry_bars=2, fractions=(1.0,))
PRICES: dict[str, float | None] = {"stop": 8.0, "target": 12.0, "entry_price": 9.0}
ABOVE: dict[str, float | None] = {"stop": 8.0, "target": 12.0, "entry_price": 11.0}

CASES: dict[str, tuple[Rows, TestPlan, dict[str, float | None], tuple[str, float, float, int] | str]] = {
    "the next bar's open fills, the last close ends it": (
        [QUIET, (10.25, 10.5, 9.5, 10.0), QUIET],
        AT_OPEN,
        PRICES,
        ("end of data", 10.25, 10.0, 2),
    ),
    "a signal on the last bar has no next bar": ([QUIET], AT_OPEN, PRICES, "no next bar"),
    "a touched stop is hit at its price": ([QUIET, QUIET, (10, 10, 8.0, 9)], AT_OPEN, PRICES, ("stop", 10, 8.0, 2)),
    "a stop can be hit in the bar of the entry": ([QUIET, (10, 10, 7.5, 9)], AT_OPEN, PRICES, ("stop", 10, 8.0, 1)),
    "a stop gapped through fills at the open": ([QUIET, QUIET, (7.5, 8.5, 7, 8)], AT_OPEN, PRICES, ("stop", 10, 7.5, 1)),
    "a target needs a trade through it": ([QUIET, (10, 12.0, 10, 11), QUIET], AT_OPEN, PRICES, ("end of data", 10, 10, 2)),
    "a target traded through fills at its price": ([QUIET, QUIET, (10, 12.25, 10, 11)], AT_OPEN, PRICES, ("target", 10, 12.0, 2)),
    "a target gapped through fills at the better open": ([QUIET, QUIET, (13, 13, 12.5, 13)], AT_OPEN, PRICES, ("target", 10, 13.0, 1)),
    "stop and target in one bar: the stop": ([QUIET, QUIET, (10, 13, 7, 12)], AT_OPEN, PRICES, ("stop", 10, 8.0, 2)),
    "an open beyond the target comes before a stop in its bar": ([QUIET, QUIET, (13, 13, 7, 8)], AT_OPEN, PRICES, ("target", 10, 13.0, 1)),
    "an open at the stop is no entry": ([QUIET, (8.0, 9, 8, 9)], AT_OPEN, PRICES, "stop beyond entry"),
    "an open beyond the target is no entry": ([QUIET, (12.0, 13, 12, 13)], AT_OPEN, PRICES, "target beyond entry"),
    "no stop, no trade": ([QUIET, QUIET], AT_OPEN, {"target": 12.0}, "no stop"),
    "a missing target never hits": ([QUIET, (10, 19, 9, 10)], AT_OPEN, {"stop": 8.0}, ("end of data", 10, 10, 1)),
    "a touched limit does not fill": ([QUIET, (10, 10, 9.0, 10), QUIET], LIMIT, PRICES, "no fill"),
    "a limit traded through fills at its price": ([QUIET, QUIET, (10, 10, 8.75, 10)], LIMIT, PRICES, ("end of data", 9.0, 10, 1)),
    "a limit fills at a better open": ([QUIET, (8.5, 9.5, 8.25, 9)], LIMIT, PRICES, ("end of data", 8.5, 9, 1)),
    "a limit expires": ([QUIET, QUIET, QUIET, (10, 10, 8.5, 10)], LIMIT, PRICES, "no fill"),
    "a limit without a price": ([QUIET, QUIET], LIMIT, {"stop": 8.0}, "no entry price"),
    "after a limit the high of its bar proves nothing": ([QUIET, (10, 13, 8.75, 11), QUIET], LIMIT, PRICES, ("end of data", 9.0, 10, 2)),
    "after a limit a close beyond the target proves it": ([QUIET, (10, 13, 8.75, 12.5)], LIMIT, PRICES, ("target", 9.0, 12.0, 1)),
    "a limit and its stop in one bar": ([QUIET, (10, 10, 7, 10)], LIMIT, PRICES, ("stop", 9.0, 8.0, 1)),
    "a better open of a limit sees the whole bar": ([QUIET, (8.5, 12.5, 8.25, 9)], LIMIT, PRICES, ("target", 8.5, 12.0, 1)),
    "a touched stop entry fills": ([QUIET, (10, 11.0, 9, 10)], STOP_ENTRY, ABOVE, ("end of data", 11.0, 10, 1)),
    "a stop entry gapped over fills at the worse open": (
        [QUIET, (11.5, 11.75, 11, 11.5)],
        STOP_ENTRY,
        ABOVE,
        ("end of data", 11.5, 11.5, 1),
    ),
    "a stop entry expires": ([QUIET, QUIET, QUIET, (10, 12, 10, 11)], STOP_ENTRY, ABOVE, "no fill"),
    "after a stop entry the high comes after it": ([QUIET, (10, 12.5, 9, 11)], STOP_ENTRY, ABOVE, ("target", 11.0, 12.0, 1)),
    "after a stop entry the low may have come after it": ([QUIET, (9, 12.5, 7, 11)], STOP_ENTRY, ABOVE, ("stop", 11.0, 8.0, 1)),
}


@pytest.mark.parametrize("upside_down", [False, True], ids=["long", "short"])
@pytest.mark.parametrize("case", CASES)
def test_a_fill_follows_its_rule(case: str, upside_down: bool) -> None:
    bars, plan, signal, expected = CASES[case]
    assert outcome(run(bars, plan, signal, upside_down=upside_down), upside_down) == expected


@pytest.mark.parametrize("upside_down", [False, True], ids=["long", "short"])
def test_the_exit_rule_leaves_at_the_open_after_it_was_true(upside_down: bool) -> None:
    plan = TestPlan(has_exit=True)
    bars = [QUIET, QUIET, QUIET, (10.25, 10.5, 10, 10), QUIET]
    assert outcome(run(bars, plan, PRICES, upside_down=upside_down, exits=(2,)), upside_down) == ("exit rule", 10, 10.25, 2)


def test_the_exit_rule_counts_from_the_entry_bar_on() -> None:
    plan = TestPlan(has_exit=True)
    assert outcome(run([QUIET] * 5, plan, PRICES, exits=(0, 1)), False) == ("exit rule", 10, 10, 1)
    assert outcome(run([QUIET] * 5, plan, PRICES, exits=(0, 4)), False) == ("end of data", 10, 10, 4)


def test_a_position_leaves_at_the_open_after_its_most_bars() -> None:
    bars = [QUIET, QUIET, QUIET, QUIET, (10.25, 10.5, 10, 10), QUIET]
    assert outcome(run(bars, TestPlan(max_bars=3), PRICES), False) == ("max bars", 10, 10.25, 3)


def test_an_exit_at_the_open_comes_before_a_stop_that_the_open_passed() -> None:
    bars = [QUIET, QUIET, (7, 7.5, 7, 7.5)]
    assert outcome(run(bars, TestPlan(max_bars=1), PRICES), False) == ("max bars", 10, 7, 1)


class TestFlatBy:
    plan = TestPlan(flat_by_minute=572, has_exit=True)

    def test_leaves_at_the_open_of_the_first_bar_from_the_minute_on(self) -> None:
        bars = [QUIET, QUIET, (10.25, 10.5, 10, 10), QUIET]
        assert outcome(run(bars, self.plan, PRICES), False) == ("flat by", 10, 10.25, 1)

    def test_a_missing_bar_at_the_minute_leaves_at_the_next(self) -> None:
        assert outcome(run([QUIET, QUIET, (10.25, 11, 10, 10)], self.plan, PRICES, minutes=[570, 571, 580]), False) == (
            "flat by",
            10,
            10.25,
            1,
        )

    def test_a_session_that_ends_before_leaves_at_its_last_close(self) -> None:
        bars = [QUIET, (10, 10.5, 9.5, 10.25), (5, 5, 5, 5), QUIET]
        assert outcome(run(bars, self.plan, PRICES, sessions=[0, 0, 1, 1]), False) == ("flat by", 10, 10.25, 1)

    def test_an_exit_rule_true_at_the_last_close_does_not_hold_overnight(self) -> None:
        bars = [QUIET, (10, 10.5, 9.5, 10.25), (5, 5, 5, 5), QUIET]
        assert outcome(run(bars, self.plan, PRICES, sessions=[0, 0, 1, 1], exits=(1,)), False) == ("flat by", 10, 10.25, 1)

    def test_a_fill_from_the_minute_on_comes_too_late(self) -> None:
        assert outcome(run([QUIET, QUIET], self.plan, PRICES, minutes=[571, 572]), False) == "after cut-off"

    def test_a_signal_from_the_minute_on_comes_too_late(self) -> None:
        assert outcome(run([QUIET, QUIET], self.plan, PRICES, minutes=[572, 573]), False) == "after cut-off"

    def test_a_signal_on_the_last_bar_of_a_session_does_not_enter_the_next(self) -> None:
        assert outcome(run([QUIET, QUIET], self.plan, PRICES, sessions=[0, 1]), False) == "no next bar"

    def test_a_waiting_order_does_not_enter_the_next_session(self) -> None:
        plan = TestPlan(entry_kind="limit", expiry_bars=5, flat_by_minute=600)
        bars = [QUIET, QUIET, (8.5, 9, 8.25, 9), QUIET]
        assert outcome(run(bars, plan, PRICES, sessions=[0, 0, 1, 1]), False) == "no fill"

    def test_a_one_bar_session_trades_nothing(self) -> None:
        assert outcome(run([QUIET] * 3, self.plan, PRICES, sessions=[0, 1, 2]), False) == "no next bar"


def test_without_flat_by_orders_and_positions_live_through_the_night() -> None:
    plan = TestPlan(entry_kind="limit", expiry_bars=5)
    bars = [QUIET, QUIET, (8.5, 9, 8.25, 9), (9.5, 10, 9.25, 9.75)]
    assert outcome(run(bars, plan, PRICES, sessions=[0, 0, 1, 2]), False) == ("end of data", 8.5, 9.75, 2)


def test_a_bar_without_usable_prices_is_no_bar() -> None:
    frame = hand_written([QUIET, QUIET, QUIET, (10.25, 10.5, 10, 10)], long={0: PRICES, 1: PRICES})
    broken = frame.with_columns(pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise(pl.col("high")).alias("high"))
    result = run_backtest(Planned(TestPlan()), broken, Account(), FREE)
    assert result.skips["reason"].to_list() == ["no price"]
    assert result.trades["entry_at"].to_list() == [frame["timestamp"][2]]
    assert result.funnel == {"signals": 2, "trades": 1, "no price": 1}


def test_excursions_are_told_in_multiples_of_the_risk() -> None:
    bars = [QUIET, (10, 11, 9.5, 10), (10, 12, 9, 10), (10, 10, 7, 9)]
    trade = run(bars, TestPlan(), PRICES).trades.row(0, named=True)
    assert (trade["mae_r"], trade["mfe_r"], trade["r_multiple"]) == (-1.0, 1.0, -1.0)


def parts(result: BacktestResult) -> list[tuple[str, float, float]]:
    """The exits of the only trade: reason, price, shares."""
    return result.fills.filter(pl.col("reason") != "entry").select("reason", "price", "shares").rows()


HALF_AND_HALF = TestPlan(fractions=(0.5, 0.5))


def test_half_leaves_at_the_first_target_and_the_stop_covers_the_rest() -> None:
    bars = [QUIET, QUIET, (10, 12.5, 10, 12), (12, 12, 7, 8)]
    frame = hand_written(bars, long={0: {"stop": 8.0, "target": 12.0, "target_2": 14.0}})
    result = run_backtest(Planned(HALF_AND_HALF), frame, Account(), FREE)
    assert parts(result) == [("target", 12.0, 250.0), ("stop", 8.0, 250.0)]
    trade = result.trades.row(0, named=True)
    assert (trade["shares"], trade["pnl"], trade["exits"], trade["exit_price"]) == (500.0, 0.0, 2, 10.0)
    assert (trade["r_multiple"], trade["mfe_r"], trade["mae_r"], trade["bars_held"]) == (0.0, 1.25, -1.0, 3)
    dear = run_backtest(Planned(HALF_AND_HALF), frame, Account(), Costs(10.0, 0.0, None)).fills["costs"]
    assert dear.to_list() == pytest.approx([5.0, 3.0, 2.0])  # each part pays its own


def test_a_part_that_left_frees_its_money_at_that_bars_close() -> None:
    bars = [QUIET, QUIET, (10, 12.5, 10, 12), *[(12.0, 12.0, 12.0, 12.0)] * 3]
    far: dict[str, float | None] = {**PRICES, "target_2": 99.0}
    first = hand_written(bars, ticker="AAA", long={0: far})
    other = hand_written([QUIET] * 6, ticker="BBB", long={1: far, 2: far})
    account = Account(max_position=1.0)
    result = run_backtest(Planned(TestPlan(fractions=(0.5, 0.5), risk_percent=50)), pl.concat([first, other]), account, FREE)
    assert result.trades.select("ticker", "shares").rows() == [("AAA", 10_000.0), ("BBB", 6_000.0)]  # of equity of 120,000, half is out
    assert result.skips.select("ticker", "reason").rows() == [("BBB", "no cash")]


def test_the_trailing_stop_follows_the_best_price_from_the_next_bar_on() -> None:
    bars = [QUIET, QUIET, (10, 13, 10, 11), (11, 11.5, 10.75, 11), (11, 11, 9, 9)]
    frame = hand_written(bars, long={0: PRICES}, trail=2.5)
    result = run_backtest(Planned(TestPlan(has_trail=True)), frame, Account(), FREE)
    assert outcome(result, False) == ("trailing stop", 10, 10.5, 4)  # 13 - 2.5, though the bar of the 13 traded below it
    wide = run_backtest(Planned(TestPlan(has_trail=True)), frame.with_columns(pl.lit(9.0).alias("long.trail")), Account(), FREE)
    assert wide.trades["exit_reason"].to_list() == ["end of data"]


def test_break_even_moves_the_stop_to_the_entry_once_the_profit_was_there() -> None:
    bars = [QUIET, QUIET, (10, 12, 9.5, 11), (11, 11, 9, 9.5), QUIET]
    result = run(bars, TestPlan(break_even_r=1.0), {"stop": 8.0})
    assert outcome(result, False) == ("break even", 10, 10.0, 3)
    assert run(bars, TestPlan(break_even_r=1.5), {"stop": 8.0}).trades["exit_reason"].to_list() == ["end of data"]
    assert outcome(run(bars, TestPlan(break_even_r=1.0), {"stop": 8.0}, upside_down=True), True) == ("break even", 10, 10.0, 3)


def test_a_trade_decided_by_an_unknown_order_of_prices_is_marked_and_finer_bars_decide_it() -> None:
    bars = [QUIET, QUIET, (10, 13, 7, 12)]
    frame = hand_written(bars, minutes=[570, 600, 630], long={0: PRICES})
    hung = run_backtest(Planned(AT_OPEN), frame, Account(), FREE)
    assert (hung.trades["exit_reason"].item(), hung.hung_on_order) == ("stop", 1.0)
    up_first = [(10, 11, 10, 11), (11, 13, 11, 12.5), (12.5, 12.5, 7, 12)]
    finer = hand_written(up_first, minutes=[630, 640, 650])
    settled = run_backtest(Planned(AT_OPEN), frame, Account(), FREE, finer=FinerBars(finer, 30))
    assert (settled.trades["exit_reason"].item(), settled.trades["exit_price"].item(), settled.hung_on_order) == ("target", 12.0, 0.0)
    partly = run_backtest(Planned(AT_OPEN), frame, Account(), FREE, finer=FinerBars(finer.head(2), 30))
    assert (partly.trades["exit_reason"].item(), partly.hung_on_order) == ("stop", 1.0)
