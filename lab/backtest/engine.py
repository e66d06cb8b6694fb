"""From signals to trades: one account that meets every signal, fill and exit of all tickers in order of time.

Order of events. When a session opens: slots of positions that ended with an earlier one come back, then interest on what the
account owes is charged for the nights since. At a bar's start: the fills of that bar, each with the money and prices known when
the bar before closed (earlier signals first, then higher score, then ticker). Then what ended within the bar gives its slot and
money back. Then, at its close, the signals of that bar (higher score first, ties by ticker). A waiting order holds a slot. So
nothing is decided by what lies in the future.

Entries. At open: the next bar's open. Limit: the first bar that trades below the price, at the price or at a better open. Stop
entry: the first bar that reaches the price, at the price or at a worse open. With `flat_by`, only bars of the signal's own
session that start before it count.

Exits, bar by bar. At the open, all that is left leaves if it was known before the bar (the exit rule at the close before,
`max_bars`, `flat_by`) or if the open has passed the stop; a target that the open has passed is taken there. Within the bar the
stop comes first, for all that is left; else each target traded through takes its part. A limit met on the way down: a target
counts only if the close lies beyond it, for the high may have come before. A stop entry met on the way up: the low may have come
before, and is taken as if it had not. Where finer bars are given that show the whole of such a bar, they decide instead; where
they can't, the trade "hung on the order". At the close the stop moves for the next bar: to the fill's price once the best price
since the fill is `break_even` times the risk away, and to `trail` behind that best price; never back. If the session (with
`flat_by`) or the data ends first, the last bar's close is taken.

Size. Shares = the least of: the plan's own (`risk_percent` of equity, marked to market at the signal's close, over the distance
from fill to stop or over the script's; or the script's dollars), `max_position` of that equity, the room under `max_exposure` and
under `buying_power`, both of equity marked at the closes before the fill, and the participation cap. Rounded down to whole shares;
below `min_position` of equity it is too small. Targets take their fraction of it, rounded down; a last one that is to leave
nothing takes what is left.

Costs are charged in dollars beside each fill, so a fill's price is always one that was traded in its bar.

The loop is compiled (`loop.pyx`, and beneath it `positions.pyx` and `money.pyx`). It finds out what an order will meet when the
account accepts it, and lets it take effect when its time comes; prices of shorts are mirrored (negated, high and low swapped), so
that the rules are written once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.backtest.curve import daily_equity
from lab.backtest.errors import BacktestError
from lab.backtest.logs import Frames, Log
from lab.backtest.loop import VERSION, Loop
from lab.backtest.metrics import measure
from lab.backtest.money import Market
from lab.backtest.result import BacktestResult
from lab.backtest.signals import prepare

if TYPE_CHECKING:
    import polars as pl

    from lab.backtest.account import Account, Costs
    from lab.backtest.bars import ReadBars
    from lab.backtest.finer import FinerBars
    from lab.backtest.plan import Plan, PlannedStrategy
    from lab.backtest.signals import Prepared

ENGINE_VERSION = VERSION
"""Goes up when the same inputs could give another trade; stored with every result."""

MAX_TARGETS = 3


def run_backtest(
    strategy: PlannedStrategy,
    evaluated: pl.DataFrame,
    account: Account,
    costs: Costs,
    read: ReadBars | None = None,
    finer: FinerBars | None = None,
) -> BacktestResult:
    """Trade every signal of an evaluated frame on one account.

    `evaluated` holds the bars of all tickers with the columns of `Strategy.evaluate`; its order does not matter. The same
    inputs give the same result to the bit. Raises BacktestError if columns are missing, a bar stands twice or the plan makes
    no sense; a frame without bars or without signals is no error. `read` spares reading the same bars again for each of several
    strategies (see `lab.backtest.together`); `finer` are shorter bars of the same tickers (see `lab.backtest.finer`).
    """
    _check(strategy.plan)
    return run_prepared(strategy.plan, prepare(evaluated, strategy.plan, read), account, costs, evaluated.height, finer)


def run_prepared(
    plan: Plan, prepared: Prepared, account: Account, costs: Costs, bar_count: int, finer: FinerBars | None = None
) -> BacktestResult:
    """As `run_backtest`, from what it reads of an evaluated frame of `bar_count` bars."""
    _check(plan)
    bars, signals = prepared.bars, prepared.signals
    atr = bars.atr if costs.slippage_atr else None
    within = None if finer is None else finer.within(bars)
    log = Log(bars, signals.without_columns(), *Loop(Market(bars, atr, within), plan, account, costs, signals).run())
    equity = daily_equity(log, account, costs)
    return BacktestResult(
        frames=Frames(log, prepared.without_price),
        equity=equity,
        funnel=log.funnel(prepared.without_price.height),
        metrics=measure(log.figures(), equity["equity"].to_numpy(), account.starting_equity, bar_count),
        engine_version=ENGINE_VERSION,
        interest_paid=float(log.interest.sum()),
    )


def _check(plan: Plan) -> None:
    if plan.entry_kind not in ("at_open", "limit", "stop_entry"):
        raise BacktestError(f"The engine knows no entry of the kind {plan.entry_kind!r}; use at_open, limit or stop_entry.")
    if plan.size_kind not in ("risk", "move", "dollars"):
        raise BacktestError(f"The engine knows no size of the kind {plan.size_kind!r}; use risk, move or dollars.")
    if plan.expiry_bars < 1:
        raise BacktestError(f"An order that waits {plan.expiry_bars} bars can't fill; give it at least 1.")
    if plan.max_bars is not None and plan.max_bars < 1:
        raise BacktestError(f"max_bars is {plan.max_bars}; a position lasts at least 1 bar.")
    if plan.cooldown_bars < 0:
        raise BacktestError(f"cooldown is {plan.cooldown_bars}; it can't be below 0 bars.")
    if not (math.isfinite(plan.risk_percent) and plan.risk_percent > 0):
        raise BacktestError(f"risk is {plan.risk_percent:g} %; it must be above 0.")
    if plan.break_even_r is not None and not (math.isfinite(plan.break_even_r) and plan.break_even_r > 0):
        raise BacktestError(f"break_even is {plan.break_even_r:g}; it must be above 0.")
    if len(plan.fractions) > MAX_TARGETS:
        raise BacktestError(f"There are {len(plan.fractions)} targets; at most {MAX_TARGETS} are possible.")
    if any(not 0 < fraction <= 1 for fraction in plan.fractions) or sum(plan.fractions) > 1 + 1e-9:
        raise BacktestError(f"The fractions {', '.join(f'{f:g}' for f in plan.fractions)} must be above 0 and come to 1 at most.")
