"""What the built-in strategist remembers of a result, as drafts bound to their evidence.

An insight's first confidence is the chance that it is more than noise. A p-value is no such chance: at even odds before, one of p
leaves noise at least a share B / (1 + B) with B = -e p ln p below 1/e, and a half above (Sellke, Bayarri and Berger 2001, "Calibration
of p Values for Testing Precise Null Hypotheses"): a corrected p of 0.05 leaves 29 %, one of 0.085 leaves 36 %. How far the rest is
believed grows with the number n of independent observations, which are sessions and not trades:
confidence = 1/2 + (1/2 - noise) * n / (n + SHRINK). It never reaches 1.
Nothing is drafted that goes beyond the laboratory's verdict on the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.agents.builtin.patterns import pattern_of
from lab.agents.dimensions import OUTCOME_COLUMNS
from lab.agents.evidence import MIN_TRADES, Bucket, EvidencePack
from lab.agents.strategist import AnalysisRequest, Insight, InsightDraft, KnowledgeType, Verdict
from lab.agents.summary import PROMISING
from lab.agents.views import Interval

NOTABLE_P = 0.10
"""Corrected p-value up to which a bucket is spoken of as different."""
MOST_BUCKETS = 4
SHRINK = 30
"""With so many sessions behind a claim half of what its p-value promises is believed."""
CHOSEN_FROM = 8
"""A change may be the best of up to so many: its p-value is multiplied by that (Bonferroni), even where the sessions did not choose it."""


def learned(request: AnalysisRequest) -> tuple[InsightDraft, ...]:
    """New insights, and today's measure of what was known before (same topic), so that it can be confirmed or contradicted."""
    pattern = pattern_of(request.subject.scan_script)
    drafts = [*_overall(request, pattern), *_from_parent(request, pattern)]
    notable = sorted(
        (b for b in request.subject.evidence.buckets if _says_something(b)), key=lambda b: (b.corrected_p or 0.0, -abs(b.r_lift or 0.0))
    )[:MOST_BUCKETS]
    # Of another pattern's insights nothing is measured here: as a draft it would be a new claim that no test licenses.
    of_this = [insight for insight in request.subject.knowledge if insight.pattern_type == pattern]
    known = [b for b in (bucket_of(i, request.subject.evidence) for i in of_this) if b is not None and b.p_value is not None]
    chosen = {b.id: b for b in (*notable, *known)}
    drafts += [from_bucket(bucket, pattern) for bucket in chosen.values() if bucket.r_lift is not None]
    if request.subject.guidance.strip():
        text = request.subject.guidance.strip()
        wish, data = f"The person's wish, not a finding: “{text}”", {"topic": f"guidance:{text.lower()}", "effect": 0.0}
        drafts.append(InsightDraft(KnowledgeType.GUIDANCE, pattern, wish, 1.0, (), data))
    return tuple(drafts)


def confidence(p: float, sessions: int) -> float:
    """The first confidence of a claim with this corrected p-value, from so many sessions; 0.5 to below 1."""
    against = -math.e * p * math.log(p) if 0.0 < p < 1 / math.e else float(p > 0.0)
    return round(0.5 + (0.5 - against / (1.0 + against)) * sessions / (sessions + SHRINK), 3)


def bucket_of(insight: Insight, pack: EvidencePack) -> Bucket | None:
    """The bucket of today's pack that an insight speaks of, or None."""
    topic = str(insight.supporting_data.get("topic", ""))
    return next((b for b in pack.buckets if _topic(b) == topic), None)


def change_topic(changes: Sequence[str]) -> str:
    """The topic of insights about one change of the scripts, from its semantic diff."""
    return f"change:{'; '.join(changes)}"


def _topic(bucket: Bucket) -> str:
    return f"{bucket.column}={bucket.name}"


def _says_something(bucket: Bucket) -> bool:
    return (
        bucket.column not in OUTCOME_COLUMNS | {"ticker"}
        and bucket.corrected_p is not None
        and bucket.corrected_p <= NOTABLE_P
        and bucket.r_lift is not None
    )


