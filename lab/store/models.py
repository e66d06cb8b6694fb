"""The tables of a workspace, one class a table.

The four tables `trading_agents`, `agent_knowledge`, `agent_iterations` and `agent_strategies` carry the names and
columns they were planned with; what the learning loop needs beyond them stands after those columns.
Every `*_at` is an aware UTC datetime. Ids of universes, agents, versions and iterations are never given twice, even after a
deletion: the trial ledger and the files of results name them without a reference that the database would watch.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, DateTime, Index, Text, UniqueConstraint, false, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime can't be stored: give it a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def utc_now() -> datetime:
    return datetime.now(UTC)


class AgentStatus(StrEnum):
    """What an agent may do; a person alone decides on the way from one to the other, and back."""

    LEARNING = "learning"
    PAPER_TRADING = "paper_trading"


class IterationStatus(StrEnum):
    """Where an iteration stands. The six between QUEUED and AWAITING_APPROVAL are the steps of the loop."""

    QUEUED = "queued"
    GENERATE = "generate"
    SCAN = "scan"
    ENRICH = "enrich"
    BACKTEST = "backtest"
    ANALYSE = "analyse"
    PROPOSE = "propose"
    AWAITING_APPROVAL = "awaiting approval"
    APPLIED = "applied"
    EDITED = "edited"
    DISCARDED = "discarded"
    NO_PROPOSAL = "no proposal"
    FAILED = "failed"
    CANCELLED = "cancelled"


STEPS: tuple[IterationStatus, ...] = (
    IterationStatus.GENERATE,
    IterationStatus.SCAN,
    IterationStatus.ENRICH,
    IterationStatus.BACKTEST,
    IterationStatus.ANALYSE,
    IterationStatus.PROPOSE,
)
UNFINISHED: tuple[IterationStatus, ...] = (IterationStatus.QUEUED, *STEPS)


class ProposalState(StrEnum):
    PENDING = "pending"
    APPLIED = "applied"
    EDITED = "edited"
    DISCARDED = "discarded"


class TrialOutcome(StrEnum):
    COMPLETED = "completed"
    CRASHED = "crashed"


class KnowledgeStatus(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"


class CallState(StrEnum):
    """What became of the money of a call to a model."""

    RESERVED = "reserved"
    SETTLED = "settled"
    RELEASED = "released"
    """The server refused the call: it cost nothing."""
    IN_DOUBT = "in doubt"
    """Whether it was billed is not known, so its whole reservation counts as spent."""


NO_ITERATION = 0
"""In place of an iteration's id, of a call made before there is an agent: real ids begin at 1."""


