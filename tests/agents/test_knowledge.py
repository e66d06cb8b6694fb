"""What an agent remembers moves with what it sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, SQLModel, col, create_engine, select

from lab.agents.knowledge import RETIRE_BELOW, knowledge_rows, known_insights, remember
from lab.agents.strategist import InsightDraft, KnowledgeType
from lab.agents.views import Interval
from lab.store.models import AgentKnowledge, KnowledgeStatus, Proposal

TABLES = [SQLModel.metadata.tables[name] for name in ("agent_knowledge", "proposals")]


def draft(effect: float, confidence: float = 0.6, topic: str = "market.trend=-1") -> InsightDraft:
    return InsightDraft(
        knowledge_type=KnowledgeType.MARKET_RULE,
        pattern_type="VWAP bounce",
        insight="Dips to VWAP fail in a falling market.",
        confidence=confidence,
        evidence_ids=("E7",),
        supporting_data={"topic": topic, "effect": effect, "n": 40},
    )


@pytest.fixture
def session() -> Session:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine, tables=TABLES)
    return Session(engine)


def confidence(session: Session) -> float:
    session.flush()
    return session.exec(select(AgentKnowledge)).one().confidence


def test_later_data_confirm_and_contradict(session: Session) -> None:
    assert remember(session, 1, 1, "a:x", [draft(-0.3)]) == 1
    first = confidence(session)
    assert remember(session, 1, 2, "a:y", [draft(-0.2)]) == 0
    confirmed = confidence(session)
    assert confirmed > first
    remember(session, 1, 3, "a:z", [draft(+0.2)])
    assert confidence(session) < confirmed


@pytest.mark.parametrize("effect", [-0.3, 0.3])
def test_the_same_bars_seen_through_another_version_are_no_second_observation(session: Session, effect: float) -> None:
    remember(session, 1, 1, "version 1.0:bars", [draft(-0.3)])
    for iteration in (2, 3):
        remember(session, 1, iteration, f"version 1.{iteration}:bars", [draft(effect)])
    assert confidence(session) == 0.6
    remember(session, 1, 4, "version 1.3:other bars", [draft(-0.3)])
    once = confidence(session)
    remember(session, 1, 5, "version 1.4:other bars", [draft(-0.3)])
    assert confidence(session) == once > 0.6


def test_noise_says_little_either_way(session: Session) -> None:
    remember(session, 1, 1, "a:x", [draft(-0.3)])
    noise = draft(+0.01)
    remember(session, 1, 2, "a:y", [replace(noise, supporting_data={**noise.supporting_data, "p_value": 0.95})])
    assert 0.58 < confidence(session) < 0.6


def test_what_the_person_asked_for_is_not_weighed(session: Session) -> None:
    wish = InsightDraft(KnowledgeType.GUIDANCE, "VWAP bounce", "The person's wish", 1.0, (), {"topic": "guidance:x", "effect": 0.0})
    for iteration in (1, 2):
        remember(session, 1, iteration, f"a:{iteration}", [wish])
    session.flush()
    row = session.exec(select(AgentKnowledge)).one()
    assert (row.confidence, row.supporting_data["confirmed"]) == (1.0, 0)


def test_what_is_contradicted_often_enough_is_retired_with_its_reason_and_not_told_any_more(session: Session) -> None:
    remember(session, 1, 1, "0:x", [draft(-0.3)])
    for number in range(2, 8):
        remember(session, 1, number, f"a:{number}", [draft(+0.3)])
        session.flush()
        if not known_insights(session, 1):
            break
    row = session.exec(select(AgentKnowledge).where(AgentKnowledge.status == KnowledgeStatus.RETIRED)).one()
    assert row.confidence < RETIRE_BELOW
    assert "Contradicted" in row.retired_reason


@given(st.lists(st.booleans(), max_size=20), st.floats(0.3, 1.0))
def test_confidence_stays_a_probability_and_agreement_never_lowers_it(agreements: list[bool], first: float) -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine, tables=TABLES)
    with Session(engine) as session:
        remember(session, 1, 0, "a:0", [draft(-0.3, first)])
        before = confidence(session)
        for number, agrees in enumerate(agreements, start=1):
            remember(session, 1, number, f"a:{number}", [draft(-0.3 if agrees else 0.3)])
            session.flush()
            row = session.exec(select(AgentKnowledge).order_by(col(AgentKnowledge.id))).first()
            assert row is not None
            assert 0.0 <= row.confidence <= 1.0
            if row.status == KnowledgeStatus.RETIRED:
                break
            assert (row.confidence >= before - 1e-12) if agrees else (row.confidence <= before + 1e-12)
            before = row.confidence


def test_knowledge_is_private_to_its_agent(session: Session) -> None:
    remember(session, 1, 1, "a:x", [draft(-0.3)])
    session.flush()
    assert len(known_insights(session, 1)) == 1
    assert known_insights(session, 2) == ()


def test_how_confidence_went_can_be_looked_at_with_the_measure_behind_it(session: Session) -> None:
    first = draft(-0.3)
    measure = {"mean_r": -0.2, "low": -0.4, "high": -0.1}
    remember(session, 1, 11, "a:x", [replace(first, supporting_data={**first.supporting_data, **measure})])
    remember(session, 1, 12, "a:y", [draft(-0.2)])
    remember(session, 1, 13, "a:z", [draft(+0.2)])
    session.flush()
    (row,) = knowledge_rows(session, 1, {11: 1, 12: 2, 13: 3})
    assert [point.iteration for point in row.history] == [1, 2, 3]
    assert row.history[0].confidence == 0.6 < row.history[1].confidence > row.history[2].confidence == row.confidence
    assert (row.effect, row.mean_r, row.interval, row.observations, row.evidence) == (-0.3, -0.2, Interval(-0.4, -0.1), 40, ("E7",))
    assert (row.confirmed, row.contradicted) == (1, 1)


def test_what_was_turned_down_stands_among_what_an_agent_knows(session: Session) -> None:
    about = {
        "agent_id": 1,
        "parent_strategy_id": 1,
        "rationale": "",
        "scan_script": "",
        "execution_script": "",
        "changes": [],
        "effect": {},
    }
    session.add(Proposal(iteration_id=11, title="wider stop", state="discarded", reason="too loose for me", **about))
    session.add(Proposal(iteration_id=12, title="later entry", state="discarded", reason="", decided_by="rule", **about))
    session.add(Proposal(iteration_id=13, title="taken", state="applied", **about))
    session.flush()
    rows = {row.insight: row for row in knowledge_rows(session, 1, {11: 1, 12: 2})}
    assert {*rows} == {"You turned down “wider stop”: too loose for me", "Its rule turned down “later entry”. No reason was given."}
    assert all(row.id < 0 and not row.history for row in rows.values())