def from_bucket(bucket: Bucket, pattern: str) -> InsightDraft:
    """The insight of one breakdown, in the lab's own words."""
    lift, p = bucket.r_lift or 0.0, 1.0 if bucket.corrected_p is None else bucket.corrected_p
    kind = KnowledgeType.MARKET_RULE if bucket.column.startswith("market.") else KnowledgeType.PATTERN_RULE
    verdict = "works better" if lift > 0 else "works worse"
    return InsightDraft(
        knowledge_type=kind,
        pattern_type=pattern,
        insight=f"{pattern} {verdict} when {bucket.dimension} is {bucket.name}: {lift:+.2f}R against the rest (n = {bucket.trades}).",
        confidence=confidence(p, bucket.clusters),
        evidence_ids=(bucket.id,),
        supporting_data={
            "topic": _topic(bucket),
            "effect": lift,
            "n": bucket.trades,
            "mean_r": bucket.mean_r,
            "low": bucket.mean_r_interval.low if bucket.mean_r_interval else None,
            "high": bucket.mean_r_interval.high if bucket.mean_r_interval else None,
            "sessions": bucket.clusters,
            "p_value": bucket.p_value,
            "corrected_p": bucket.corrected_p,
        },
    )


def _overall(request: AnalysisRequest, pattern: str) -> list[InsightDraft]:
    """Whether the pattern as a whole earns or loses, where the laboratory's verdict and the account's Sharpe ratio say so too."""
    pack = request.subject.evidence
    mean, sharpe, days = pack.figure("mean R"), pack.figure("Sharpe ratio"), pack.figure("sessions with a trade")
    if mean is None or mean.interval is None or pack.trades < MIN_TRADES or days is None or sharpe is None or sharpe.interval is None:
        return []
    earns = mean.interval.low > 0 and sharpe.interval.low > 0 and pack.verdict == PROMISING
    loses = mean.interval.high < 0 and sharpe.interval.high < 0
    if not earns and not loses:
        return []
    p = _p_of(mean.value, mean.interval)
    kind = KnowledgeType.PATTERN_RULE if earns else KnowledgeType.FAILURE
    words = "earns after costs" if earns else "loses after costs as it stands"
    return [
        InsightDraft(
            knowledge_type=kind,
            pattern_type=pattern,
            insight=f"{pattern} {words}: {mean.value:+.2f}R a trade (n = {request.subject.evidence.trades}).",
            confidence=confidence(p, int(days.value)),
            evidence_ids=(mean.id,),
            supporting_data={
                "topic": "overall",
                "effect": mean.value,
                "n": request.subject.evidence.trades,
                "low": mean.interval.low,
                "high": mean.interval.high,
                "sessions": int(days.value),
                "p_value": p,
            },
        )
    ]


def _from_parent(request: AnalysisRequest, pattern: str) -> list[InsightDraft]:
    """What the last change did, where the paired test is clear about it."""
    parent = request.parent
    if parent is None or parent.comparison.verdict is Verdict.NO_EVIDENCE or not parent.changes:
        return []
    better = parent.comparison.verdict is Verdict.BETTER
    change, moved = "; ".join(parent.changes), request.subject.evidence.figure("daily difference from the parent")
    test = parent.comparison
    days = "the same days" if parent.whole is None else "days it was not chosen on"
    p = _p_of(test.mean_difference, Interval(test.low, test.high)) if test.low is not None and test.high is not None else 1.0
    return [
        InsightDraft(
            knowledge_type=KnowledgeType.PARAMETER_PREFERENCE if better else KnowledgeType.FAILURE,
            pattern_type=pattern,
            insight=f"“{change}” made it {'better' if better else 'worse'} on {days}.",
            confidence=confidence(p * CHOSEN_FROM if better else p, test.sessions),
            evidence_ids=(moved.id,) if moved else (),
            supporting_data={
                "topic": change_topic(parent.changes),
                "effect": test.mean_difference,
                "n": test.sessions,
                "low": test.low,
                "high": test.high,
                "sessions": test.sessions,
                "p_value": p,
            },
        )
    ]


def _p_of(value: float, interval: Interval) -> float:
    """The two-sided p-value that a 95 % interval of a mean implies, as of a normal distribution."""
    error = (interval.high - interval.low) / (2 * 1.959964)
    return math.erfc(abs(value) / error / math.sqrt(2)) if error > 0 else 1.0
