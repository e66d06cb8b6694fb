"""What one account allows: slots, size, cash, costs, and the books that must add up."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from lab.backtest import Account, BacktestError, Costs, run_backtest
from tests.backtest.markets import Planned, TestPlan, hand_written

FREE = Costs(commission_bps=0.0, slippage_bps=0.0, participation_cap=None, borrow_bps_per_year=0.0)
QUIET = (10.0, 10.5, 9.5, 10.0)
SIGNAL: dict[str, float | None] = {"stop": 9.0, "target": 12.0}
PLAN = Planned(TestPlan())


def quiet(ticker: str, *, score: float = 0.0, bars: int = 6, signals: tuple[int, ...] = (0,), volume: float = 1e6) -> pl.DataFrame:
    return hand_written([QUIET] * bars, ticker=ticker, long=dict.fromkeys(signals, SIGNAL), score=score, volume=volume)


def test_the_higher_score_goes_first_and_ties_go_by_ticker() -> None:
    frame = pl.concat([quiet("AAA"), quiet("BBB"), quiet("CCC", score=2.0), quiet("DDD")])
    result = run_backtest(PLAN, frame, Account(max_positions=2), FREE)
    assert result.trades["ticker"].to_list() == ["AAA", "CCC"]
    assert result.skips.select("ticker", "reason").rows() == [("BBB", "no slot"), ("DDD", "no slot")]


def test_a_missing_score_goes_last() -> None:
    frame = pl.concat([quiet("AAA").with_columns(pl.lit(None, dtype=pl.Float64).alias("score")), quiet("BBB", score=-5.0)])
    assert run_backtest(PLAN, frame, Account(max_positions=1), FREE).trades["ticker"].to_list() == ["BBB"]


def test_a_ticker_is_held_once() -> None:
    result = run_backtest(PLAN, quiet("AAA", signals=(0, 1, 2)), Account(), FREE)
    assert result.funnel == {"signals": 3, "trades": 1, "in position": 2}


def test_a_waiting_order_holds_its_ticker_and_a_slot() -> None:
    plan = Planned(TestPlan(entry_kind="limit", expiry_bars=3))
    waiting = hand_written([QUIET] * 6, ticker="AAA", long={i: {**SIGNAL, "entry_price": 9.25} for i in (0, 1, 3)})
    other = hand_written([QUIET] * 6, ticker="BBB", long={2: {**SIGNAL, "entry_price": 10.25}, 3: {**SIGNAL, "entry_price": 10.25}})
    result = run_backtest(plan, pl.concat([waiting, other]), Account(max_positions=1), FREE)
    said = [(ticker, at.minute - 30, reason) for ticker, at, reason in result.skips.select("ticker", "signal_at", "reason").iter_rows()]
    assert said == [
        ("AAA", 0, "no fill"),
        ("AAA", 1, "order pending"),
        ("AAA", 3, "no fill"),
        ("BBB", 2, "no slot"),
        ("BBB", 3, "no slot"),
    ]


def test_a_bar_that_says_long_and_short_is_not_traded() -> None:
    frame = hand_written([QUIET] * 3, long={0: SIGNAL}, short={0: {"stop": 11.0}})
    assert run_backtest(PLAN, frame, Account(), FREE).funnel == {"signals": 2, "trades": 0, "conflicting": 2}


def test_the_size_is_what_the_stop_may_lose() -> None:
    result = run_backtest(Planned(TestPlan(risk_percent=0.5)), quiet("AAA"), Account(max_position=1.0), FREE)
    assert result.trades["shares"].to_list() == [500.0]  # 0.5 % of 100,000 over a distance of 1 dollar


def test_one_position_is_capped() -> None:
    result = run_backtest(Planned(TestPlan(risk_percent=5)), quiet("AAA"), Account(max_position=0.25), FREE)
    assert result.trades["shares"].to_list() == [2_500.0]


def test_shares_are_whole_unless_fractions_are_allowed() -> None:
    account = Account(starting_equity=1_234.0, max_position=0.5)
    assert run_backtest(PLAN, quiet("AAA"), account, FREE).trades["shares"].to_list() == [12.0]
    fractional = Account(starting_equity=1_234.0, max_position=0.5, whole_shares=False)
    assert run_backtest(PLAN, quiet("AAA"), fractional, FREE).trades["shares"].to_list() == pytest.approx([12.34])


def test_less_than_a_share_is_too_small() -> None:
    assert run_backtest(PLAN, quiet("AAA"), Account(starting_equity=50.0), FREE).skips["reason"].to_list() == ["too small"]


def test_what_is_left_of_a_full_account_is_not_worth_a_trade() -> None:
    frame = pl.concat([quiet(t) for t in ("AAA", "BBB")])
    almost_all = Account(max_position=0.995)
    result = run_backtest(Planned(TestPlan(risk_percent=50)), frame, almost_all, FREE)
    assert result.trades["ticker"].to_list() == ["AAA"]
    assert result.skips.select("ticker", "reason").rows() == [("BBB", "too small")]
    all_the_same = run_backtest(Planned(TestPlan(risk_percent=50)), frame, Account(max_position=0.995, min_position=0.0), FREE)
    assert all_the_same.trades["shares"].to_list() == [9_950.0, 50.0]


def test_a_size_in_dollars_and_one_by_a_move_of_the_price() -> None:
    frame = hand_written([QUIET] * 6, long={0: SIGNAL}, size=5_000.0)
    assert run_backtest(Planned(TestPlan(size_kind="dollars")), frame, Account(), FREE).trades["shares"].to_list() == [500.0]
    moves = frame.with_columns(pl.lit(2.0).alias("long.size"))
    by_move = Planned(TestPlan(size_kind="move", risk_percent=0.5))
    assert run_backtest(by_move, moves, Account(), FREE).trades["shares"].to_list() == [250.0]  # 500 dollars over a move of 2
    without = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("long.size"))
    assert run_backtest(by_move, without, Account(), FREE).skips["reason"].to_list() == ["no size"]


def test_costs_by_the_share_and_by_the_range_before_the_fill() -> None:
    costs = Costs(0.0, 0.0, None, 0.0, commission_per_share=0.01, slippage_atr=0.1)
    trade = run_backtest(PLAN, quiet("AAA"), Account(), costs).trades.row(0, named=True)
    # 1,000 shares, in and out, 1 cent each and a tenth of a true range of 1 dollar
    assert trade["costs"] == pytest.approx(2 * 1_000 * (0.01 + 0.1))


def test_borrowed_money_costs_interest_for_every_night() -> None:
    frame = hand_written([QUIET] * 4, sessions=[0, 0, 1, 4], long={0: SIGNAL})
    account = Account(max_position=2.0, max_exposure=2.0, buying_power=2.0)
    costs = Costs(0.0, 0.0, None, 0.0, margin_bps_per_year=365.0)
    result = run_backtest(Planned(TestPlan(risk_percent=50)), frame, account, costs)
    assert result.trades["shares"].to_list() == [20_000.0]
    first, then = 100_000 * 0.0001, 100_010 * 3 * 0.0001  # the interest itself is owed from then on
    assert result.interest_paid == pytest.approx(first + then)
    assert result.equity["equity"].to_list() == pytest.approx([100_000, 100_000 - first, 100_000 - first - then])


def test_a_ticker_rests_after_it_was_left() -> None:
    frame = quiet("AAA", bars=12, signals=tuple(range(12)))
    result = run_backtest(Planned(TestPlan(max_bars=2, cooldown_bars=2)), frame, Account(), FREE)
    # in at 1, out at 3; the signals of 3 and 4 rest, that of 5 is in at 6
    entered = [(at.minute - 30) for at in result.trades["entry_at"]]
    assert entered == [1, 6, 11]
    assert result.funnel["cooldown"] == 4


def test_an_entry_takes_its_share_of_the_bars_volume() -> None:
    costs = Costs(0.0, 0.0, participation_cap=0.05, borrow_bps_per_year=0.0)
    assert run_backtest(PLAN, quiet("AAA", volume=2_000.0), Account(), costs).trades["shares"].to_list() == [100.0]
    for volume in (0.0, 19.0):
        assert run_backtest(PLAN, quiet("AAA", volume=volume), Account(), costs).skips["reason"].to_list() == ["no volume"]


@pytest.mark.parametrize("account", [Account(max_position=0.4), Account(max_position=0.4, max_exposure=4.0)], ids=["exposure", "cash"])
def test_the_last_position_takes_what_is_left_and_the_next_finds_no_cash(account: Account) -> None:
    frame = pl.concat([quiet(t) for t in ("AAA", "BBB", "CCC", "DDD")])
    result = run_backtest(Planned(TestPlan(risk_percent=50)), frame, account, FREE)
    assert result.trades["shares"].to_list() == [4_000.0, 4_000.0, 2_000.0]
    assert result.skips.select("ticker", "reason").rows() == [("DDD", "no cash")]


def test_entry_costs_come_out_of_buying_power() -> None:
    costs = Costs(commission_bps=50.0, slippage_bps=50.0, participation_cap=None)
    result = run_backtest(Planned(TestPlan(risk_percent=50)), quiet("AAA"), Account(max_position=1.0), costs)
    assert result.trades["shares"].to_list() == [9_900.0]  # 9,900 x 10 x 1.01 = 99,990


def test_money_freed_in_a_bar_is_available_from_its_close_on() -> None:
    stopped = hand_written([QUIET, QUIET, (10, 10, 8, 9), QUIET, QUIET], ticker="AAA", long={0: SIGNAL})
    others = [quiet(t, bars=5, signals=(s,)) for t, s in (("BBB", 1), ("CCC", 2))]
    result = run_backtest(PLAN, pl.concat([stopped, *others]), Account(max_positions=1), FREE)
    assert result.trades["ticker"].to_list() == ["AAA", "CCC"]
    assert result.skips.select("ticker", "reason").rows() == [("BBB", "no slot")]


def test_the_size_follows_equity_marked_to_market_at_the_signal() -> None:
    winner = hand_written([QUIET, QUIET, (10, 14, 10, 14), (14, 15, 14, 14), (14, 14, 14, 14)], ticker="AAA", long={0: SIGNAL})
    later = hand_written([QUIET] * 5, ticker="BBB", long={2: SIGNAL})
    result = run_backtest(PLAN, pl.concat([winner, later]), Account(max_position=0.5), FREE)
    # AAA: 1,000 shares, at 14 when the signal of BBB comes
    assert result.trades["shares"].to_list() == [1_000.0, 1_040.0]


def test_costs_are_charged_beside_the_fill_and_named() -> None:
    costs = Costs(commission_bps=1.0, slippage_bps=4.0, participation_cap=None)
    trade = run_backtest(PLAN, quiet("AAA"), Account(), costs).trades.row(0, named=True)
    assert (trade["entry_price"], trade["exit_price"], trade["shares"]) == (10.0, 10.0, 1_000.0)
    assert trade["costs"] == pytest.approx(10.0)
    assert trade["pnl"] == pytest.approx(-10.0)
    assert trade["r_multiple"] == pytest.approx(-0.01)


def test_a_short_pays_for_its_nights() -> None:
    frame = hand_written([QUIET] * 4, sessions=[0, 0, 1, 4], short={0: {"stop": 11.0}})
    trade = run_backtest(PLAN, frame, Account(), Costs(0.0, 0.0, None, borrow_bps_per_year=365.0)).trades.row(0, named=True)
    assert trade["costs"] == pytest.approx(1_000 * 10 * 4 * 0.0001)
    day_trade = hand_written([QUIET] * 4, short={0: {"stop": 11.0}})
    assert run_backtest(PLAN, day_trade, Account(), Costs(0.0, 0.0, None, borrow_bps_per_year=365.0)).trades["costs"].item() == 0.0


def test_equity_is_marked_at_every_sessions_close_flat_days_included() -> None:
    bars = [QUIET, QUIET, (10, 11, 10, 11), (11, 11, 9.5, 9.5), QUIET]
    frame = hand_written(bars, sessions=[0, 0, 1, 2, 5], long={0: SIGNAL})
    idle = quiet("ZZZ", signals=()).with_columns(pl.col("session") + timedelta(days=9), pl.col("timestamp") + timedelta(days=9))
    result = run_backtest(Planned(TestPlan(max_bars=3)), pl.concat([frame, idle]), Account(), FREE)
    assert result.trades["exit_reason"].to_list() == ["max bars"]
    assert result.equity["equity"].to_list() == [100_000.0, 101_000.0, 99_500.0, 100_000.0, 100_000.0]


def test_a_position_whose_ticker_stops_printing_is_held_at_its_last_price() -> None:
    gone = hand_written([QUIET, QUIET, (10, 10.5, 9.5, 9.75)], ticker="AAA", long={0: SIGNAL})
    goes_on = hand_written([QUIET] * 6, ticker="BBB", sessions=[0, 0, 0, 0, 1, 1], long={3: SIGNAL})
    result = run_backtest(PLAN, pl.concat([gone, goes_on]), Account(max_positions=1), FREE)
    assert result.trades.select("ticker", "exit_price", "exit_reason").rows() == [("AAA", 9.75, "end of data")]
    assert result.skips.select("ticker", "reason").rows() == [("BBB", "no slot")]
    assert result.equity["equity"].to_list() == [99_750.0, 99_750.0]


def test_no_signals_and_no_bars_are_results_too() -> None:
    result = run_backtest(PLAN, quiet("AAA", signals=()), Account(), FREE)
    assert (result.trades.height, result.funnel, result.metrics.final_equity) == (0, {"signals": 0, "trades": 0}, 100_000.0)
    empty = run_backtest(PLAN, quiet("AAA").clear(), Account(), FREE)
    assert (empty.equity.height, empty.metrics.sharpe, empty.metrics.win_rate) == (0, None, None)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Account(max_positions=0), "max_positions is 0"),
        (lambda: Account(starting_equity=-1.0), "starting_equity is -1"),
        (lambda: Account(max_exposure=float("nan")), "max_exposure is nan"),
        (lambda: Costs(slippage_bps=-1.0), "slippage_bps is -1"),
        (lambda: Costs(participation_cap=0.0), "participation_cap is 0"),
        (lambda: run_backtest(Planned(TestPlan(entry_kind="market")), quiet("AAA"), Account(), FREE), "'market'"),
        (lambda: run_backtest(Planned(TestPlan(max_bars=0)), quiet("AAA"), Account(), FREE), "max_bars is 0"),
        (lambda: run_backtest(Planned(TestPlan(risk_percent=0.0)), quiet("AAA"), Account(), FREE), "risk is 0 %"),
        (lambda: run_backtest(PLAN, quiet("AAA").drop("long.stop", "close"), Account(), FREE), "columns close, long.stop"),
        (lambda: run_backtest(PLAN, quiet("AAA").drop("signal.long", "signal.short"), Account(), FREE), "must assign long or short"),
        (lambda: run_backtest(PLAN, pl.concat([quiet("AAA")] * 2), Account(), FREE), "AAA has two bars that start at"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(BacktestError, match=words):
        make()


def test_costs_are_told_in_words() -> None:
    assert Costs().in_words() == (
        "commission 0.5 bps and slippage 1 bps a side, at most 5 % of a bar's volume, borrowing 50 bps and margin 600 bps a year"
    )
    dear = Costs(commission_bps=0.0, commission_per_share=0.005, slippage_atr=0.1)
    assert dear.in_words().startswith("commission 0.5 cents a share and slippage 1 bps plus 10 % of the ATR a side")
    assert "no volume cap" in Costs(participation_cap=None).in_words()
