"""How often scripts signal on the newest bars of a learning span: what an editor shows while one types.

A count of signals says nothing of their outcome, so it is no trial.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from lab.agents.jobs import AccountRules, BarsSlice, Scripts, sample_job, sample_run_job
from lab.errors import LabError
from lab.store.models import Universe

SESSIONS = 20
SHOWN_SIGNALS = 300
"""So many of a run's signals are listed, the newest."""
MAX_ROWS = 250_000
"""Bars a sample may hold, its run-up included: what evaluates within half a second. Tickers are left out to keep it."""
_RUN_UPS = (2, 10, 30, 60, 250, 500, 1250)
"""Sessions before the sample that warm the functions up; few different ones, so that the same bars serve for most edits."""
_SESSION_MINUTES = 390
_MINUTES = {"m": 1, "h": 60, "d": _SESSION_MINUTES}


@dataclass(frozen=True, slots=True)
class Sample:
    """The universe whose learning span is sampled."""

    universe: str
    synthetic: bool
    bars: BarsSlice
    """The whole learning span; of it only the end is read."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Context that is missing on every bar, with the reason."""
    rules: AccountRules | None = None
    """The agent's account; None where nothing will be run."""


@dataclass(frozen=True, slots=True)
class SignalCount:
    signals: int
    sessions: int
    """Over how many sessions: `SESSIONS`, or fewer where the learning span is shorter."""
    tickers: int
    """Of how many tickers; fewer than the universe has where it is too large."""
    all_tickers: int


@dataclass(frozen=True, slots=True)
class SampleSignal:
    """What became of a signal: an order that filled, or the reason why there was none. How the trade ended is left out."""

    ticker: str
    direction: str
    signal_at: datetime
    entry_at: datetime | None = None
    entry_price: float | None = None
    stop: float | None = None
    target: float | None = None
    skipped: str = ""
    """The reason; empty for a signal that was traded."""


@dataclass(frozen=True, slots=True)
class SampleRun:
    """The scripts run through the account on the sample."""

    counted: SignalCount
    funnel: dict[str, int]
    """"signals", "trades", then each skip reason with its count; signals = trades + skips."""
    signals: tuple[SampleSignal, ...]
    """The newest first, at most `SHOWN_SIGNALS`."""


def signal_sample(universe: Universe, bars: Path, rules: AccountRules | None = None) -> Sample:
    """What `count_signals` needs to know of a universe, and with `rules` `run_sample` too. Touches no bars."""
    from lab.agents.gaps import unknown_fields
    from lab.agents.span import learning_span

    return Sample(universe.name, universe.synthetic, learning_span(universe, bars), unknown_fields(universe), rules)


def count_signals(sample: Sample, scan: str, execution: str) -> SignalCount:
    """Evaluate the scripts on the sample. Loads and computes bars: for a process of its own.

    Raises:
        LabError: the scripts don't compile, or the bars lack the context they read.
    """
    part = _part(sample, scan, execution)
    signals, sessions = sample_job(part, Scripts(scan, execution), SESSIONS)
    return SignalCount(signals, sessions, len(part.tickers), len(sample.bars.tickers))


def run_sample(sample: Sample, scan: str, execution: str) -> SampleRun:
    """Run the scripts through the account on the sample. Loads and computes bars: for a process of its own.

    Says what was bought and sold where, never what it made: that would be a trial, and this is none.

    Raises:
        LabError: as `count_signals`, or the sample knows no account.
    """
    if sample.rules is None:
        raise LabError("This sample has no account to run the scripts through.")
    part = _part(sample, scan, execution)
    sessions, funnel, traded, skipped = sample_run_job(part, Scripts(scan, execution), SESSIONS, sample.rules)
    rows = [SampleSignal(*row) for row in traded]
    rows += [SampleSignal(ticker, direction, signal_at, skipped=reason) for ticker, direction, signal_at, reason in skipped]
    rows.sort(key=lambda one: (one.signal_at, one.ticker), reverse=True)
    counted = SignalCount(funnel.get("signals", 0), sessions, len(part.tickers), len(sample.bars.tickers))
    return SampleRun(counted, funnel, tuple(rows[:SHOWN_SIGNALS]))


def _part(sample: Sample, scan: str, execution: str) -> BarsSlice:
    """The bars of a sample that these scripts are to be evaluated on."""
    from lab.agents.span import shorter_bars
    from lab.script import compile_strategy

    strategy = compile_strategy(scan, execution)
    if missing := sorted(strategy.required_fields & sample.unknown.keys()):
        raise LabError(f"{missing[0]} is unknown here. {sample.unknown[missing[0]]}")
    if short := shorter_bars(strategy, sample.bars.timeframe):
        raise LabError(f"{short[0][0]} are unknown here. {short[0][1]}")
    a_session = bars_in_a_session(sample.bars.timeframe)
    return end_of(sample.bars, strategy.warm_up_sessions + math.ceil(strategy.warm_up_bars / a_session))


def end_of(bars: BarsSlice, run_up_sessions: int) -> BarsSlice:
    """The last sessions of a slice with at least this run-up before them, of as many tickers, evenly picked, as there is room for."""
    run_up = next((step for step in _RUN_UPS if step >= run_up_sessions), run_up_sessions)
    sessions = SESSIONS + run_up
    # Five sessions a week, and up to ten holidays a year.
    days = math.ceil(sessions * 7 / 5 * 1.05) + 4
    room = max(1, MAX_ROWS // (sessions * bars_in_a_session(bars.timeframe)))
    count = len(bars.tickers)
    tickers = bars.tickers if count <= room else tuple(bars.tickers[index * count // room] for index in range(room))
    return replace(bars, tickers=tickers, first=max(bars.first, bars.last - timedelta(days=days)))


def bars_in_a_session(timeframe: str) -> int:
    """How many bars of a timeframe, such as "5m", a regular session has."""
    return math.ceil(_SESSION_MINUTES / (int(timeframe[:-1]) * _MINUTES[timeframe[-1]]))
