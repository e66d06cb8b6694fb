"""The strategist protocol: what an agent's mind is asked and what it may answer.

The built-in strategist implements it without any network; a strategist that asks a language model implements the same.
A strategist changes nothing: it reads what it is given and returns drafts. The loop compiles, measures and stores them.
Ratios are fractions (win rate 0.54), differences of daily returns are fractions of equity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from lab.agents.evidence import EvidencePack
from lab.agents.views import Personality
from lab.market.news import Sentiment

JsonValue: TypeAlias = Any


class KnowledgeType(StrEnum):
    """What an insight is about."""

    PATTERN_RULE = "pattern rule"
    PARAMETER_PREFERENCE = "parameter preference"
    MARKET_RULE = "market rule"
    FAILURE = "failure"
    GUIDANCE = "person's guidance"


class Verdict(StrEnum):
    """The outcome of a paired test on the same days."""

    BETTER = "better"
    NO_EVIDENCE = "no evidence"
    WORSE = "worse"


class NewsKind(StrEnum):
    """What an article reports."""

    EARNINGS = "earnings"
    OUTLOOK = "outlook"
    RATING = "rating"
    DEAL = "deal"
    LEGAL = "legal"
    PRODUCT = "product"
    PEOPLE = "people"
    MARKET = "market"
    OTHER = "other"


class Relevance(StrEnum):
    """How far an article is about a ticker it names."""

    HIGH = "high"
    LOW = "low"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NewsLine:
    """A headline to be read for one ticker. Its text is foreign."""

    id: int
    ticker: str
    title: str


@dataclass(frozen=True, slots=True)
class NewsReading:
    """What was read in a headline: choices from lists, no text."""

    id: int
    """The line's."""
    kind: NewsKind
    sentiment: Sentiment
    relevance: Relevance
    read_by: str
    """The model."""


@dataclass(frozen=True, slots=True)
class NewsBefore:
    """What was read in the newest article before a signal."""

    ticker: str
    signal_at: datetime
    kind: str
    """Of `NewsKind`, or "none" where there was no news."""
    tone: str
    """Of `Sentiment`, or "none"."""


@dataclass(frozen=True, slots=True)
class Insight:
    """Something the agent knows from earlier iterations, best first where it comes in a sequence."""

    id: int
    knowledge_type: str
    pattern_type: str
    insight: str
    confidence: float
    """0 to 1."""
    supporting_data: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a first strategy is written from."""

    name: str
    instructions: str
    system_prompt: str
    personality: Personality
    risk_config: Mapping[str, float]
    timeframe: str
    """"1m", "5m", "1h", "1d"…"""
    context: frozenset[str]
    """Context namespaces that hold data in this universe, such as "market", "levels", "prev_day"."""
    knowledge: tuple[Insight, ...] = ()
    guidance: str = ""
    """The person's words for this iteration; they outrank the strategist's own ideas."""


@dataclass(frozen=True, slots=True)
class StrategyDraft:
    """A first strategy; nothing of it is trusted before it compiles."""

    scan_script: str
    execution_script: str
    pattern: str
    """The pattern's name, one of `lab.agents.personality.FOCUSES` where one fits."""
    rationale: str
    """Why this strategy for this agent, for the person to read."""
    version_notes: str
    """One line for the list of versions."""


@dataclass(frozen=True, slots=True)
class SpanResult:
    """A backtest's result on some sessions, after costs."""

    sessions: int
    trades: int
    win_rate: float | None
    sharpe: float | None
    """Annualised, flat days included."""
    total_return: float
    max_drawdown: float
    mean_r: float | None
    """Mean result of a trade in multiples of what it risked."""