class Universe(SQLModel, table=True):
    """A named list of tickers on one timeframe that agents trade, with its learning span and vault."""

    __tablename__ = "universes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    tickers: list[str] = Field(sa_column=Column(JSON, nullable=False))
    timeframe: str
    """"1m", "5m", "1h", "1d"…"""
    source: str
    """Where the bars came from: "demo", "import"."""
    synthetic: bool = False
    market_ticker: str | None = None
    """The ticker that stands for the market (SPY), or None where it is not cached."""
    vix_ticker: str | None = None
    first_session: date
    learning_until: date
    """Last session of the learning span; what comes after it is the vault."""
    last_session: date
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    folds: int = Field(default=5, sa_column_kwargs={"server_default": text("5")})
    """Into how many walk-forward folds the learning span is cut."""
    rule: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What its tickers were chosen by: `lab.agents.universes.UniverseRule` as JSON; None where a person named them."""
    as_of: date | None = None
    """The rule saw only sessions before this one."""
    context_gaps: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What context is not there (`lab.agents.gaps.Gap`), as it was when bars or news last changed; None where nobody has looked yet."""
    has_news: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    """Whether news of its tickers covers a part of its learning span."""
    costs: dict[str, float | None] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What trading it costs, where that differs from the defaults of `lab.backtest.Costs`, by their names; None for those."""


class TradingAgent(SQLModel, table=True):
    __tablename__ = "trading_agents"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    instructions: str = Field(sa_column=Column(Text, nullable=False))
    system_prompt: str = Field(sa_column=Column(Text, nullable=False))
    risk_tolerance: str
    trading_style: str
    pattern_focus: list[str] = Field(sa_column=Column(JSON, nullable=False))
    market_conditions: list[str] = Field(sa_column=Column(JSON, nullable=False))
    risk_config: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    status: str = AgentStatus.LEARNING
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    universe_id: int = Field(foreign_key="universes.id")
    strategist: str = "auto"
    """"auto", "built-in" or "claude"."""
    learning: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, server_default=text("'{}'")))
    """Continuous learning: `lab.agents.continuous.Rule` as JSON; empty where the agent learns only when told."""
    graduation_rules: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, server_default=text("'{}'"), nullable=False))
    """The bars this agent has to clear that the person set for it; what is not named has its default."""


class AgentKnowledge(SQLModel, table=True):
    __tablename__ = "agent_knowledge"

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int = Field(foreign_key="trading_agents.id", ondelete="CASCADE", index=True)
    knowledge_type: str
    pattern_type: str
    insight: str = Field(sa_column=Column(Text, nullable=False))
    supporting_data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    confidence: float
    learned_from_iteration: int | None = Field(default=None, foreign_key="agent_iterations.id", ondelete="SET NULL")
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    status: str = KnowledgeStatus.ACTIVE
    retired_reason: str = ""
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class AgentStrategy(SQLModel, table=True):
    """A strategy version. `parent_version` makes the tree; exactly one version of an agent is current."""

    __tablename__ = "agent_strategies"
    __table_args__ = (
        UniqueConstraint("agent_id", "version"),
        Index(
            "one_current_version",
            "agent_id",
            unique=True,
            sqlite_where=text("is_current_version"),
            postgresql_where=text("is_current_version"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int = Field(foreign_key="trading_agents.id", ondelete="CASCADE", index=True)
    version: str
    scan_script: str = Field(sa_column=Column(Text, nullable=False))
    execution_script: str = Field(sa_column=Column(Text, nullable=False))
    backtest_sharpe: float | None = None
    backtest_win_rate: float | None = None
    is_current_version: bool = False
    parent_version: str | None = None
    changes_from_parent: str = Field(default="", sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    script_hash: str = ""


class AgentIteration(SQLModel, table=True):
    __tablename__ = "agent_iterations"
    __table_args__ = (
        UniqueConstraint("agent_id", "iteration_number"),
        *(
            Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))
            for name, columns, condition in (
                ("iterations_signalled", ("agent_id", "id", "sharpe_ratio"), "signals_found IS NOT NULL"),
                ("iterations_measured", ("agent_id", "strategy_id", "id"), "backtest_results IS NOT NULL"),
            )
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int = Field(foreign_key="trading_agents.id", ondelete="CASCADE", index=True)
    iteration_number: int
    scan_script: str = Field(default="", sa_column=Column(Text, nullable=False))
    execution_script: str = Field(default="", sa_column=Column(Text, nullable=False))
    version_notes: str = Field(default="", sa_column=Column(Text, nullable=False))
    signals_found: int | None = None
    backtest_results: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    win_rate: float | None = None
    sharpe_ratio: float | None = None
    expert_analysis: str = Field(default="", sa_column=Column(Text, nullable=False))
    refinements_suggested: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    iteration_status: str = Field(default=IterationStatus.QUEUED, index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    strategy_id: int | None = Field(default=None, foreign_key="agent_strategies.id", ondelete="SET NULL")
    universe_id: int = Field(foreign_key="universes.id")
    guidance: str = Field(default="", sa_column=Column(Text, nullable=False))
    progress: float = 0.0
    """Share of the current step that is done, 0 to 1."""
    progress_note: str = ""
    failure: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Why the iteration failed, in a sentence a person understands; empty otherwise."""
    script_hash: str = ""
    data_fingerprint: str = ""
    engine_version: str = ""
    seed: int = 0
    lease_owner: str | None = None
    lease_expires_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    strategist: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=text("''")))
    """Which strategist runs it, in a sentence; empty before its first step."""
    paused_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    """Before this moment no worker takes it: the day's budget is spent."""
    pause_reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=text("''")))


