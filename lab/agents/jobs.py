"""The heavy work of an iteration, as plain functions that run in a pool process and return small typed reports.

They touch no database: bars come from the cache folder, tables go to the iteration's results folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.agents.comparing import (
    Traded,
    compare,
    compare_parts,
    daily_sharpe,
    returns_of,
    selection_until,
    span_results,
    stored,
    traded,
    with_start,
)
from lab.agents.evidence import EvidencePack
from lab.agents.held import against_market, benchmarks_of, total_returns
from lab.agents.loading import beside_bars, evaluated_bars, finer_bars, finer_fingerprint, market_bars, others_fingerprint
from lab.agents.outputs import (
    BENCHMARKS,
    EQUITY,
    FILLS,
    LEVELS,
    REGIMES,
    SIGNALS,
    SKIPS,
    TRADES,
    explained_trades,
    read_output,
    write_output,
)
from lab.agents.strategist import Comparison, NewsBefore, SpanResults
from lab.agents.views import ResultSummary
from lab.backtest.account import Costs
from lab.errors import LabError

if TYPE_CHECKING:
    import polars as pl

    from lab.backtest import Account, BacktestResult
    from lab.script import Strategy

MOST_LEVEL_SESSIONS = 4_000
"""Of so many sessions of tickers the levels are kept for the screens."""
CHECKED_TICKERS, CHECKED_BARS = 2, 8_000
CUT_AT = (0.31, 0.62, 0.93)
"""On so many tickers and bars, cut at these shares of the time, each script is checked for looking ahead."""


class VaultClosed(LabError):
    """Bars of a vault were asked for without an opening that is written down."""


@dataclass(frozen=True, slots=True)
class BarsSlice:
    """Which bars a job reads. The fingerprint makes a re-import a different slice.

    Raises VaultClosed where it would reach into the vault and names no opening: no other part of the lab has to think of it.
    """

    folder: str
    tickers: tuple[str, ...]
    timeframe: str
    first: date
    last: date
    market_ticker: str | None
    vix_ticker: str | None
    fingerprint: str
    synthetic: bool
    learning_until: date
    """Last session of the learning span: what comes after it is the vault."""
    opening_id: int | None = None
    """The recorded opening of the vault that allows later sessions to be read."""
    news: str = ""
    """The folder of the news of these tickers, where any is kept."""

    def __post_init__(self) -> None:
        if self.last > self.learning_until and self.opening_id is None:
            raise VaultClosed(f"The sessions after {self.learning_until} are in the vault: only an attempt to graduate an agent opens it.")


@dataclass(frozen=True, slots=True)
class Scripts:
    scan: str
    execution: str


@dataclass(frozen=True, slots=True)
class AccountRules:
    """How an agent may use its account, from its risk settings."""

    max_positions: int
    max_exposure: float
    """Of all positions together, as a multiple of equity."""
    max_position: float
    """Of one position, as a share of equity."""
    costs: Costs = field(default_factory=Costs)
    """Of the universe it trades."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    script_hash: str
    bars: int
    sessions: int
    signals: int


@dataclass(frozen=True, slots=True)
class BacktestReport:
    summary: ResultSummary
    fingerprint: str
    engine_version: str
    sharpe_daily: float | None
    """Per day, not annualised: what the trial ledger keeps."""
    returns: tuple[float, ...] = ()
    """Daily, flat days included."""
    others_fingerprint: str = ""
    """Of the bars of tickers that were only looked at; empty without any."""
    finer_fingerprint: str = ""
    """Of the shorter bars that were asked what came first within a bar; empty where none were."""


@dataclass(frozen=True, slots=True)
class TrialsSoFar:
    """What the ledger holds of the bars of a result, and of bars that overlap with them."""

    count: int
    sharpe_variance: float | None
    """Variance of the daily Sharpe ratios of all trials; None below two."""
    returns: tuple[tuple[float, ...], ...] = ()
    """The daily returns of trials on just these bars, as far as they are known."""


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    whole: EvidencePack
    selection: EvidencePack
    current: SpanResults


@dataclass(frozen=True, slots=True)
class VariantReport:
    results: SpanResults
    selection: Comparison
    confirmation: Comparison
    sharpe_daily: float | None
    returns: tuple[float, ...] = ()
    """Daily, flat days included."""


def scan_job(bars: BarsSlice, scripts: Scripts) -> ScanReport:
    """Compile the scripts, prove on a sample that they don't look ahead, and find every signal on the slice.

    Raises LabError for scripts whose columns change when later bars are taken away.
    """
    strategy, evaluated = _evaluated(bars, scripts)
    _refuse_look_ahead(strategy, market_bars(bars, strategy))
    signals = sum(int(evaluated[f"signal.{direction}"].sum()) for direction in strategy.directions)
    return ScanReport(
        script_hash=strategy.script_hash,
        bars=evaluated.height,
        sessions=evaluated["session"].n_unique(),
        signals=signals,
    )