@dataclass(frozen=True, slots=True)
class SpanResults:
    """One version on the whole learning span, and on the two parts a refinement is chosen and confirmed on."""

    whole: SpanResult
    selection: SpanResult
    confirmation: SpanResult


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired test of daily returns against the parent version on the same sessions."""

    verdict: Verdict
    mean_difference: float
    """Mean of the daily differences, new minus old."""
    low: float | None
    high: float | None
    sessions: int


@dataclass(frozen=True, slots=True)
class ParentComparison:
    """The version under analysis beside the one it was refined from, on the whole learning span."""

    parent_version: str
    changes: tuple[str, ...]
    """The semantic diff, a sentence a change."""
    before: SpanResult
    after: SpanResult
    comparison: Comparison
    """Of a version that was chosen by measurement, on the sessions that it was not chosen on."""
    whole: Comparison | None = None
    """Then also on all sessions, which flatters it; None where nothing was chosen, so that `comparison` is of all."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked about which version, and what is known of it: what an analysis and a refinement both begin from."""

    system_prompt: str
    timeframe: str
    version: str
    scan_script: str
    execution_script: str
    evidence: EvidencePack
    """Of the whole learning span, ids E1, E2…: what the analysis speaks of."""
    knowledge: tuple[Insight, ...] = ()
    guidance: str = ""
    """The person's words for this iteration; they outrank the strategist's own ideas."""


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """What an analysis is written from."""

    subject: Subject
    name: str
    personality: Personality
    iteration_number: int
    parent: ParentComparison | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class InsightDraft:
    """An insight to remember, before it has met the ones already known."""

    knowledge_type: KnowledgeType
    pattern_type: str
    insight: str
    confidence: float
    """0 to 1."""
    evidence_ids: tuple[str, ...]
    supporting_data: Mapping[str, JsonValue]
    """"topic" (what it is about in a stable form, such as "market.trend=-1": drafts with the same topic and pattern speak
    of the same thing), "effect" (its sign tells whether a later draft confirms or contradicts), "n", "low", "high", "p_value"."""


@dataclass(frozen=True, slots=True)
class Analysis:
    text: str
    """In the agent's voice; every figure is followed by the id of its evidence, such as [E3]."""
    insights: tuple[InsightDraft, ...]


@dataclass(frozen=True, slots=True)
class DiscardedProposal:
    """A refinement the person turned down: never proposed again unchanged."""

    title: str
    scan_script: str
    execution_script: str
    reason: str
    by_person: bool = True
    """False where the agent's rule turned it down."""

    @property
    def script_hash(self) -> str:
        """By which the same change is known however it is written; empty where the scripts no longer compile."""
        from lab.script import ScriptError, compile_strategy

        try:
            return compile_strategy(self.scan_script, self.execution_script).script_hash
        except ScriptError:
            return ""


@dataclass(frozen=True, slots=True)
class ProposalRequest:
    """What a refinement is found from."""

    subject: Subject
    selection_evidence: EvidencePack
    """Of the selection part alone, ids S1, S2…: ideas are drawn from here, so that the confirmation part stays unseen."""
    current: SpanResults
    context: frozenset[str]
    discarded: tuple[DiscardedProposal, ...] = ()
    failed: frozenset[str] = frozenset()
    """Script hashes of variants of this version that earlier iterations tested and found not worth proposing."""
    max_variants: int = 8


@dataclass(frozen=True, slots=True)
class Variant:
    """A changed strategy to be tested."""

    scan_script: str
    execution_script: str
    title: str
    """What changes, in a few words."""
    why: str
    """The reason to try it, with evidence ids."""


@dataclass(frozen=True, slots=True)
class VariantResult:
    """What a variant did. With an `error`, the figures are None."""

    variant: Variant
    script_hash: str
    results: SpanResults | None
    selection: Comparison | None
    """Against the version it changes, on the selection part: choose by this."""
    confirmation: Comparison | None
    """Against the version it changes, on sessions it was not chosen on: report this."""
    error: str = ""
    """Why it could not be compiled or run; empty when it ran."""


class TestBench(Protocol):
    """Tests variants on the learning span. Each is a trial in the ledger, for ever."""

    async def test(self, variants: Sequence[Variant]) -> list[VariantResult]:
        """The results, in the order of `variants`."""
        ...


@dataclass(frozen=True, slots=True)
class RefinementDraft:
    """A change worth a person's decision."""

    title: str
    rationale: str
    scan_script: str
    execution_script: str
    evidence_ids: tuple[str, ...]
    result: VariantResult


@dataclass(frozen=True, slots=True)
class NoRefinement:
    """Nothing is proposed, and why."""

    reason: str
    """A sentence or two for the person."""


class Strategist(Protocol):
    """An agent's mind."""

    async def generate(self, brief: Brief) -> StrategyDraft:
        """A first strategy for an agent."""
        ...

    async def read_news(self, lines: Sequence[NewsLine]) -> Sequence[NewsReading]:
        """What headlines report, of as many as it can tell."""
        ...

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        """An explanation of a result, bound to its evidence."""
        ...

    async def propose(self, request: ProposalRequest, bench: TestBench) -> RefinementDraft | NoRefinement:
        """The best change found, tested on `bench`."""
        ...
