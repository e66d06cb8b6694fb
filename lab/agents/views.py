"""What the screens and commands read: plain snapshots of the workspace, free of database and Polars imports.

Ratios are fractions (win rate 0.54, return 0.031), never percentages. `None` means "not measured".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lab.agents.agent_views import (
    AgentRow as AgentRow,
)
from lab.agents.agent_views import (
    Interval as Interval,
)
from lab.agents.agent_views import (
    NamedFigure as NamedFigure,
)
from lab.agents.agent_views import (
    Personality as Personality,
)
from lab.agents.agent_views import (
    ResultSummary as ResultSummary,
)
from lab.agents.agent_views import (
    UniverseView as UniverseView,
)
from lab.agents.agent_views import (
    WorkspaceState as WorkspaceState,
)


@dataclass(frozen=True, slots=True)
class DetectedPersonality:
    """A personality with the words of the instructions each part was read from (empty where it is a default)."""

    personality: Personality
    because: dict[str, tuple[str, ...]]
    """"risk", "style", "focus", "markets" -> the words found."""
    has_trading_content: bool
    not_understood: tuple[str, ...] = ()
    """Words of the instructions that speak of trading but changed nothing."""
    read_by: str = ""
    """Who read it where Claude was to be asked, in a sentence: Claude, and for how much, or the built-in words, and why."""


HUNG_ON_ORDER = "trades hung on the order of prices within a bar"
"""The figure that says how many: where neither the bar nor shorter ones show what came first, the worse is assumed."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean difference of daily return between two versions on the same sessions, as a fraction, with its 95 % interval."""

    daily: float
    interval: Interval | None
    sessions: int


@dataclass(frozen=True, slots=True)
class AgainstParent:
    """A version beside the one it was refined from, on the same sessions; those it was not chosen on, where it was chosen by measurement.

    The verdict of the paired test is the one thing that may draw an arrow or a green figure: not a metric that moved.
    """

    parent_version: str
    verdict: str
    """"better", "no evidence" or "worse"."""
    daily_difference: float
    """Mean difference of daily return, as a fraction; positive where this version made more."""
    daily_difference_interval: Interval | None
    """95 %, paired block bootstrap; None where too little is known for one."""
    sessions: int
    win_rate: tuple[float | None, float | None]
    """Of the parent, and of this version, on all sessions."""
    sharpe: tuple[float | None, float | None]
    chosen_too: PairedDifference | None = None
    """On all sessions, where some of them helped to choose the change; None where none did."""


@dataclass(frozen=True, slots=True)
class MeasuredEffect:
    """What a proposed refinement did against the version it refines: pairs of (that version, changed).

    Unless a name says "whole", the figures are of the sessions the refinement was not chosen on.
    """

    trades: tuple[int, int]
    win_rate: tuple[float | None, float | None]
    sharpe: tuple[float | None, float | None]
    total_return: tuple[float, float]
    max_drawdown: tuple[float, float]
    verdict: str
    """Paired test on the days the change was not chosen on: "better", "no evidence" or "worse"."""
    daily_difference: float
    """Mean difference of daily return on those days."""
    daily_difference_interval: Interval | None
    confirmed_sessions: int
    """Number of unseen sessions: what the figures and the paired test are of."""
    whole_trades: tuple[int, int]
    """On the whole learning span, which the refinement was partly chosen on."""
    whole_sharpe: tuple[float | None, float | None]
    trials: int
    """Variants ever tested on this data set, this one included."""


@dataclass(frozen=True, slots=True)
class StepView:
    step: str
    state: str
    """"done", "running" or "waiting"."""
    seconds: float | None
    note: str


@dataclass(frozen=True, slots=True)
class IterationRow:
    id: int
    agent_id: int
    agent: str
    number: int
    version: str | None
    status: str
    created_at: datetime
    signals: int | None
    trades: int | None
    win_rate: float | None
    win_rate_interval: Interval | None
    sharpe: float | None
    total_return: float | None
    verdict: str
    failure: str
    sharpe_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A refinement with everything needed to decide on it."""

    id: int
    iteration_id: int
    agent_id: int
    agent: str
    iteration_number: int
    parent_version: str
    title: str
    rationale: str
    changes: tuple[str, ...]
    effect: MeasuredEffect
    """Of the proposal as it was made, where it was applied with the person's edits too."""
    old_scan: str
    old_execution: str
    new_scan: str
    """What is proposed, or was applied: `changes` and both scripts are with the person's edits."""
    new_execution: str
    state: str
    reason: str
    created_at: datetime
    decided_at: datetime | None
    resulting_version: str | None
    synthetic: bool
    universe: str
    decided_by: str = "person"
    """"person", or "rule" where the agent's rule of learning by itself decided: that can be undone."""


@dataclass(frozen=True, slots=True)
class TradeRow:
    ticker: str
    direction: str
    entry_at: datetime
    exit_at: datetime
    entry_price: float
    exit_price: float
    shares: float
    pnl: float
    """Dollars, after costs."""
    r_multiple: float
    bars_held: int
    exit_reason: str


