"""What the first screen shows: agents with their results, universes, and the workspace as a whole; the part of `lab.agents.views` that is
loaded before anything is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NamedFigure:
    """One metric, ready to be shown in its place."""

    name: str
    """Such as "Sortino ratio"."""
    value: float | None
    """None where it can't be measured."""
    unit: str
    """"fraction", "ratio", "count", "sessions", "dollars", "R" or "times a year"."""
    interval: Interval | None = None
    """95 %."""


@dataclass(frozen=True, slots=True)
class Personality:
    """Who an agent is, detected from its instructions or set by the person."""

    risk: str
    """"conservative", "balanced" or "aggressive"."""
    style: str
    """One of `lab.agents.personality.STYLES`, such as "scalper" or "swing trader"."""
    focus: tuple[str, ...]
    """Names of patterns the agent looks for, of `lab.agents.personality.FOCUSES`."""
    markets: tuple[str, ...]
    """Market conditions it wants, of `lab.agents.personality.MARKETS`."""


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """The measured result of one strategy version on one learning span, after costs."""

    signals: int
    trades: int
    wins: int
    win_rate: float | None
    win_rate_interval: Interval | None
    sharpe: float | None
    """Annualised, from the daily mark-to-market equity curve."""
    sharpe_interval: Interval | None
    total_return: float
    max_drawdown: float
    profit_factor: float | None
    expectancy_r: float | None
    average_win: float | None
    average_loss: float | None
    costs_paid: float
    """Dollars."""
    median_risk: float | None = field(default=None, kw_only=True)
    """Loss at the stop of the median trade, as a fraction of the starting equity: limits of the account may keep it below the script's."""
    figures: tuple[NamedFigure, ...] = field(default=(), kw_only=True)
    """Every further metric of the curve and the trades, in the order in which they are read; empty in results of before there were any."""
    starting_equity: float
    final_equity: float
    funnel: dict[str, int]
    """"signals", "trades", then each skip reason with its count; signals = trades + skips."""
    equity: tuple[tuple[date, float], ...]
    """Equity at the close of each session, in dollars."""
    benchmarks: dict[str, float]
    """Name ("buy and hold SPY", "equal-weight universe") -> total return after costs."""
    costs: str
    """The cost settings in words, shown beside every result."""
    verdict: str
    verdict_reason: str


@dataclass(frozen=True, slots=True)
class UniverseView:
    id: int
    name: str
    tickers: tuple[str, ...]
    timeframe: str
    source: str
    synthetic: bool
    first_session: date
    learning_until: date
    last_session: date
    missing_context: tuple[str, ...]
    """What context is not there, a sentence each."""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent on the dashboard."""

    id: int
    name: str
    instructions: str
    personality: Personality
    status: str
    universe: str
    synthetic: bool
    iterations: int
    current_version: str | None
    result: ResultSummary | None
    """Of the current version where it was measured, else of the newest measured version."""
    result_version: str | None
    """The version `result` is of."""
    running_iteration_id: int | None
    step: str | None
    """Of the running iteration; "paused" where that waits for budget."""
    progress: float
    """Share of the whole running iteration that is done, 0 to 1."""
    progress_note: str
    pending_approvals: int
    latest_analysis: str
    sharpe_history: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """What a screen needs to know of the workspace as a whole."""

    home: str
    has_data: bool
    universes: tuple[UniverseView, ...]
    pending_approvals: int
    """Refinements and graduations that wait for the person."""
    unfinished_iterations: int
    paused_iterations: int = field(default=0, kw_only=True)
    """How many of the unfinished ones wait for budget."""
    notices: tuple[str, ...] = field(default=())
    """Things to tell the person once, such as an iteration that was interrupted and goes on."""