def _refuse_look_ahead(strategy: Strategy, frame: pl.DataFrame) -> None:
    """The language has no words for the future; a person's own functions could. So every script is tried on bars cut short."""
    import polars as pl

    from lab.script import truncation_check

    tickers = frame["ticker"].unique().sort().to_list()
    needed = [ticker for ticker in tickers if ticker in strategy.required_tickers]
    chosen = sorted({*tickers[:CHECKED_TICKERS], *needed})
    sample = frame.filter(pl.col("ticker").is_in(chosen)).group_by("ticker", maintain_order=True).head(CHECKED_BARS)
    moments = sample["timestamp"].unique().sort()
    cuts = [moments[int(len(moments) * share)] for share in CUT_AT]
    if found := truncation_check(strategy, sample, cuts):
        raise LabError(
            f"The scripts look ahead: {found[0].column} of {found[0].ticker} changes when the bars after {found[0].cut} are taken away. "
            "Look at the functions you added yourself; the lab's own only see the past."
        )


def enrich_job(bars: BarsSlice, scripts: Scripts, folder: str) -> int:
    """Store every signal with what was known when it came. Returns the number of rows."""
    from lab.agents.enrich import CONTEXT_COLUMNS, KNOWN_AT, enrich_signals
    from lab.market import CONTEXT_SCHEMA

    _, evaluated = _evaluated(bars, scripts)
    lacking = [name for name in (*CONTEXT_COLUMNS, *KNOWN_AT) if name in KNOWN_AT or (name in CONTEXT_SCHEMA and name not in evaluated)]
    signals = enrich_signals(evaluated, beside_bars(bars, lacking))
    out = Path(folder)
    write_output(out, SIGNALS, signals)
    levels, regimes = _around(bars, evaluated, signals)
    write_output(out, LEVELS, levels)
    write_output(out, REGIMES, regimes)
    return signals.height


