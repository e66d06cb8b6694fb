"""Many variants of one strategy measured in one pass, as plain functions that run in a pool process.

The bars are read once in a process and what the variants have in common is computed once for a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.comparing import daily_sharpe
from lab.agents.jobs import AccountRules, BarsSlice, Scripts, account_of
from lab.agents.loading import finer_bars, market_bars
from lab.agents.outputs import write_output
from lab.agents.results import from_json
from lab.agents.strategist import Comparison, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.backtest import BacktestResult, Together
    from lab.script import Strategy

_PASS_BYTES = 600_000_000
"""Of memory for the columns of the strategies that are evaluated together."""
_EXTRA = ("script_hash", "average_bars_held", "sharpe_daily", "returns")


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one variant on the learning span. None means "can't be measured", never zero."""

    script_hash: str
    trades: int
    win_rate: float | None
    sharpe: float | None
    total_return: float
    max_drawdown: float
    profit_factor: float | None
    expectancy_r: float | None
    average_bars_held: float | None
    sharpe_daily: float | None
    """Per day, not annualised: what the trial ledger keeps."""


@dataclass(frozen=True, slots=True)
class Point:
    """A variant of a sweep: a value for each varied parameter, and what came of it."""

    values: tuple[float, ...]
    measured: Measured


@dataclass(frozen=True, slots=True)
class PlanReport:
    """An exit plan, against the strategy's own on the same sessions."""

    measured: Measured
    against_own: Comparison
    reason: str
    """A sentence on why the verdict is what it is."""


def share_job(bars: BarsSlice, scripts: Scripts, folder: str) -> None:
    """Lay the bars down in a folder, with the context the scripts read, for all processes that are to measure points on them."""
    from lab.agents.shared_bars import lay_down
    from lab.script import compile_strategy
    from lab.script.evaluate import BAR_COLUMNS

    strategy = compile_strategy(scripts.scan, scripts.execution)
    frame = market_bars(bars, strategy)
    lay_down(frame.select(name for name in frame.columns if name in {*BAR_COLUMNS, *strategy.required_fields, "traded"}), Path(folder))


def sweep_job(
    bars: BarsSlice,
    scripts: Scripts,
    names: tuple[str, ...],
    points: tuple[tuple[float, ...], ...],
    rules: AccountRules,
    file: str,
    shared: str = "",
) -> tuple[Point, ...]:
    """Measure some points of a sweep and store them in `file`, all of them or none; `shared` is the folder of `share_job`."""
    import polars as pl

    from lab.backtest import daily_returns, result_table
    from lab.script import compile_strategy

    strategies = [compile_strategy(scripts.scan, scripts.execution, dict(zip(names, values, strict=True))) for values in points]
    done, metrics, returns = [], [], []
    for values, strategy, result in zip(points, strategies, _results(bars, strategies, rules, shared), strict=True):
        done.append(Point(values, _measured(strategy, result)))
        metrics.append((values, result.metrics))
        returns.append(daily_returns(result.equity, result.metrics.starting_equity).tolist())
    measured = [point.measured for point in done]
    table = result_table(names, metrics).with_columns(
        pl.Series("script_hash", [one.script_hash for one in measured], dtype=pl.String),
        pl.Series("average_bars_held", [one.average_bars_held for one in measured], dtype=pl.Float64),
        pl.Series("sharpe_daily", [one.sharpe_daily for one in measured], dtype=pl.Float64),
        pl.Series("returns", returns, dtype=pl.List(pl.Float64)),
    )
    write_output(Path(file).parent, Path(file).name, table)
    return tuple(done)


def exits_job(bars: BarsSlice, scan: str, executions: tuple[str, ...], rules: AccountRules, seed: int) -> tuple[PlanReport, ...]:
    """Test one scan with several execution scripts in one pass; each is compared with the first."""
    from lab.backtest import compare_paired, daily_returns
    from lab.script import compile_strategy

    strategies = [compile_strategy(scan, execution) for execution in executions]
    reports: list[PlanReport] = []
    for strategy, result in zip(strategies, _results(bars, strategies, rules), strict=True):
        measured = _measured(strategy, result)
        returns = daily_returns(result.equity, result.metrics.starting_equity)
        if not reports:
            own, own_trades = returns, measured.trades
        paired = compare_paired(own, returns, seed, min(own_trades, measured.trades))
        comparison = Comparison(Verdict(paired.verdict), paired.mean_difference, paired.low, paired.high, paired.sessions)
        reports.append(PlanReport(measured, comparison, paired.reason))
    return tuple(reports)


