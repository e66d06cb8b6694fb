"""The heavy part of the studies, as plain functions that run in a pool process and return typed reports. They touch no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import TYPE_CHECKING

from lab.agents.comparing import daily_sharpe
from lab.agents.held import benchmarks_of, total_returns
from lab.agents.jobs import AccountRules, BarsSlice, Scripts, account_of
from lab.agents.loading import evaluated_bars, finer_bars, forget_bars, market_bars
from lab.agents.proof.views import (
    FoldRow,
    Plateau,
    PlateauPoint,
    RobustnessReport,
    SchemeRow,
    ShakenRow,
    VaultReport,
    WalkForwardReport,
)
from lab.agents.views import Interval
from lab.errors import LabError
from lab.store.proof_models import ProofKind

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from lab.backtest import Axis, BacktestResult
    from lab.backtest.validation.walk_forward import WalkForward
    from lab.script import Strategy

WALKED_VARIANTS = 32
"""Beside the strategy as it is: what may be chosen in a fold."""
PLATEAU_STEPS = 2
"""On either side of the chosen value, along each of two parameters."""
_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class TriedVariant:
    """A variant that a study measured: a row of the trial ledger."""

    script_hash: str
    trades: int
    sharpe_daily: float | None
    returns: tuple[float, ...] = ()


def walk_forward_job(
    bars: BarsSlice, scripts: Scripts, rules: AccountRules, folds: int, seed: int
) -> tuple[WalkForwardReport, tuple[TriedVariant, ...]]:
    """Walk the learning span, anchored and rolling, choosing among variants of the strategy's parameters."""
    import numpy as np

    from lab.backtest import backtest_overfitting, different_ideas, superior_ability
    from lab.backtest.validation.folds import Scheme, most_folds, walk_forward_folds
    from lab.backtest.validation.walk_forward import walk_forward

    axes, compiled = _walked(scripts, seed)
    columns, counts, tried, held, sessions = [], [], [], 0, None
    for _, strategy, result in _measured(bars, rules, compiled):
        days = result.equity["session"]
        if sessions is None:
            sessions, held = days, _nights_held(result)
        columns.append(_returns(result))
        counts.append(_entered(result))
        tried.append(_tried(strategy, result))
    if sessions is None or not len(sessions):
        raise LabError("There are no sessions to walk through on this learning span.")
    returns, trades = np.stack(columns, axis=1), np.stack(counts, axis=1)
    values = [point for point, _ in compiled]
    walked = most_folds(len(sessions), folds, held)
    schemes = tuple(
        _scheme(str(scheme), walk_forward(returns, trades, walk_forward_folds(len(sessions), walked, scheme, held)), sessions, values, seed)
        for scheme in (Scheme if walked else ())
    )
    shortfall = ""
    if walked < folds:
        kept = f"{walked} of {folds} folds are" if walked else "no fold is"
        shortfall = f"The learning span has {len(sessions)} sessions, and positions are held over up to {held} nights: {kept} possible."
    overfit, superior = backtest_overfitting(returns), superior_ability(returns, seed)
    report = WalkForwardReport(
        schemes=schemes,
        shortfall=shortfall,
        parameters=tuple(axis.name for axis in axes),
        variants=len(compiled),
        holding_sessions=held,
        overfitting=None if overfit is None else overfit.probability,
        superior_p=None if superior is None else superior.p_value,
        ideas=different_ideas(returns),
    )
    return report, tuple(tried)


def planned(kind: ProofKind, scripts: Scripts, seed: int) -> tuple[str, ...]:
    """The hashes of the variants that a study measures: what it has to answer for where it is ended before its report."""
    if kind is ProofKind.WALK_FORWARD:
        compiled = _walked(scripts, seed)[1]
    elif kind is ProofKind.ROBUSTNESS:
        compiled = _plateau_points(scripts)[2]
    else:
        return ()
    return tuple(strategy.script_hash for _, strategy in compiled)


def robustness_job(bars: BarsSlice, scripts: Scripts, rules: AccountRules, seed: int) -> tuple[RobustnessReport, tuple[TriedVariant, ...]]:
    """What the result on the learning span hangs on, and the neighbourhood of its parameters."""
    from lab.backtest import run_backtest
    from lab.backtest.validation.robustness import break_even_costs, shake
    from lab.script import compile_strategy

    strategy = compile_strategy(scripts.scan, scripts.execution)
    evaluated = evaluated_bars(bars, strategy)
    account, costs = account_of(rules)
    base = run_backtest(strategy, evaluated, account, costs)
    finer = finer_bars(bars) if base.hung_on_order else None
    if finer is not None:
        base = run_backtest(strategy, evaluated, account, costs, finer=finer)
    shaken = shake(strategy, evaluated, account, costs, base, seed, finer)
    plateau, tried = _plateau(bars, scripts, rules)
    report = RobustnessReport(
        base_trades=base.metrics.trades,
        base_sharpe=base.metrics.sharpe,
        base_return=base.metrics.total_return,
        rows=tuple(ShakenRow(one.name, one.detail, one.trades, one.sharpe, one.total_return, one.total_return > 0) for one in shaken),
        break_even_costs=break_even_costs(shaken),
        plateau=plateau,
    )
    return report, tried