class IterationStep(SQLModel, table=True):
    """The stored output of a finished step: what a restart goes on from, never computed or paid for twice."""

    __tablename__ = "iteration_steps"
    __table_args__ = (UniqueConstraint("iteration_id", "step"),)

    id: int | None = Field(default=None, primary_key=True)
    iteration_id: int = Field(foreign_key="agent_iterations.id", ondelete="CASCADE", index=True)
    step: str
    output: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    seconds: float
    finished_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class Proposal(SQLModel, table=True):
    """A refinement that waits for, or has had, a person's decision."""

    __tablename__ = "proposals"

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int = Field(foreign_key="trading_agents.id", ondelete="CASCADE", index=True)
    iteration_id: int = Field(foreign_key="agent_iterations.id", ondelete="CASCADE", unique=True)
    parent_strategy_id: int = Field(foreign_key="agent_strategies.id", ondelete="CASCADE")
    title: str
    rationale: str = Field(sa_column=Column(Text, nullable=False))
    scan_script: str = Field(sa_column=Column(Text, nullable=False))
    execution_script: str = Field(sa_column=Column(Text, nullable=False))
    changes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """The semantic diff, a sentence a change."""
    effect: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    """The measured effect: `lab.agents.views.MeasuredEffect` as JSON."""
    state: str = Field(default=ProposalState.PENDING, index=True)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    resulting_strategy_id: int | None = Field(default=None, foreign_key="agent_strategies.id", ondelete="SET NULL")
    decided_by: str = Field(default="person", sa_column=Column(Text, nullable=False, server_default=text("'person'")))
    """"person", or "rule" for a decision by the agent's rule of continuous learning."""


