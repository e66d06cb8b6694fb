"""Results on parts of a span, and the paired test of one version against another on the same sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lab.agents.outputs import EQUITY, TRADES, read_output
from lab.agents.strategist import Comparison, SpanResult, SpanResults, Verdict

if TYPE_CHECKING:
    import polars as pl

    from lab.agents.views import ResultSummary
    from lab.backtest import BacktestResult

T = TypeVar("T")
SELECTION_SHARE = 0.6
"""The first part of the learning span chooses among refinements, the rest confirms the chosen one."""


@dataclass(frozen=True, slots=True)
class Traded:
    """What a strategy did: its trades, and the account's equity at each session's close with the `starting_equity` beside it."""

    trades: pl.DataFrame
    equity: pl.DataFrame


def with_start(result: BacktestResult) -> BacktestResult:
    """The result with the starting equity beside each session's, as the stored tables have it."""
    import polars as pl

    return replace(result, equity=result.equity.with_columns(pl.lit(result.metrics.starting_equity).alias("starting_equity")))


def traded(result: BacktestResult) -> Traded:
    """Of a result with its starting equity (`with_start`)."""
    return Traded(result.trades, result.equity)


def stored(folder: Path) -> Traded:
    """Of a finished backtest, from its folder."""
    return Traded(read_output(folder, TRADES), read_output(folder, EQUITY))


def selection_until(equity: pl.DataFrame) -> date:
    """Last session of the part on which refinements are chosen."""
    last: date = equity["session"][_selection_place(equity.height)]
    return last


def last_of_selection(sessions: Sequence[T]) -> T | None:
    """The same of the sessions themselves; None where there are none."""
    return sessions[_selection_place(len(sessions))] if sessions else None


def _selection_place(sessions: int) -> int:
    return max(0, min(sessions - 1, int(sessions * SELECTION_SHARE) - 1))


def span_results(found: Traded) -> SpanResults:
    """On the whole span, and on the two parts a refinement is chosen and confirmed on."""
    split = selection_until(found.equity)
    return SpanResults(whole=span_result(found), selection=span_result(found, until=split), confirmation=span_result(found, after=split))


def span_result(found: Traded, after: date | None = None, until: date | None = None) -> SpanResult:
    """The part of a result that lies in (after, until]: trades by their session, the account by its daily equity."""
    import polars as pl

    from lab.backtest import sharpe_ratio

    equity, part = found.equity, _sessions(found.trades, after, until)
    days = _sessions(equity, after, until)["equity"].to_list()
    before = equity.filter(pl.col("session") <= after)["equity"] if after is not None else equity["equity"].clear()
    start = float(before[-1]) if len(before) else float(equity["starting_equity"][0])
    peak = fall = 0.0
    for day in (start, *days):
        peak = max(peak, day)
        fall = max(fall, (peak - day) / peak)
    return SpanResult(
        sessions=len(days),
        trades=part.height,
        win_rate=int((part["pnl"] > 0).sum()) / part.height if part.height else None,
        sharpe=sharpe_ratio(returns_of(equity, after, until).to_numpy()),
        total_return=days[-1] / start - 1 if days else 0.0,
        max_drawdown=fall,
        mean_r=_mean(part["r_multiple"]),
    )


def compare(old: Traded, new: Traded, seed: int, after: date | None = None, until: date | None = None) -> Comparison:
    """The paired test on the sessions of (after, until] that both have. Below 30 trades of either there is no evidence."""
    trades = min(_sessions(each.trades, after, until).height for each in (old, new))
    return _paired(old.equity, new.equity, seed, after, until, trades)


def compare_parts(parent: Traded, changed: Traded, seed: int) -> tuple[Comparison, Comparison]:
    """A refinement against what it changes: on the sessions it is chosen on, and on those that confirm it.

    The first only ranks what is tried, which it may with few trades too; the second is a verdict.
    """
    split = selection_until(parent.equity)
    return _paired(parent.equity, changed.equity, seed, None, split, None), compare(parent, changed, seed, after=split)


def _paired(old: pl.DataFrame, new: pl.DataFrame, seed: int, after: date | None, until: date | None, trades: int | None) -> Comparison:
    from lab.backtest import compare_paired

    first, second = (_sessions(_with_returns(each), after, until).select("session", "change") for each in (old, new))
    both = first.join(second, on="session", how="inner", suffix="_new", maintain_order="left")
    paired = compare_paired(both["change"].to_numpy(), both["change_new"].to_numpy(), seed, trades)
    return Comparison(
        verdict=Verdict(paired.verdict),
        mean_difference=paired.mean_difference,
        low=paired.low,
        high=paired.high,
        sessions=both.height,
    )


def returns_of(equity: pl.DataFrame, after: date | None = None, until: date | None = None) -> pl.Series:
    """Daily returns of the sessions in (after, until]; the first session's counts from the starting equity."""
    return _sessions(_with_returns(equity), after, until)["change"]


def daily_sharpe(annual: float | None) -> float | None:
    """An annualised Sharpe ratio per day: what the trial ledger keeps."""
    return None if annual is None else annual / 252**0.5


def whole_span(summary: ResultSummary) -> SpanResult:
    """A stored summary in the terms in which versions are compared."""
    return SpanResult(
        sessions=len(summary.equity),
        trades=summary.trades,
        win_rate=summary.win_rate,
        sharpe=summary.sharpe,
        total_return=summary.total_return,
        max_drawdown=summary.max_drawdown,
        mean_r=summary.expectancy_r,
    )


def _with_returns(equity: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    from lab.backtest import daily_returns

    starting = float(equity["starting_equity"][0]) if equity.height else 1.0
    return equity.with_columns(pl.Series("change", daily_returns(equity, starting)))


def _sessions(frame: pl.DataFrame, after: date | None, until: date | None) -> pl.DataFrame:
    import polars as pl

    if after is not None:
        frame = frame.filter(pl.col("session") > after)
    if until is not None:
        frame = frame.filter(pl.col("session") <= until)
    return frame


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return float(mean) if isinstance(mean, (int, float)) else None
