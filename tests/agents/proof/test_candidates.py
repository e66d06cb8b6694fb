"""Agents that are up for graduation wait for the person like a refinement does, and what was decided does not come back unchanged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from lab.agents.errors import CannotIterate, CannotUndo
from lab.agents.proof import graduation, service
from lab.agents.proof.views import CheckRow, RobustnessReport, VaultReport
from lab.agents.results import to_json
from lab.agents.service import Lab
from lab.agents.views import Interval
from lab.store.models import AgentStatus, utc_now
from lab.store.proof_models import ProofKind, ProofRun, ProofState

DAY = date(2024, 6, 3)
ROBUST = RobustnessReport(94, 1.2, 0.03, (), 2.4, None)
VAULT = VaultReport(DAY, DAY, 40, 22, 12, 0.55, Interval(0.4, 0.7), 0.9, Interval(-0.5, 2.0), 0.6, 0.01, 0.02, {})


def keep(lab: Lab, kind: ProofKind, report: Any) -> None:
    """Store a finished study as a worker does."""
    with lab.store.write() as rows:
        rows.add(ProofRun(kind=kind, agent_id=1, iteration_id=1, state=ProofState.DONE, output=to_json(report), finished_at=utc_now()))


def passes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a learning span pass every rule."""

    def rows(*measured: Any) -> tuple[CheckRow, ...]:
        return tuple(row if row.rule == "least_vault" else replace(row, passed=True) for row in graduation.check_rows(*measured))

    monkeypatch.setattr(service, "check_rows", rows)
    lab.proof.set_rules(1, {"least_trades": 31})  # what a checklist hangs on is another, so it is made anew


def look(lab: Lab) -> None:
    """Open the vault, and let the worker find what it finds."""
    run_id = lab.proof.open_vault(1)
    assert lab.proof.waiting() == (), "it waits for the worker, not for the person"
    with lab.store.write() as session:
        row = session.get_one(ProofRun, run_id)
        row.state, row.output = ProofState.DONE, to_json(VAULT)
        session.add(row)


def test_it_waits_when_only_the_vault_is_left_and_again_when_that_was_opened(learned: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, agent_id = learned, 1
    keep(lab, ProofKind.ROBUSTNESS, ROBUST)
    assert lab.proof.waiting() == (), "its learning span passes nothing"
    pending = lab.state().pending_approvals
    passes(lab, monkeypatch)
    (up,) = lab.proof.waiting()
    assert (up.agent_id, up.version, [row.rule for row in up.rows if not row.passed]) == (agent_id, "1.0", ["least_vault"])
    assert lab.state().pending_approvals == pending + 1
    look(lab)
    monkeypatch.undo()
    (up,) = lab.proof.waiting()
    assert not up.ready, "what the vault showed is for the person to judge, passed or not"
    lab.proof.graduate(agent_id, "to see it on paper")
    assert lab.proof.waiting() == ()
    lab.proof.send_back(agent_id)
    assert lab.proof.waiting() == (), "that was decided, too"


def test_what_was_turned_down_comes_back_only_changed_or_taken_back(learned: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, agent_id = learned, 1
    keep(lab, ProofKind.ROBUSTNESS, ROBUST)
    passes(lab, monkeypatch)
    row = lab.proof.turn_down(agent_id, "too few tickers")
    assert (row.from_status, row.to_status, row.note) == ("learning", "learning", "too few tickers")
    assert lab.proof.waiting() == ()
    with pytest.raises(CannotIterate, match="does not wait"):
        lab.proof.turn_down(agent_id, "twice")
    assert [each.id for each in lab.proof.undoable()] == [row.id]
    lab.proof.undo(agent_id)
    assert len(lab.proof.waiting()) == 1
    assert lab.proof.undoable() == ()
    with pytest.raises(CannotUndo):
        lab.proof.undo(agent_id)
    lab.proof.turn_down(agent_id)
    look(lab)
    assert len(lab.proof.waiting()) == 1, "its vault was opened all the same, so there is something new to decide on"


def test_a_decision_stands_once_the_next_iteration_has_begun(learned: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, agent_id = learned, 1
    keep(lab, ProofKind.VAULT, VAULT)
    lab.proof.graduate(agent_id, "to see it on paper")
    assert [row.agent_id for row in lab.proof.undoable()] == [agent_id]
    for proposal in lab.approvals():
        lab.discard(proposal.id)
    lab.start_iteration(agent_id)
    assert lab.proof.undoable() == ()
    with pytest.raises(CannotUndo, match="has started since"):
        lab.proof.undo(agent_id)
    assert lab.agent(agent_id).row.status == AgentStatus.PAPER_TRADING