def read_points(folder: Path) -> list[Point]:
    """The points stored so far, in no order. A file that can't be read counts as not there: its points are measured again."""
    import polars as pl

    from lab.backtest.sweep import METRICS

    found = []
    for path in sorted(folder.glob("points-*.parquet")):
        try:
            table = pl.read_parquet(path)
            names = table.columns[: -len(METRICS) - len(_EXTRA)]
            found += [_point(names, row) for row in table.drop("returns").iter_rows(named=True)]
        except (OSError, pl.exceptions.PolarsError, KeyError, ValueError):
            path.unlink(missing_ok=True)
    return found


def read_returns(folder: Path, script_hash: str) -> list[float]:
    """The daily returns of a stored point; empty where it is not stored."""
    import polars as pl

    for path in sorted(folder.glob("points-*.parquet")):
        row = pl.read_parquet(path, columns=["script_hash", "returns"]).filter(pl.col("script_hash") == script_hash)
        if row.height:
            returns: list[float] = row["returns"][0].to_list()
            return returns
    return []


def read_each_returns(folder: Path) -> list[tuple[str, list[float]]]:
    """Script hash and daily returns of every stored point, by hash."""
    import polars as pl

    paths = sorted(folder.glob("points-*.parquet"))
    if not paths:
        return []
    rows = pl.concat([pl.read_parquet(path, columns=["script_hash", "returns"]) for path in paths])
    return list(rows.unique("script_hash").sort("script_hash").iter_rows())


def read_all_returns(folder: Path) -> NDArray[np.float64]:
    """The daily returns of all stored points: a row a session, a column a point."""
    import numpy as np

    rows = read_each_returns(folder)
    return np.array([returns for _, returns in rows], dtype=np.float64).T if rows else np.zeros((0, 0))


def _point(names: Sequence[str], row: dict[str, object]) -> Point:
    return from_json(
        Point, {"values": [row[name] for name in names], "measured": {name: row[name] for name in Measured.__dataclass_fields__}}
    )


def _results(bars: BarsSlice, strategies: Sequence[Strategy], rules: AccountRules, shared: str = "") -> Iterator[BacktestResult]:
    """The result of each strategy in order, evaluated together as far as memory allows."""
    from lab.backtest import Together

    passes = _on_shared(shared) if shared else Together(market_bars(bars, *strategies))
    account, costs = account_of(rules)
    kinds = (".stop", ".target", ".target_2", ".target_3", ".trail", ".size", ".entry_price")
    prices = max(sum(name.endswith(kinds) for name, _ in strategy.outputs) for strategy in strategies)
    together = max(1, _PASS_BYTES // (max(1, passes.bar_count) * (8 * prices + 2)))
    for start in range(0, len(strategies), together):
        yield from passes.run(strategies[start : start + together], account, costs, finer_bars(bars))


@lru_cache(maxsize=1)
def _on_shared(folder: str) -> Together:
    """What the passes of a sweep have in common is there from one task of a process to the next."""
    from lab.agents.shared_bars import mapped
    from lab.backtest import Together

    return Together(mapped(Path(folder)))


def _measured(strategy: Strategy, result: BacktestResult) -> Measured:
    metrics = result.metrics
    return Measured(
        script_hash=strategy.script_hash,
        trades=metrics.trades,
        win_rate=metrics.win_rate,
        sharpe=metrics.sharpe,
        total_return=metrics.total_return,
        max_drawdown=metrics.max_drawdown,
        profit_factor=metrics.profit_factor,
        expectancy_r=metrics.expectancy_r,
        average_bars_held=metrics.average_bars_held,
        sharpe_daily=daily_sharpe(metrics.sharpe),
    )