def vault_job(bars: BarsSlice, scripts: Scripts, rules: AccountRules, seed: int) -> VaultReport:
    """Trade the sessions after the learning span, warmed up on those within it."""
    import polars as pl

    from lab.backtest import run_backtest
    from lab.script import compile_strategy

    strategy = compile_strategy(scripts.scan, scripts.execution)
    evaluated = evaluated_bars(bars, strategy).filter(pl.col("session") > bars.learning_until)
    account, costs = account_of(rules)
    result = run_backtest(strategy, evaluated, account, costs)
    finer = finer_bars(bars) if result.hung_on_order else None
    forget_bars()
    if finer is not None:
        result = run_backtest(strategy, evaluated, account, costs, finer=finer)
    return in_the_vault(result, total_returns(benchmarks_of(bars, evaluated, costs)), seed)


def in_the_vault(result: BacktestResult, benchmarks: dict[str, float], seed: int) -> VaultReport:
    """The report on a result of the vault's sessions alone; `benchmarks` are total returns on them."""
    from lab.backtest import curve_intervals, probabilistic_sharpe

    if not result.equity.height:
        raise LabError("The vault holds no sessions: this universe has no bars after its learning span.")
    metrics, returns = result.metrics, _returns(result)
    spread = curve_intervals(returns, seed)
    first: date = result.equity["session"][0]
    last: date = result.equity["session"][-1]
    return VaultReport(
        first_session=first,
        last_session=last,
        sessions=result.equity.height,
        trades=metrics.trades,
        wins=metrics.wins,
        win_rate=metrics.win_rate,
        win_rate_interval=None if metrics.win_rate_interval is None else Interval(*metrics.win_rate_interval),
        sharpe=metrics.sharpe,
        sharpe_interval=None if spread is None else Interval(*spread.sharpe),
        probability=probabilistic_sharpe(returns),
        total_return=metrics.total_return,
        max_drawdown=metrics.max_drawdown,
        benchmarks=benchmarks,
    )


def _walked(scripts: Scripts, seed: int) -> tuple[list[Axis], list[Compiled]]:
    """The variants that a walk-forward chooses among, the strategy as it is first."""
    from lab.backtest import Method, design

    axes = _axes(scripts)
    own = tuple(axis.own for axis in axes)
    drawn = design(axes, Method.LATIN, WALKED_VARIANTS, seed) if axes else ()
    return axes, _compiled(scripts, axes, [own, *(point for point in drawn if point != own)])


def _plateau_points(scripts: Scripts) -> tuple[list[Axis], tuple[float, ...], list[Compiled]]:
    """The first two parameters, their chosen values, and the grid around those, the others as they are."""
    varied = _axes(scripts)[:2]
    own = tuple(axis.own for axis in varied)
    near = product(*(_around(axis) for axis in varied)) if varied else ()
    return varied, own, _compiled(scripts, varied, [own, *(point for point in near if point != own)])


def _axes(scripts: Scripts) -> list[Axis]:
    from lab.backtest import BacktestError, axes_of
    from lab.script import compile_strategy

    try:
        return list(axes_of(compile_strategy(scripts.scan, scripts.execution).parameters, [], {}))
    except BacktestError:
        return []


Compiled = tuple[tuple[float, ...], "Strategy"]


def _compiled(scripts: Scripts, axes: Sequence[Axis], points: Sequence[tuple[float, ...]]) -> list[Compiled]:
    """The points whose scripts compile, each strategy once; what a function allows may depend on two parameters at once."""
    from lab.script import ScriptError, compile_strategy

    found: dict[str, Compiled] = {}
    for point in points:
        values = {axis.name: value for axis, value in zip(axes, point, strict=True)}
        try:
            strategy = compile_strategy(scripts.scan, scripts.execution, values)
        except ScriptError:
            continue
        found.setdefault(strategy.script_hash, (point, strategy))
    return list(found.values())


def _measured(
    bars: BarsSlice, rules: AccountRules, compiled: Sequence[Compiled]
) -> Iterator[tuple[tuple[float, ...], Strategy, BacktestResult]]:
    from lab.backtest import backtest_together

    account, costs = account_of(rules)
    for start in range(0, len(compiled), _TOGETHER):
        chunk = compiled[start : start + _TOGETHER]
        strategies = [strategy for _, strategy in chunk]
        results = backtest_together(strategies, market_bars(bars, *strategies), account, costs)
        for (point, strategy), result in zip(chunk, results, strict=True):
            yield point, strategy, result


