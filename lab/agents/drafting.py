"""What an agent would start with, before it is made: the first strategy of its words, and the bars on which its signals are counted.

A count of signals says nothing of their outcome, so it is no trial, and nothing is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.views import Personality

if TYPE_CHECKING:
    from lab.agents.sampling import Sample, SignalCount
    from lab.store.models import Universe

SESSIONS_A_MONTH = 21


@dataclass(frozen=True, slots=True)
class FirstDraft:
    """The built-in strategist's first strategy for an agent that is not made yet."""

    pattern: str
    scan_script: str
    execution_script: str
    sample: Sample


def first_draft(instructions: str, personality: Personality, universe: Universe, bars: Path) -> FirstDraft:
    """Write it. Touches no bars."""
    from lab.agents.builtin import generate
    from lab.agents.personality import risk_config, system_prompt
    from lab.agents.sampling import signal_sample
    from lab.agents.span import known_context
    from lab.agents.strategist import Brief

    brief = Brief(
        name="",
        instructions=instructions,
        system_prompt=system_prompt("", instructions, personality, universe.name),
        personality=personality,
        risk_config=risk_config(personality, instructions),
        timeframe=universe.timeframe,
        context=known_context(universe),
    )
    draft = generate.draft(brief)
    return FirstDraft(draft.pattern, draft.scan_script, draft.execution_script, signal_sample(universe, bars))


def signals_a_month(found: SignalCount) -> int:
    """Over all tickers of the universe, where only some were counted on."""
    if not found.sessions or not found.tickers:
        return 0
    return round(found.signals / found.sessions * SESSIONS_A_MONTH * found.all_tickers / found.tickers)
