"""The built-in strategist's refinements: tested together, chosen on one part of the sessions, reported on the other.

What is chosen looks better than it is. So a change must gain clearly in the paired test on the selection part; of those
that do, the one with the best Sharpe ratio there has to hold up on the confirmation part, which no idea was drawn from.
At most MOST_CONFIRMED are looked at there: each look at unseen sessions uses a little of them up.
"""

from __future__ import annotations

from lab.agents.builtin.filters import MIN_KEPT
from lab.agents.builtin.ideas import Idea, ideas
from lab.agents.builtin.patterns import pattern_of
from lab.agents.builtin.setting import Horizon, horizon_of
from lab.agents.builtin.wishes import beyond_scripts
from lab.agents.strategist import Comparison, NoRefinement, ProposalRequest, RefinementDraft, TestBench, VariantResult, Verdict

MIN_SELECTION_SCORE = 1.0
"""Standard errors by which a change must gain on the selection part to be worth a person's time."""
MOST_CONFIRMED = 3
MIN_SESSIONS = 10
"""Sessions to confirm a change on, below which none but what the person asks for is tested at all."""


async def refine(request: ProposalRequest, bench: TestBench) -> RefinementDraft | NoRefinement:
    """The best change found, or why there is none."""
    unseen = request.current.confirmation.sessions
    found = ideas(request)
    if unseen < MIN_SESSIONS and not any(idea.wished for idea in found):
        return NoRefinement(
            f"Of {request.current.whole.sessions} sessions {unseen} are left to confirm a change on; with fewer than {MIN_SESSIONS}"
            f" nothing can be confirmed, so I propose nothing. Give me more history. {_misunderstood(request)}".strip()
        )
    if not found:
        return NoRefinement(_nothing_left(request))
    results = await bench.test([idea.variant for idea in found])
    tested = [(idea, result) for idea, result in zip(found, results, strict=True) if not result.error and result.results]
    if not tested:
        return NoRefinement(f"None of the {len(found)} changes I tried could be run: {results[0].error}")
    asked = [(idea, result) for idea, result in tested if idea.wished]
    if asked:
        idea, result = max(asked, key=lambda pair: (len(pair[0].wished), _score(pair[1].selection)))
        return _draft(request, idea, result, _asked_for(request, idea, result))
    if request.selection_evidence.trades < MIN_KEPT:
        return _more_trades(request, tested)
    return _own_choice(request, tested)


def _own_choice(request: ProposalRequest, tested: list[tuple[Idea, VariantResult]]) -> RefinementDraft | NoRefinement:
    ranked = sorted((pair for pair in tested if _worth_it(request, pair[1])), key=lambda pair: -_sharpe(pair[1]))
    if not ranked:
        best = max(tested, key=lambda pair: _score(pair[1].selection))[0].variant.title
        return NoRefinement(
            f"I tested {_count(len(tested))} and none gained clearly on the sessions I choose on; the nearest was “{best}”."
            f" I would rather leave version {request.subject.version} as it is than fit it to noise. {_misunderstood(request)}".strip()
        )
    failed: list[str] = []
    for idea, result in ranked[:MOST_CONFIRMED]:
        if result.confirmation and result.confirmation.mean_difference > 0 and result.confirmation.verdict is not Verdict.WORSE:
            return _draft(request, idea, result, _found(request, idea, result, len(tested), failed))
        failed.append(idea.variant.title)
    return NoRefinement(
        f"I tested {_count(len(tested))}. What gained on the sessions I choose on ({_listed(failed)}) lost again on those I had"
        f" not looked at: that was luck, so I propose nothing. {_misunderstood(request)}".strip()
    )


def _more_trades(request: ProposalRequest, tested: list[tuple[Idea, VariantResult]]) -> RefinementDraft | NoRefinement:
    now = request.current.whole.trades
    more = [(i, r) for i, r in tested if r.results and r.results.whole.trades > now]
    if not more:
        return NoRefinement(
            f"Version {request.subject.version} made {now} trades and none of the {_count(len(tested))} I tried made more."
            " Tell me in words what to look for instead, or give me more history."
        )
    idea, result = max(more, key=lambda pair: min(pair[1].results.whole.trades if pair[1].results else 0, 500))
    trades = result.results.whole.trades if result.results else 0
    text = (
        f"With {now} trades there is nothing to learn from. “{idea.variant.title}” makes {trades} on the same sessions."
        " This is no claim that it earns more, only that the next iteration will have something to measure."
    )
    return _draft(request, idea, result, text)


