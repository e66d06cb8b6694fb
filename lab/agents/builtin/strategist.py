"""The built-in strategist: a library of patterns, refined by evidence. It knows no more than its rules, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lab.agents.builtin import analysis, generate, refine
from lab.agents.strategist import (
    Analysis,
    AnalysisRequest,
    Brief,
    NewsLine,
    NewsReading,
    NoRefinement,
    ProposalRequest,
    RefinementDraft,
    StrategyDraft,
    TestBench,
)


class BuiltInStrategist:
    """Implements `lab.agents.strategist.Strategist` by rules: no network, no model, the same answer to the same question."""

    async def generate(self, brief: Brief) -> StrategyDraft:
        """The library pattern that suits the brief best, written for its temper and timeframe."""
        return generate.draft(brief)

    async def read_news(self, lines: Sequence[NewsLine]) -> tuple[NewsReading, ...]:
        """Nothing: it knows the vendor's sentiment of an article and reads no text."""
        return ()

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        """What the evidence says, and the insights worth remembering."""
        return await asyncio.to_thread(analysis.analyse, request)

    async def propose(self, request: ProposalRequest, bench: TestBench) -> RefinementDraft | NoRefinement:
        """The best of a few tested changes, or why there is none."""
        return await refine.refine(request, bench)