@dataclass(frozen=True, slots=True)
class FillRow:
    """A fill of a trade: its entry, or one of its exits."""

    trade: int
    """Its place among the iteration's trades, counted from 1."""
    ticker: str
    direction: str
    at: datetime
    """Start of the bar in which it filled."""
    price: float
    shares: float
    costs: float
    """Dollars; of an exit with its part of the fee for borrowing."""
    reason: str
    """"entry", else why it left."""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A piece of evidence as a person looks it up."""

    id: str
    label: str
    """Such as "win rate" or "hour of day at signal 10:00 to 11:00"."""
    figure: str
    """Such as "51.0% (48% to 54%)" or "+0.12R over 488 trades, 55% won"."""


@dataclass(frozen=True, slots=True)
class IterationView:
    """The iteration screen."""

    row: IterationRow
    steps: tuple[StepView, ...]
    progress: float
    progress_note: str
    scan_script: str
    execution_script: str
    version_notes: str
    guidance: str
    analysis: str
    result: ResultSummary | None
    against_parent: AgainstParent | None
    """None for a first version, or where its parent was never measured on these bars."""
    proposal: ProposalView | None
    universe: UniverseView
    evidence: tuple[EvidenceRow, ...]
    """What the analysis may cite, in the order of ids; empty before the analysis."""
    explanation: str
    """For an end without a proposal: why; for a failure: the reason; on pause for want of budget: until when."""
    strategist: str = ""
    """Which strategist runs it and why, in a sentence; empty before its first step."""
    paused_until: datetime | None = None
    """Before this moment no worker goes on with it; None where it is not on pause."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    id: int
    version: str
    parent_version: str | None
    is_current: bool
    sharpe: float | None
    win_rate: float | None
    changes: str
    created_at: datetime
    scan_script: str
    execution_script: str


@dataclass(frozen=True, slots=True)
class ConfidencePoint:
    """What an insight's confidence came to."""

    iteration: int | None
    """The number of the iteration whose data moved it, the first of them that it was learned in; None where that is gone."""
    confidence: float


@dataclass(frozen=True, slots=True)
class KnowledgeRow:
    id: int
    """Below zero for a proposal that was turned down, of which nothing is measured."""
    knowledge_type: str
    pattern_type: str
    insight: str
    confidence: float
    status: str
    retired_reason: str
    learned_from_iteration: int | None
    """The number of the iteration, as a person counts it."""
    created_at: datetime
    history: tuple[ConfidencePoint, ...] = ()
    """Oldest first; empty for what is not weighed, as a person's guidance."""
    evidence: tuple[str, ...] = ()
    """Ids in the evidence of the iteration it was learned from."""
    observations: int | None = None
    """Trades, or sessions of a paired test, that it was learned from."""
    effect: float | None = None
    """Against the other trades where `mean_r` is given, else as it stands."""
    mean_r: float | None = None
    interval: Interval | None = None
    """95 %: of `mean_r` where that is given, else of `effect`."""
    unit: str = "R"
    """Of effect and interval: "R" a trade, or "fraction" of equity a day."""
    confirmed: int = 0
    """By so many later iterations on other bars."""
    contradicted: int = 0


@dataclass(frozen=True, slots=True)
class AgentView:
    """The agent screen."""

    row: AgentRow
    system_prompt: str
    risk_config: dict[str, float]
    strategist: str
    created_at: datetime
    universe: UniverseView
    iterations: tuple[IterationRow, ...]
    """Newest first."""
    versions: tuple[VersionRow, ...]
    """In order of creation."""
    knowledge: tuple[KnowledgeRow, ...]


@dataclass(frozen=True, slots=True)
class VersionComparison:
    a: VersionRow
    b: VersionRow
    changes: tuple[str, ...]
    """The semantic diff from a to b, a sentence a change."""
    result_a: ResultSummary | None
    result_b: ResultSummary | None
    paired: AgainstParent | None = None
    """b against a on the same sessions; None where they were not both measured on the same bars."""


@dataclass(frozen=True, slots=True)
class ScriptProblem:
    """An error in a script, where it stands and what would be right. Line and column count from 1."""

    script: str
    """"scan" or "execution"."""
    line: int
    column: int
    message: str
    suggestion: str


@dataclass(frozen=True, slots=True)
class CoverageRow:
    ticker: str
    timeframe: str
    source: str
    rows: int
    first_at: datetime
    last_at: datetime
    problems: tuple[str, ...]
    synthetic: bool = False
    damaged_years: tuple[int, ...] = ()
    """Years whose file was found damaged: their bars are missing."""


@dataclass(frozen=True, slots=True)
class FileGuess:
    """Something read into a file."""

    what: str
    """Such as "Time zone"."""
    sentence: str
    confidence: float
    """From 0 to 1; 1 for what the file says or the person chose."""
    sure: bool
    """High enough to be relied on without a look."""


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do, shown for correction before anything is written."""

    path: str
    columns: dict[str, str]
    """Our name ("timestamp", "open"…, "ticker") -> the file's column."""
    file_columns: tuple[str, ...]
    time_zone: str
    time_zone_reason: str
    timeframe: str
    tickers: tuple[str, ...]
    rows: int
    sample: tuple[tuple[str, ...], ...]
    """First rows as text, in the order of `file_columns`."""
    assumptions: tuple[str, ...] = ()
    """What is taken for granted about the bars, a sentence each."""
    guesses: tuple[FileGuess, ...] = ()
    """The same with how sure each is."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    rows: int
    tickers: tuple[str, ...]
    timeframe: str
    universe: str
    """The universe made of the tickers; empty where they are market context alone."""
    problems: tuple[str, ...]
    """A sentence a problem with what was done about it."""
    assumptions: tuple[str, ...] = ()
    """What is taken for granted about the bars, a sentence each."""