def _worth_it(request: ProposalRequest, result: VariantResult) -> bool:
    part = result.results.selection if result.results else None
    enough = part is not None and part.trades >= max(MIN_KEPT, 0.15 * request.current.selection.trades)
    gained = _sharpe(result) > (request.current.selection.sharpe or 0.0)
    return enough and gained and _score(result.selection) >= MIN_SELECTION_SCORE


def _sharpe(result: VariantResult) -> float:
    """On the selection part; 0 where there is none."""
    return (result.results.selection.sharpe if result.results else None) or 0.0


def _score(comparison: Comparison | None) -> float:
    """The mean daily difference in standard errors, read from its 95 % interval; 0 where nothing differs."""
    if comparison is None or comparison.low is None or comparison.high is None or comparison.high <= comparison.low:
        return 0.0
    return comparison.mean_difference / ((comparison.high - comparison.low) / (2 * 1.96))


def _draft(request: ProposalRequest, idea: Idea, result: VariantResult, rationale: str) -> RefinementDraft:
    return RefinementDraft(
        title=idea.variant.title,
        rationale=rationale,
        scan_script=idea.variant.scan_script,
        execution_script=idea.variant.execution_script,
        evidence_ids=idea.evidence_ids,
        result=result,
    )


def _found(request: ProposalRequest, idea: Idea, result: VariantResult, tested: int, failed: list[str]) -> str:
    pattern = pattern_of(request.subject.scan_script)
    parts = [
        f"I would change one thing about my {pattern}: {idea.variant.title}. {idea.variant.why}",
        f"Of {_count(tested)} it did best on the sessions I choose on.",
    ]
    if failed:
        parts[-1] = (
            f"Of {_count(tested)}, {_listed(failed)} did better on the sessions I choose on but failed on the others; this one held up."
        )
    return " ".join([*parts, _confirmed(request, result), _misunderstood(request)]).strip()


def _asked_for(request: ProposalRequest, idea: Idea, result: VariantResult) -> str:
    asked = f"You asked for it (“{', '.join(idea.wished)}”), so here it is: {idea.variant.title}."
    return f"{asked} {_confirmed(request, result)} {_beside(request)}".strip()


def _beside(request: ProposalRequest) -> str:
    """What the person's guidance holds that no script can."""
    return beyond_scripts(request.subject.guidance, intraday=horizon_of(request.subject.timeframe) is not Horizon.DAYS)


def _confirmed(request: ProposalRequest, result: VariantResult) -> str:
    """The measured effect on the sessions it was not chosen on, in words: what it made beyond the present version."""
    test, results = result.confirmation, result.results
    if test is None or results is None or test.low is None or test.high is None:
        return "On the sessions it was not chosen on there is too little to measure."
    low, high = test.low * 1e4, test.high * 1e4
    side = "more" if test.mean_difference > 0 else "less"
    basis = f"{abs(test.mean_difference) * 1e4:.1f} basis points a day {side} than {request.subject.version}"
    made = (
        f"it made {basis} (between {low:+.1f} and {high:+.1f}, {test.sessions} sessions), with {results.confirmation.trades} trades there"
    )
    if test.verdict is Verdict.BETTER:
        return f"On sessions it was not chosen on it is better: {made}."
    if test.verdict is Verdict.WORSE:
        return f"On sessions it was not chosen on it is worse: {made}. I would not do it."
    said = f"On sessions it was not chosen on {made}"
    return f"{said}: that much can be luck." if test.mean_difference > 0 else f"{said}: no evidence that it helps."


def _misunderstood(request: ProposalRequest) -> str:
    guidance = request.subject.guidance.strip()
    if not guidance:
        return ""
    if beside := _beside(request):
        return beside
    return (
        f"Your guidance (“{guidance}”) names nothing I can turn into a change of these scripts that was not discarded"
        " before; try words such as “wider stop”, “only in the morning” or “avoid Fridays”."
    )


def _nothing_left(request: ProposalRequest) -> str:
    return (
        f"I have no change left to try on version {request.subject.version}: what the evidence speaks for was tested and failed,"
        f" or you discarded it. Give me a hint in words, another version to start from, or more history. {_misunderstood(request)}"
    ).strip()


def _count(n: int) -> str:
    return "one change" if n == 1 else f"{n} changes"


def _listed(titles: list[str]) -> str:
    quoted = [f"“{t}”" for t in titles]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]
