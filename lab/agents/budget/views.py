"""What the screens and commands read of money and calls: plain snapshots, free of database imports. Money is in micro-dollars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

BEFORE = "agents to be"
"""The agent of calls made before there is one, in usage summed up by agent."""
OUTSIDE = "outside iterations"


class By(StrEnum):
    """What usage is summed up by."""

    AGENT = "agent"
    PURPOSE = "purpose"
    MODEL = "model"
    DAY = "day"
    ITERATION = "iteration"


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The calls that have one thing in common, summed up."""

    key: str
    """The agent's name or `BEFORE`, the purpose, the model, the day as ISO text, or "<agent> #<number>" or `OUTSIDE`."""
    calls: int
    """Attempts of every outcome."""
    answered: int
    failed: int
    in_doubt: int
    input_tokens: int
    """Neither written to nor read from the cache."""
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost_micros: int
    """Of settled calls, and of those in doubt at their full reservation."""
    in_doubt_micros: int
    """Of `cost_micros` what is not known to have been billed."""
    reserved_micros: int
    """Of calls under way."""

    @property
    def cache_hit_rate(self) -> float | None:
        """The share of prompt tokens that came from the cache; None without any."""
        prompt = self.input_tokens + self.cache_write_tokens + self.cache_read_tokens
        return self.cache_read_tokens / prompt if prompt else None


@dataclass(frozen=True, slots=True)
class CallRow:
    id: int
    agent_id: int
    agent: str
    """Its name; "agent 7 (deleted)" for one that is gone."""
    iteration_id: int
    iteration_number: int | None
    purpose: str
    """"personality", "strategy", "news", "analysis", "refinement"."""
    attempt: int
    model: str
    state: str
    """"reserved", "settled", "released" (refused, cost nothing) or "in doubt"."""
    reserved_micros: int
    charged_micros: int
    """What it counts against the budget."""
    input_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int
    latency_ms: int
    stop_reason: str
    error: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CallView:
    """One call with what was sent and what came back, exactly as it was."""

    row: CallRow
    prompt: str
    """The request's body, as indented JSON."""
    prompt_text: str
    """What the model read, as text: system, then the conversation. In blind mode with the aliases it saw."""
    reply: str
    """The reply as indented JSON; empty where there was none."""
    reply_text: str
    prompt_version: str
    prices_of: str
    """The date of the prices it was reckoned with."""


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The budget of an agent, or of the whole lab (agent 0), on the New York day that is now."""

    agent_id: int
    name: str
    daily_micros: int
    own: bool
    """Whether a person set it; else it is the settings' default."""
    spent_micros: int
    """What of it is settled or in doubt."""
    reserved_micros: int
    """What calls under way have set aside."""
    day: date
    next_day_at: datetime

    @property
    def left_micros(self) -> int:
        return max(0, self.daily_micros - self.spent_micros - self.reserved_micros)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the next iteration of an agent may cost."""

    low_micros: int
    high_micros: int
    past_iterations: int
    """How many it was calibrated on; with 0 the range is that of the stated token budget."""
    coverage: float
    """How often such a range held the next cost, if costs keep coming from the same source."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A model's price that holds today, in dollars per million tokens."""

    model: str
    since: date
    input: float
    output: float
    cache_write: float
    cache_write_hour: float
    cache_read: float
    long_above: int | None
    """A prompt of more tokens costs more throughout; None where that is not so."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """A reply that is coming in."""

    call_id: int
    iteration_id: int
    purpose: str
    text: str
    """As far as it has come, in the person's terms; may be empty."""