class DecisionUndone(SQLModel, table=True):
    """A decision on a proposal that the person took back: the proposal itself shows only what became of it in the end."""

    __tablename__ = "decisions_undone"

    id: int | None = Field(default=None, primary_key=True)
    proposal_id: int = Field(foreign_key="proposals.id", ondelete="CASCADE", index=True)
    state: str
    """The `ProposalState` it had."""
    reason: str = Field(sa_column=Column(Text, nullable=False))
    decided_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    undone_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class Trial(SQLModel, table=True):
    """One variant tested on one data set: the ledger that says how many tries a result is the best of.

    Only ever added to. It holds no foreign key, so it outlives the agent that made the trial.
    """

    __tablename__ = "trials"
    __table_args__ = (UniqueConstraint("iteration_id", "script_hash", "data_fingerprint"),)

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int
    iteration_id: int
    universe_id: int
    script_hash: str
    data_fingerprint: str = Field(index=True)
    purpose: str
    """"iteration" for the version itself, "refinement" for a variant tried in the propose step; with 0 for the iteration "person" for
    scripts that a person ran by hand, "sweep" for a point of a sweep, "exits" for an exit plan, and 0 for the agent where there is none."""
    outcome: str = TrialOutcome.COMPLETED
    trades: int = 0
    sharpe_daily: float | None = None
    """Sharpe ratio per day, not annualised."""
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class ModelCall(SQLModel, table=True):
    """One attempt to call a model: its money, what was sent, what came back.

    It holds no foreign key: what was spent stays spent when the agent is deleted.
    """

    __tablename__ = "model_calls"
    __table_args__ = (
        Index("ix_model_calls_spent", "day", "agent_id", "charged_micros"),
        Index("ix_model_calls_iteration", "iteration_id", "request_hash"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int
    iteration_id: int
    day: date = Field(sa_column=Column(Date, nullable=False))
    """The New York day whose budget it counts against."""
    purpose: str
    """"strategy", "analysis", "refinement", "news"."""
    attempt: int
    """Counts from 1 within its purpose and iteration."""
    model: str
    state: str = CallState.RESERVED
    reserved_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    charged_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    """What it counts against the budget: the reservation until it is settled, then its cost."""
    input_tokens: int = 0
    """Neither written to nor read from the cache."""
    cache_write_tokens: int = 0
    cache_write_hour_tokens: int = 0
    """Of `cache_write_tokens` those kept for an hour."""
    cache_read_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    stop_reason: str = ""
    error: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Why it gave nothing, in a sentence; empty otherwise."""
    prompt_version: str
    """Name and version of the prompt file."""
    prices_of: str
    """The date of the prices it was reckoned with."""
    request_hash: str
    prompt: str = Field(sa_column=Column(Text, nullable=False))
    """The request's body, exactly as sent: JSON."""
    reply: str = Field(default="", sa_column=Column(Text, nullable=False))
    """The reply as received: JSON; what came of one that was cut off."""
    partial: str = Field(default="", sa_column=Column(Text, nullable=False))
    """The text so far, while it streams in."""
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    settled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Budget(SQLModel, table=True):
    """What an agent, or the whole lab (agent 0), may spend in a New York day. Without a row the settings' default holds."""

    __tablename__ = "budgets"

    agent_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    daily_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class Preference(SQLModel, table=True):
    """A remembered choice of the person: the theme, which hints were seen."""

    __tablename__ = "preferences"

    key: str = Field(primary_key=True)
    value: str


class CompanyName(SQLModel, table=True):
    """What the company behind a ticker is called, as a vendor lists it."""

    __tablename__ = "company_names"

    ticker: str = Field(primary_key=True)
    name: str


class NewsEvent(SQLModel, table=True):
    """An article, once, however many sources or tickers it came with. Its text is as it was given: foreign."""

    __tablename__ = "news_events"
    __table_args__ = (UniqueConstraint("source", "source_id"), Index("news_by_title", "title_key", "published_at"))

    id: int | None = Field(default=None, primary_key=True)
    source: str
    source_id: str
    published_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    title_key: str
    """The title's letters and digits alone, by which the same story is known when another source brings it."""
    publisher: str = ""
    url: str = Field(default="", sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class NewsMention(SQLModel, table=True):
    """A ticker that an article is about, known from `published_at` on."""

    __tablename__ = "news_mentions"
    __table_args__ = (UniqueConstraint("event_id", "ticker"), Index("news_by_ticker", "ticker", "published_at"))

    id: int | None = Field(default=None, primary_key=True)
    event_id: int = Field(foreign_key="news_events.id", ondelete="CASCADE")
    ticker: str
    published_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    sentiment: int | None = None
    """The vendor's: 1, 0 or -1; None where it gave none."""
    read_kind: str | None = None
    """What a model read in it, of `lab.agents.strategist.NewsKind`; None where none has read it. So are the next three."""
    read_sentiment: int | None = None
    """1, 0 or -1."""
    read_relevance: str | None = None
    """Of `lab.agents.strategist.Relevance`."""
    read_by: str | None = None
    """The model."""
    read_in: int | None = None
    """The iteration that gave it to the model."""


class NewsSpan(SQLModel, table=True):
    """A span over which all of a source's news of a ticker is kept: only there does "no article" mean that there was none."""

    __tablename__ = "news_coverage"

    id: int | None = Field(default=None, primary_key=True)
    source: str
    ticker: str = Field(index=True)
    since: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class PriceLevel(SQLModel, table=True):
    """A support or resistance level of a ticker as it stood before a session opened."""

    __tablename__ = "support_resistance_levels"
    __table_args__ = (UniqueConstraint("synthetic", "ticker", "timeframe", "session", "price"),)

    id: int | None = Field(default=None, primary_key=True)
    synthetic: bool
    ticker: str
    timeframe: str
    session: date
    known_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    """The close of the session before, from when on nothing about it changes until the next close."""
    side: str
    """ "support" at or below the close of the session before, else "resistance"."""
    price: float
    touches: int
    age_sessions: int
    """Sessions since its first touch was confirmed."""
    strength: float


class MarketRegime(SQLModel, table=True):
    """The market around a universe after a session's close."""

    __tablename__ = "market_regimes"
    __table_args__ = (UniqueConstraint("universe_id", "session"),)

    id: int | None = Field(default=None, primary_key=True)
    universe_id: int = Field(foreign_key="universes.id", ondelete="CASCADE")
    session: date
    known_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    """The session's close."""
    trend: int | None = None
    volatility: int | None = None
    change_percent: float | None = None
    vix: float | None = None
    vix_change_percent: float | None = None
    breadth_percent: float | None = None
