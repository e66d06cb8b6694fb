"""A hundred decisions on one proposal at the same moment, each over a connection of its own: one takes effect, the others are told."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from datetime import date

from sqlmodel import select

from lab.agents.decisions import apply_edited, apply_proposal, discard
from lab.agents.errors import AlreadyDecided
from lab.store.database import Store
from lab.store.models import AgentIteration, AgentStrategy, IterationStatus, Proposal, ProposalState, TradingAgent, Universe
from tests.agents.budget.conftest import place, server
from tests.agents.budget.places import opened
from tests.agents.made import EXECUTION, SCAN

__all__ = ["place", "server"]

AT_ONCE, STORES = 100, 20
PROPOSED, EDITED = SCAN.replace("1.5,", "3.0,"), SCAN.replace("1.5,", "4.0,")


def waiting_proposal(store: Store) -> int:
    """An agent with one version, an iteration of it, and a proposal that waits."""
    day = date(2025, 1, 2)
    with store.write() as session:
        spans = {"first_session": day, "learning_until": day, "last_session": day}
        universe = Universe(name="U", tickers=["AAA"], timeframe="1m", source="made", **spans)
        session.add(universe)
        session.flush()
        told = {"instructions": "x", "system_prompt": "x", "risk_tolerance": "moderate", "trading_style": "scalping"}
        agent = TradingAgent(name="A", pattern_focus=[], market_conditions=[], universe_id=universe.id or 0, **told)
        session.add(agent)
        session.flush()
        own = {"agent_id": agent.id or 0}
        scripts = {"scan_script": SCAN, "execution_script": EXECUTION}
        version = AgentStrategy(version="1.0", script_hash="h", is_current_version=True, changes_from_parent="", **scripts, **own)
        waits = IterationStatus.AWAITING_APPROVAL
        iteration = AgentIteration(iteration_number=1, universe_id=universe.id or 0, iteration_status=waits, **own)
        session.add_all([version, iteration])
        session.flush()
        proposal = Proposal(
            iteration_id=iteration.id or 0,
            parent_strategy_id=version.id or 0,
            title="louder",
            rationale="because",
            changes=[],
            effect={},
            **{**scripts, "scan_script": PROPOSED},
            **own,
        )
        session.add(proposal)
        session.flush()
        return proposal.id or 0


def test_a_hundred_decisions_on_one_proposal_at_once_have_one_effect(place: str) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(AT_ONCE)
    with ExitStack() as open_stores:
        stores = [open_stores.enter_context(opened(place)) for _ in range(STORES)]
        proposal_id = waiting_proposal(stores[0])

        def decide(number: int) -> None:
            store = stores[number % STORES]
            with store.read() as session:
                session.exec(select(Proposal.id)).one()
                together.wait()  # by now a hundred connections are open
            try:
                match number % 3:
                    case 0:
                        outcomes.append(f"applied {apply_proposal(store, proposal_id)}")
                    case 1:
                        outcomes.append(f"edited {apply_edited(store, proposal_id, EDITED, EXECUTION)}")
                    case _:
                        discard(store, proposal_id, "no")
                        outcomes.append("discarded")
            except AlreadyDecided:
                outcomes.append("told")
            except Exception as error:
                outcomes.append(repr(error))

        threads = [threading.Thread(target=decide, args=(number,)) for number in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = Counter(outcomes)
        assert told.pop("told") == AT_ONCE - 1, told
        ((outcome, times),) = told.items()
        assert times == 1
        with stores[0].read() as session:
            proposal = session.exec(select(Proposal)).one()
            versions = session.exec(select(AgentStrategy).order_by(AgentStrategy.id)).all()
            iteration = session.exec(select(AgentIteration)).one()
    state = ProposalState(outcome.split()[0])
    assert (proposal.state, iteration.iteration_status) == (state, state.value)
    made = {ProposalState.APPLIED: [PROPOSED], ProposalState.EDITED: [EDITED], ProposalState.DISCARDED: []}[state]
    assert [version.scan_script for version in versions] == [SCAN, *made]
    assert [version.is_current_version for version in versions] == [False] * len(made) + [True]
    assert proposal.resulting_strategy_id == (versions[1].id if made else None)