def _around(bars: BarsSlice, evaluated: pl.DataFrame, signals: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The levels before the sessions with a signal, the newest where there are too many, and the regime after each session."""
    import polars as pl

    from lab.market import BarsCache
    from lab.market.sessions import session_context

    days = evaluated.select("ticker", "timestamp", "session").join(signals.select("ticker", "timestamp"), on=["ticker", "timestamp"])
    days = days.select("session", "ticker").unique().sort("session", "ticker").tail(MOST_LEVEL_SESSIONS)
    wanted = {str(ticker): frozenset(part["session"]) for (ticker,), part in days.group_by(pl.col("ticker"))}
    span = (bars.first, bars.last)
    return session_context(BarsCache(Path(bars.folder)), bars.tickers, bars.timeframe, span, bars.market_ticker, bars.vix_ticker, wanted)


def backtest_job(bars: BarsSlice, scripts: Scripts, rules: AccountRules, trials: TrialsSoFar, seed: int, folder: str) -> BacktestReport:
    """Run the account over the slice, store trades, fills, skips and daily equity, and sum the result up."""
    from lab.agents.summary import summarise
    from lab.backtest import ENGINE_VERSION

    strategy, evaluated = _evaluated(bars, scripts)
    account, costs = account_of(rules)
    result, asked_finer = _run(bars, strategy, evaluated, account, costs)
    out = Path(folder)
    write_output(out, TRADES, result.trades)
    write_output(out, FILLS, result.fills)
    write_output(out, SKIPS, result.skips)
    write_output(out, EQUITY, result.equity)
    returns = returns_of(result.equity)
    held = benchmarks_of(bars, evaluated, costs)
    write_output(out, BENCHMARKS, held)
    market = against_market(bars.market_ticker, result.equity, held)
    summary = summarise(result, returns, total_returns(held), account, costs, trials, seed, market)
    return BacktestReport(
        others_fingerprint=others_fingerprint(bars, strategy),
        finer_fingerprint=finer_fingerprint(bars) if asked_finer else "",
        summary=summary,
        fingerprint=result.fingerprint,
        engine_version=ENGINE_VERSION,
        sharpe_daily=daily_sharpe(result.metrics.sharpe),
        returns=tuple(returns.to_list()),
    )


def evidence_job(folder: str, summary: ResultSummary, news: Sequence[NewsBefore] = ()) -> EvidenceReport:
    """What the stored trades show, over the whole learning span and over its selection part alone.

    `news` says of some signals what the news before them reported; the others' is not known.
    """
    import polars as pl

    from lab.agents.evidence import build_evidence

    out = Path(folder)
    trades, equity, explained = read_output(out, TRADES), read_output(out, EQUITY), explained_trades(out)
    if news:
        columns = {"ticker": [n.ticker for n in news], "signal_at": [n.signal_at for n in news]}
        read = pl.DataFrame({**columns, "news_kind": [n.kind for n in news], "news_tone": [n.tone for n in news]})
        read = read.cast({"signal_at": explained.schema["signal_at"]})
        explained = explained.join(read, on=["ticker", "signal_at"], how="left", maintain_order="left")
    split = selection_until(equity)
    return EvidenceReport(
        whole=build_evidence(explained, summary),
        selection=build_evidence(explained.filter(pl.col("session") <= split), prefix="S"),
        current=span_results(Traded(trades, equity)),
    )


def variant_job(bars: BarsSlice, scripts: Scripts, rules: AccountRules, parent_folder: str, seed: int) -> VariantReport:
    """Test a changed strategy against the stored result of the version it changes, on the same days."""
    strategy, evaluated = _evaluated(bars, scripts, remember=False)
    account, costs = account_of(rules)
    result, _ = _run(bars, strategy, evaluated, account, costs)
    parent, changed = stored(Path(parent_folder)), traded(result)
    selection, confirmation = compare_parts(parent, changed, seed)
    return VariantReport(
        results=span_results(changed),
        selection=selection,
        confirmation=confirmation,
        sharpe_daily=daily_sharpe(result.metrics.sharpe),
        returns=tuple(returns_of(result.equity).to_list()),
    )


def compare_job(old_folder: str, new_folder: str, seed: int, after: date | None = None) -> tuple[Comparison, Comparison | None]:
    """The paired test of two stored results on the same sessions; beside it that on all, where it is of those after a day alone."""
    old, new = stored(Path(old_folder)), stored(Path(new_folder))
    return compare(old, new, seed, after=after), None if after is None else compare(old, new, seed)


def sample_job(bars: BarsSlice, scripts: Scripts, sessions: int) -> tuple[int, int]:
    """How many signals the last so many sessions of the slice have, and how many sessions those are."""
    import polars as pl

    strategy, evaluated = _evaluated(bars, scripts, remember=False)
    days = evaluated["session"].unique().sort().tail(sessions)
    if days.is_empty():
        return 0, 0
    newest = evaluated.filter(pl.col("session") >= days[0])
    return sum(int(newest[f"signal.{direction}"].sum()) for direction in strategy.directions), len(days)


def sample_run_job(
    bars: BarsSlice, scripts: Scripts, sessions: int, rules: AccountRules
) -> tuple[int, dict[str, int], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The last so many sessions of the slice run through the account: how many there are, the funnel, what was entered (ticker,
    direction, signal_at, entry_at, entry_price, stop, target) and what was skipped (ticker, direction, signal_at, reason)."""
    import polars as pl

    strategy, evaluated = _evaluated(bars, scripts, remember=False)
    days = evaluated["session"].unique().sort().tail(sessions)
    if days.is_empty():
        return 0, {}, [], []
    account, costs = account_of(rules)
    result, _ = _run(bars, strategy, evaluated.filter(pl.col("session") >= days[0]), account, costs)
    entered = result.trades.select("ticker", "direction", "signal_at", "entry_at", "entry_price", "stop", "target")
    skipped = result.skips.select("ticker", "direction", "signal_at", "reason")
    return len(days), result.funnel, entered.rows(), skipped.rows()


def _run(bars: BarsSlice, strategy: Strategy, evaluated: pl.DataFrame, account: Account, costs: Costs) -> tuple[BacktestResult, bool]:
    """The result, and whether shorter bars were asked what came first."""

    from lab.backtest import run_backtest

    result = run_backtest(strategy, evaluated, account, costs)
    # Only where a trade hung on it could shorter bars change anything, and only then are they read.
    finer = finer_bars(bars) if result.hung_on_order else None
    if finer is not None:
        result = run_backtest(strategy, evaluated, account, costs, finer=finer)
    return with_start(result), finer is not None


def account_of(rules: AccountRules) -> tuple[Account, Costs]:
    from lab.backtest import Account

    account = Account(max_positions=rules.max_positions, max_exposure=rules.max_exposure, max_position=rules.max_position)
    return account, rules.costs


def _evaluated(bars: BarsSlice, scripts: Scripts, remember: bool = True) -> tuple[Strategy, pl.DataFrame]:
    if remember:
        return _remembered(bars, scripts)
    from lab.script import compile_strategy

    strategy = compile_strategy(scripts.scan, scripts.execution)
    return strategy, evaluated_bars(bars, strategy)


@lru_cache(maxsize=1)
def _remembered(bars: BarsSlice, scripts: Scripts) -> tuple[Strategy, pl.DataFrame]:
    """Scan, enrich and backtest ask for the same frame one after the other."""
    return _evaluated(bars, scripts, remember=False)
