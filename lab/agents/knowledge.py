"""What an agent remembers: insights that later iterations confirm or contradict.

Confidence is the mean of a Beta distribution over "this will hold next time": a draft's own confidence (the chance that
it is more than noise, see `lab.agents.builtin.insights`) counts as PRIOR_WEIGHT observations, and each later iteration on
other bars whose data speak on the same topic adds one, for or against, weighed by 1 - p: a difference that is mere noise
(p near 1) says nothing either way. The same bars again, whatever scripts they were seen through, are the same
observation and add nothing. What the person asked for is an instruction and is not weighed at all.
An insight whose confidence falls below RETIRE_BELOW is retired with its reason and no longer shown to the strategist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case
from sqlmodel import Session, col, select

from lab.agents.decisions import PERSON
from lab.agents.strategist import Insight, InsightDraft, KnowledgeType
from lab.agents.views import ConfidencePoint, Interval, KnowledgeRow
from lab.store.models import AgentKnowledge, KnowledgeStatus, Proposal, ProposalState, utc_now

PRIOR_WEIGHT = 2.0
RETIRE_BELOW = 0.3
MOST_INSIGHTS = 12
"""As many of the best insights go into the strategist's next request."""
MOST_LETTERS = 2_400
"""So long may they be together: some 800 tokens of a prompt."""


def remember(session: Session, agent_id: int, iteration_id: int, measured: str, drafts: Sequence[InsightDraft]) -> int:
    """Merge an iteration's drafts into what the agent knows, inside the caller's transaction. Returns how many were new.

    A draft on a topic already known moves that insight's confidence: up where the effect has the same sign, down where
    it has the other. Only a draft on a topic not yet known, or retired, makes a new row. `measured` names what was
    measured, "scripts:data": another version on the same data is no second observation.
    """
    known = {
        _topic(row.pattern_type, row.supporting_data): row
        for row in session.exec(
            select(AgentKnowledge).where(AgentKnowledge.agent_id == agent_id, AgentKnowledge.status == KnowledgeStatus.ACTIVE)
        )
    }
    new = 0
    for draft in drafts:
        topic = _topic(draft.pattern_type, dict(draft.supporting_data))
        row = known.get(topic)
        if row is None:
            row = AgentKnowledge(
                agent_id=agent_id,
                knowledge_type=draft.knowledge_type.value,
                pattern_type=draft.pattern_type,
                insight=draft.insight,
                supporting_data={
                    **draft.supporting_data,
                    "evidence": list(draft.evidence_ids),
                    "first_confidence": draft.confidence,
                    "confirmed": 0,
                    "contradicted": 0,
                    "history": [[iteration_id, draft.confidence, measured]],
                },
                confidence=draft.confidence,
                learned_from_iteration=iteration_id,
            )
            known[topic] = row
            new += 1
        else:
            _weigh(row, draft, iteration_id, measured)
        session.add(row)
    return new


def known_insights(session: Session, agent_id: int) -> tuple[Insight, ...]:
    """The agent's active insights: what the person asked for first, newest first, then the surest; as many as fit a request."""
    rows = session.exec(
        select(AgentKnowledge)
        .where(AgentKnowledge.agent_id == agent_id, AgentKnowledge.status == KnowledgeStatus.ACTIVE)
        .order_by(
            case((col(AgentKnowledge.knowledge_type) == KnowledgeType.GUIDANCE, -col(AgentKnowledge.id)), else_=0),
            col(AgentKnowledge.confidence).desc(),
            col(AgentKnowledge.id),
        )
    )
    chosen: list[Insight] = []
    left = MOST_LETTERS
    for row in rows:
        if len(chosen) == MOST_INSIGHTS:
            break
        if len(row.insight) > left:
            continue
        left -= len(row.insight)
        chosen.append(
            Insight(
                id=row.id or 0,
                knowledge_type=row.knowledge_type,
                pattern_type=row.pattern_type,
                insight=row.insight,
                confidence=row.confidence,
                supporting_data=row.supporting_data,
            )
        )
    return tuple(chosen)


