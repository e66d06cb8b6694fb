"""From the engine's frames to the figures that are stored with an iteration and shown, each with its uncertainty."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from lab.agents.proof.rules import Word, deflate, learning_verdict
from lab.agents.views import HUNG_ON_ORDER, Interval, NamedFigure, ResultSummary

if TYPE_CHECKING:
    import polars as pl

    from lab.agents.jobs import TrialsSoFar
    from lab.backtest import Account, BacktestResult, Costs, CurveIntervals, MarketModel, Metrics

PROMISING = Word.PROMISING.value


def summarise(
    result: BacktestResult,
    returns: pl.Series,
    benchmarks: dict[str, float],
    account: Account,
    costs: Costs,
    trials: TrialsSoFar,
    seed: int,
    market: MarketModel | None = None,
) -> ResultSummary:
    """The result in figures. `returns` are its daily returns, flat days included; `market` is its alpha and beta."""
    from lab.backtest import curve_intervals, probabilistic_sharpe

    metrics = result.metrics
    spread = curve_intervals(returns.to_numpy(), seed)
    interval = None if spread is None else Interval(*spread.sharpe)
    deflated, effective = deflate(returns.to_numpy(), trials)
    verdict = learning_verdict(metrics.trades, metrics.sharpe, interval, deflated, trials)
    days: list[tuple[date, float]] = list(result.equity.select("session", "equity").iter_rows())
    return ResultSummary(
        signals=result.funnel["signals"],
        trades=metrics.trades,
        wins=metrics.wins,
        win_rate=metrics.win_rate,
        win_rate_interval=None if metrics.win_rate_interval is None else Interval(*metrics.win_rate_interval),
        sharpe=metrics.sharpe,
        sharpe_interval=interval,
        total_return=metrics.total_return,
        max_drawdown=metrics.max_drawdown,
        profit_factor=metrics.profit_factor,
        expectancy_r=metrics.expectancy_r,
        average_win=metrics.average_win,
        average_loss=metrics.average_loss,
        costs_paid=metrics.costs_paid + result.interest_paid,
        median_risk=_median_risk(result.trades, account.starting_equity),
        starting_equity=account.starting_equity,
        final_equity=days[-1][1] if days else account.starting_equity,
        funnel=dict(result.funnel),
        equity=tuple(days),
        benchmarks=benchmarks,
        costs=costs.in_words(),
        verdict=verdict.word.value,
        verdict_reason=verdict.reason,
        figures=(
            NamedFigure("deflated Sharpe ratio", deflated, "fraction"),
            NamedFigure("effective number of trials", effective, "count"),
            NamedFigure("probabilistic Sharpe ratio", probabilistic_sharpe(returns.to_numpy()), "fraction"),
            *_figures(metrics, spread, market, result.hung_on_order),
        ),
    )


def _figures(
    metrics: Metrics,
    spread: CurveIntervals | None,
    market: MarketModel | None,
    hung_on_order: float | None,
) -> tuple[NamedFigure, ...]:
    annual, deepest = (None, None) if spread is None else (Interval(*spread.annual_return), Interval(*spread.max_drawdown))
    found = [
        NamedFigure("annual return", metrics.annual_return, "fraction", annual),
        NamedFigure("volatility a year", metrics.volatility, "fraction"),
        NamedFigure("Sortino ratio", metrics.sortino, "ratio"),
        NamedFigure("Calmar ratio", metrics.calmar, "ratio"),
        NamedFigure("deepest drawdown", metrics.max_drawdown, "fraction", deepest),
        NamedFigure("longest drawdown", float(metrics.drawdown_sessions), "sessions"),
        NamedFigure("time under water", metrics.time_under_water, "fraction"),
        NamedFigure("exposure", metrics.exposure, "fraction"),
        NamedFigure("turnover", metrics.turnover, "times a year"),
        NamedFigure(HUNG_ON_ORDER, hung_on_order, "fraction"),
        NamedFigure("mean worst excursion", metrics.mae_r, "R"),
        NamedFigure("mean best excursion", metrics.mfe_r, "R"),
        NamedFigure("longest row of wins", float(metrics.longest_win_streak), "count"),
        NamedFigure("longest row of losses", float(metrics.longest_loss_streak), "count"),
    ]
    if market is not None:
        found += [
            NamedFigure("alpha a year", market.alpha, "fraction", Interval(*market.alpha_interval)),
            NamedFigure("beta", market.beta, "ratio", Interval(*market.beta_interval)),
        ]
    return tuple(found)


def _median_risk(trades: pl.DataFrame, starting_equity: float) -> float | None:
    """What the median trade lost at its stop, costs aside, as a fraction of the starting equity."""
    at_risk = ((trades["entry_price"] - trades["stop"]).abs() * trades["shares"]).median()
    return float(at_risk) / starting_equity if isinstance(at_risk, (int, float)) else None
