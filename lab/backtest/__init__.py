"""Signals to orders, fills, trades and metrics, and what they are worth. Public names load on first use: Polars and NumPy are heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.on_use import names_on_use

if TYPE_CHECKING:
    from lab.backtest.account import Account, Costs
    from lab.backtest.benchmarks import buy_and_hold, buy_and_hold_equity
    from lab.backtest.breakdowns import Breakdown, Part, break_down
    from lab.backtest.curve import daily_returns
    from lab.backtest.deflated import (
        deflated_sharpe,
        deflated_sharpe_ratio,
        effective_trials,
        expected_maximum_sharpe,
        probabilistic_sharpe,
        probabilistic_sharpe_ratio,
    )
    from lab.backtest.engine import ENGINE_VERSION, run_backtest
    from lab.backtest.errors import BacktestError
    from lab.backtest.metrics import Metrics
    from lab.backtest.plan import Plan, PlannedStrategy
    from lab.backtest.reasons import Direction, ExitReason, SkipReason
    from lab.backtest.relative import MarketModel, market_model
    from lab.backtest.result import BacktestResult
    from lab.backtest.statistics import (
        ComparisonVerdict,
        CurveIntervals,
        PairedComparison,
        compare_paired,
        curve_intervals,
        sharpe_interval,
        sharpe_ratio,
        wilson_interval,
    )
    from lab.backtest.sweep import Axis, Method, Point, Range, axes_of, design, result_table
    from lab.backtest.together import Together, backtest_together
    from lab.backtest.validation.overfitting import (
        Overfitting,
        SuperiorAbility,
        backtest_overfitting,
        different_ideas,
        superior_ability,
    )

__all__ = [
    "ENGINE_VERSION",
    "Account",
    "Axis",
    "BacktestError",
    "BacktestResult",
    "Breakdown",
    "ComparisonVerdict",
    "Costs",
    "CurveIntervals",
    "Direction",
    "ExitReason",
    "MarketModel",
    "Method",
    "Metrics",
    "Overfitting",
    "PairedComparison",
    "Part",
    "Plan",
    "PlannedStrategy",
    "Point",
    "Range",
    "SkipReason",
    "SuperiorAbility",
    "Together",
    "axes_of",
    "backtest_overfitting",
    "backtest_together",
    "break_down",
    "buy_and_hold",
    "buy_and_hold_equity",
    "compare_paired",
    "curve_intervals",
    "daily_returns",
    "deflated_sharpe",
    "deflated_sharpe_ratio",
    "design",
    "different_ideas",
    "effective_trials",
    "expected_maximum_sharpe",
    "market_model",
    "probabilistic_sharpe",
    "probabilistic_sharpe_ratio",
    "result_table",
    "run_backtest",
    "sharpe_interval",
    "sharpe_ratio",
    "superior_ability",
    "wilson_interval",
]

_MODULES = {
    "account": ("Account", "Costs"),
    "benchmarks": ("buy_and_hold", "buy_and_hold_equity"),
    "breakdowns": ("Breakdown", "Part", "break_down"),
    "curve": ("daily_returns",),
    "deflated": (
        "deflated_sharpe",
        "deflated_sharpe_ratio",
        "effective_trials",
        "expected_maximum_sharpe",
        "probabilistic_sharpe",
        "probabilistic_sharpe_ratio",
    ),
    "engine": ("ENGINE_VERSION", "run_backtest"),
    "errors": ("BacktestError",),
    "metrics": ("Metrics",),
    "plan": ("Plan", "PlannedStrategy"),
    "reasons": ("Direction", "ExitReason", "SkipReason"),
    "relative": ("MarketModel", "market_model"),
    "result": ("BacktestResult",),
    "statistics": (
        "ComparisonVerdict",
        "CurveIntervals",
        "PairedComparison",
        "compare_paired",
        "curve_intervals",
        "sharpe_interval",
        "sharpe_ratio",
        "wilson_interval",
    ),
    "sweep": ("Axis", "Method", "Point", "Range", "axes_of", "design", "result_table"),
    "validation.overfitting": ("Overfitting", "SuperiorAbility", "backtest_overfitting", "different_ideas", "superior_ability"),
    "together": ("Together", "backtest_together"),
}


__getattr__ = names_on_use(__name__, _MODULES)
