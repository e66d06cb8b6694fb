"""The random markets of these tests are worth something only if everything that can happen happens in them."""

from __future__ import annotations

import random

from lab.backtest import Account, Costs, ExitReason, SkipReason, run_backtest
from tests.backtest.markets import Planned, Shape, TestPlan, random_market


def test_the_random_markets_meet_every_reason_for_a_skip_and_for_an_exit() -> None:
    met: set[str] = set()
    for seed in range(90):
        pick = random.Random(seed)
        market = random_market(seed, Shape(tickers=4, sessions=3, signals=0.3, bad=pick.choice([0.0, 0.05])))
        plan = TestPlan(
            entry_kind=pick.choice(["at_open", "limit", "stop_entry"]),
            expiry_bars=pick.randint(1, 5),
            fractions=(1.0,),
            has_exit=pick.random() < 0.5,
            max_bars=pick.choice([None, 3]),
            flat_by_minute=pick.choice([None, 660, 900]),
            risk_percent=pick.choice([0.05, 1.0, 20.0]),
            has_trail=pick.random() < 0.3,
            break_even_r=pick.choice([None, 0.5]),
            cooldown_bars=pick.choice([0, 3]),
            size_kind=pick.choice(["risk", "move", "dollars"]),
        )
        account = Account(starting_equity=pick.choice([300.0, 10_000.0]), max_positions=pick.randint(1, 4), max_position=1.0)
        result = run_backtest(Planned(plan), market, account, Costs())
        met |= set(result.trades["exit_reason"]) | set(result.skips["reason"])
    assert met == set(SkipReason) | set(ExitReason)