def _returns(result: BacktestResult) -> NDArray[np.float64]:
    from lab.backtest import daily_returns

    return daily_returns(result.equity, result.metrics.starting_equity)


def _entered(result: BacktestResult) -> NDArray[np.int64]:
    """Per session, how many trades were entered."""
    import numpy as np

    sessions = result.equity["session"].to_physical().to_numpy()
    at = np.searchsorted(sessions, result.trades["session"].to_physical().to_numpy())
    return np.bincount(at, minlength=len(sessions)).astype(np.int64)


def _nights_held(result: BacktestResult) -> int:
    """Closes of sessions over which the longest-held position was open."""
    import numpy as np
    import polars as pl

    if not result.trades.height:
        return 0
    sessions = result.equity["session"].to_physical().to_numpy()
    left = result.trades.select(pl.col("exit_at").dt.convert_time_zone("America/New_York").dt.date())["exit_at"]
    entered = np.searchsorted(sessions, result.trades["session"].to_physical().to_numpy())
    return int((np.searchsorted(sessions, left.to_physical().to_numpy()) - entered).max())


def _tried(strategy: Strategy, result: BacktestResult) -> TriedVariant:
    metrics = result.metrics
    return TriedVariant(strategy.script_hash, metrics.trades, daily_sharpe(metrics.sharpe), tuple(_returns(result)))


def _scheme(name: str, walked: WalkForward, sessions: pl.Series, values: Sequence[tuple[float, ...]], seed: int) -> SchemeRow:
    import numpy as np

    from lab.backtest import sharpe_interval

    days: list[date] = sessions.to_list()
    spread = sharpe_interval(walked.returns, seed)
    worth = np.cumprod(1 + np.array(walked.returns)).tolist()
    return SchemeRow(
        scheme=name,
        folds=tuple(
            FoldRow(
                number=one.fold.number,
                chosen_first=days[one.fold.chosen_from],
                chosen_last=days[one.fold.chosen_to - 1],
                judged_first=days[one.fold.judged_from],
                judged_last=days[one.fold.judged_to - 1],
                chosen_sharpe=one.chosen_sharpe,
                judged_sharpe=one.judged_sharpe,
                chosen_return=one.chosen_return,
                judged_return=one.judged_return,
                chosen_trades=one.chosen_trades,
                judged_trades=one.judged_trades,
                values=values[one.variant],
            )
            for one in walked.folds
        ),
        chosen_sharpe=walked.chosen_sharpe,
        judged_sharpe=walked.sharpe,
        judged_interval=None if spread is None else Interval(*spread),
        judged_return=walked.total_return,
        curve=tuple((days[session], value) for session, value in zip(walked.judged, worth, strict=True)),
    )


def _plateau(bars: BarsSlice, scripts: Scripts, rules: AccountRules) -> tuple[Plateau | None, tuple[TriedVariant, ...]]:
    varied, own, compiled = _plateau_points(scripts)
    if not varied:
        return None, ()
    found, tried = [], []
    for point, strategy, result in _measured(bars, rules, compiled):
        found.append(PlateauPoint(point, result.metrics.trades, result.metrics.sharpe))
        tried.append(_tried(strategy, result))
    return Plateau(
        tuple(axis.name for axis in varied), own, tuple(sorted(found, key=lambda p: p.values)), _kept(found, varied, own)
    ), tuple(tried)


def _around(axis: Axis) -> list[float]:
    """The chosen value and its neighbours within the bounds, in order."""
    stride = max(1, round(axis.levels / 12))
    level = round((axis.own - axis.start) / axis.step)
    levels = {level + stride * step for step in range(-PLATEAU_STEPS, PLATEAU_STEPS + 1)}
    return sorted({axis.own if at == level else axis.value(at) for at in levels if 0 <= at < axis.levels} | {axis.own})


def _kept(points: Sequence[PlateauPoint], axes: Sequence[Axis], own: tuple[float, ...]) -> float | None:
    """The median Sharpe ratio of the points next to the chosen one, as a fraction of its own."""
    here = next((point.sharpe for point in points if point.values == own), None)
    if here is None or here <= 0:
        return None
    rows = [_around(axis) for axis in axes]
    place = [row.index(value) for row, value in zip(rows, own, strict=True)]
    beside = [
        point.sharpe or 0.0
        for point in points
        if point.values != own and all(abs(row.index(v) - at) <= 1 for row, v, at in zip(rows, point.values, place, strict=True))
    ]
    return median(beside) / here if beside else None
