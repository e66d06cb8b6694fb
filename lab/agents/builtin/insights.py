"""What the built-in strategist remembers of a result, as drafts bound to their evidence."""

from __future__ import annotations

from collections.abc import Sequence

from lab.agents.builtin.patterns import pattern_of
from lab.agents.dimensions import OUTCOME_COLUMNS
from lab.agents.evidence import MIN_BUCKET, MIN_TRADES, Bucket, EvidencePack
from lab.agents.strategist import AnalysisRequest, Insight, InsightDraft, KnowledgeType, Verdict

NOTABLE_P = 0.10
"""Corrected p-value up to which a bucket is spoken of as different."""
MOST_BUCKETS = 4


def learned(request: AnalysisRequest) -> tuple[InsightDraft, ...]:
    """New insights, and today's measure of what was known before (same topic), so that it can be confirmed or contradicted."""
    pattern = pattern_of(request.scan_script)
    drafts = [*_overall(request, pattern), *_from_parent(request, pattern)]
    notable = sorted(
        (b for b in request.evidence.buckets if _says_something(b)), key=lambda b: (b.corrected_p or 0.0, -abs(b.r_lift or 0.0))
    )[:MOST_BUCKETS]
    known = [b for b in (bucket_of(i, request.evidence) for i in request.knowledge) if b is not None and b.trades >= MIN_BUCKET]
    chosen = {b.id: b for b in (*notable, *known)}
    drafts += [_from_bucket(bucket, pattern) for bucket in chosen.values() if bucket.r_lift is not None]
    if request.guidance.strip():
        text = request.guidance.strip()
        drafts.append(
            InsightDraft(KnowledgeType.GUIDANCE, pattern, text, 1.0, (), {"topic": f"guidance:{text.lower()}", "effect": 0.0}),
        )
    return tuple(drafts)


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


def _from_bucket(bucket: Bucket, pattern: str) -> InsightDraft:
    """Confidence falls in a line from 0.9 at a corrected p-value of 0 to 0.5 at NOTABLE_P, and on to 0.35 at 1."""
    lift, p = bucket.r_lift or 0.0, 1.0 if bucket.corrected_p is None else bucket.corrected_p
    confidence = 0.9 - 0.4 * p / NOTABLE_P if p <= NOTABLE_P else 0.5 - 0.15 * (p - NOTABLE_P) / (1 - NOTABLE_P)
    kind = KnowledgeType.MARKET_RULE if bucket.column.startswith("market.") else KnowledgeType.PATTERN_RULE
    verdict = "works better" if lift > 0 else "works worse"
    return InsightDraft(
        knowledge_type=kind,
        pattern_type=pattern,
        insight=f"{pattern} {verdict} when {bucket.dimension} is {bucket.name}: {lift:+.2f}R against the rest (n = {bucket.trades}).",
        confidence=round(confidence, 3),
        evidence_ids=(bucket.id,),
        supporting_data={
            "topic": _topic(bucket),
            "effect": lift,
            "n": bucket.trades,
            "mean_r": bucket.mean_r,
            "low": bucket.mean_r_interval.low if bucket.mean_r_interval else None,
            "high": bucket.mean_r_interval.high if bucket.mean_r_interval else None,
            "p_value": bucket.corrected_p,
        },
    )


def _overall(request: AnalysisRequest, pattern: str) -> list[InsightDraft]:
    """Whether the pattern as a whole earns or loses, once there are trades enough to say so."""
    mean = request.evidence.figure("mean R")
    if mean is None or mean.interval is None or request.evidence.trades < MIN_TRADES:
        return []
    earns, loses = mean.interval.low > 0, mean.interval.high < 0
    if not earns and not loses:
        return []
    kind = KnowledgeType.PATTERN_RULE if earns else KnowledgeType.FAILURE
    words = "earns after costs" if earns else "loses after costs as it stands"
    return [
        InsightDraft(
            knowledge_type=kind,
            pattern_type=pattern,
            insight=f"{pattern} {words}: {mean.value:+.2f}R a trade (n = {request.evidence.trades}).",
            confidence=0.7,
            evidence_ids=(mean.id,),
            supporting_data={
                "topic": "overall",
                "effect": mean.value,
                "n": request.evidence.trades,
                "low": mean.interval.low,
                "high": mean.interval.high,
                "p_value": None,
            },
        )
    ]


def _from_parent(request: AnalysisRequest, pattern: str) -> list[InsightDraft]:
    """What the last change did, where the paired test is clear about it."""
    parent = request.parent
    if parent is None or parent.comparison.verdict is Verdict.NO_EVIDENCE or not parent.changes:
        return []
    better = parent.comparison.verdict is Verdict.BETTER
    change, moved = "; ".join(parent.changes), request.evidence.figure("daily difference from the parent")
    return [
        InsightDraft(
            knowledge_type=KnowledgeType.PARAMETER_PREFERENCE if better else KnowledgeType.FAILURE,
            pattern_type=pattern,
            insight=f"“{change}” made it {'better' if better else 'worse'} on the same days.",
            confidence=0.75,
            evidence_ids=(moved.id,) if moved else (),
            supporting_data={
                "topic": change_topic(parent.changes),
                "effect": parent.comparison.mean_difference,
                "n": parent.comparison.sessions,
                "low": parent.comparison.low,
                "high": parent.comparison.high,
                "p_value": None,
            },
        )
    ]