def knowledge_rows(session: Session, agent_id: int, numbers: Mapping[int, int]) -> tuple[KnowledgeRow, ...]:
    """All an agent knows for a person to read: the surest first, then what has retired, then proposals that were turned down.

    `numbers` are those of its iterations, by their ids.
    """
    known = session.exec(
        select(AgentKnowledge)
        .where(AgentKnowledge.agent_id == agent_id)
        .order_by(col(AgentKnowledge.status), col(AgentKnowledge.confidence).desc(), col(AgentKnowledge.id))
    )
    discarded = session.exec(
        select(Proposal)
        .where(Proposal.agent_id == agent_id, Proposal.state == ProposalState.DISCARDED)
        .order_by(col(Proposal.decided_at).desc())
    )
    return (*(_knowledge_row(each, numbers) for each in known), *(_turned_down(each, numbers) for each in discarded))


def _knowledge_row(insight: AgentKnowledge, numbers: Mapping[int, int]) -> KnowledgeRow:
    assert insight.id is not None
    data = insight.supporting_data
    weighed = insight.knowledge_type != KnowledgeType.GUIDANCE
    low, high = data.get("low"), data.get("high")
    return KnowledgeRow(
        id=insight.id,
        knowledge_type=insight.knowledge_type,
        pattern_type=insight.pattern_type,
        insight=insight.insight,
        confidence=insight.confidence,
        status=KnowledgeStatus(insight.status).value,
        retired_reason=insight.retired_reason,
        learned_from_iteration=numbers.get(insight.learned_from_iteration or 0),
        created_at=insight.created_at,
        history=tuple(ConfidencePoint(numbers.get(row[0]), row[1]) for row in data.get("history", []) if weighed),
        evidence=tuple(data.get("evidence", [])),
        observations=data.get("n"),
        effect=data.get("effect") if weighed else None,
        mean_r=data.get("mean_r") if weighed else None,
        interval=Interval(low, high) if weighed and low is not None and high is not None else None,
        unit="fraction" if str(data.get("topic", "")).startswith("change:") else "R",
        confirmed=int(data.get("confirmed", 0)),
        contradicted=int(data.get("contradicted", 0)),
    )


def _turned_down(proposal: Proposal, numbers: Mapping[int, int]) -> KnowledgeRow:
    """A discarded proposal as what the agent knows of it: never to propose it again unchanged."""
    who = "You" if proposal.decided_by == PERSON else "Its rule"
    return KnowledgeRow(
        id=-(proposal.id or 0),
        knowledge_type="turned down",
        pattern_type=proposal.title,
        insight=f"{who} turned down “{proposal.title}”" + (f": {proposal.reason}" if proposal.reason else ". No reason was given."),
        confidence=1.0,
        status=KnowledgeStatus.ACTIVE.value,
        retired_reason="",
        learned_from_iteration=numbers.get(proposal.iteration_id),
        created_at=proposal.decided_at or proposal.created_at,
    )


def _weigh(row: AgentKnowledge, draft: InsightDraft, iteration_id: int, measured: str) -> None:
    data = dict(row.supporting_data)
    if row.knowledge_type == KnowledgeType.GUIDANCE or any(_bars(seen) == _bars(measured) for _, _, seen in data.get("history", [])):
        return
    agrees = _sign(data) == _sign(dict(draft.supporting_data))
    side, counted = ("weight_for", "confirmed") if agrees else ("weight_against", "contradicted")
    p = draft.supporting_data.get("p_value")
    says = 1.0 - min(1.0, float(p)) if isinstance(p, (int, float)) else 1.0
    data[side], data[counted] = float(data.get(side, 0.0)) + says, int(data.get(counted, 0)) + 1
    pro, contra = float(data.get("weight_for", 0.0)), float(data.get("weight_against", 0.0))
    confirmed, contradicted = int(data.get("confirmed", 0)), int(data.get("contradicted", 0))
    first = float(data.get("first_confidence", row.confidence))
    row.confidence = (PRIOR_WEIGHT * first + pro) / (PRIOR_WEIGHT + pro + contra)
    data["history"] = [*data.get("history", []), [iteration_id, row.confidence, measured]]
    row.supporting_data = data
    row.updated_at = utc_now()
    if row.confidence < RETIRE_BELOW:
        row.status = KnowledgeStatus.RETIRED
        row.retired_reason = f"Contradicted by {contradicted} of {confirmed + contradicted} later iterations."


def _bars(measured: str) -> str:
    """The fingerprint of the data in "scripts:data"."""
    return measured.rpartition(":")[2]


def _topic(pattern: str, data: dict[str, Any]) -> tuple[str, str]:
    return pattern, str(data.get("topic", ""))


def _sign(data: dict[str, Any]) -> bool:
    return float(data.get("effect") or 0.0) >= 0.0
