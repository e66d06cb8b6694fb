"""The finished study of a result: made for its iteration, or for another that measured the same."""

from __future__ import annotations

from typing import TypeVar

from sqlmodel import Session, col, select

from lab.agents.results import from_json
from lab.store.models import AgentIteration, IterationStatus, IterationStep
from lab.store.proof_models import ProofKind, ProofRun, ProofState

R = TypeVar("R")

_SHARED = (ProofKind.WALK_FORWARD, ProofKind.ROBUSTNESS)
"""Studies that hang on nothing but what was measured."""
_INPUTS = ("rules", "others_fingerprint", "finer_fingerprint")
"""In a backtest's output: the account with its costs, and the bars that were read beside the universe's."""


def newest_report(session: Session, kind: ProofKind, iteration_id: int, type_: type[R]) -> R | None:
    """The newest finished study of a kind of an iteration's result; None where there is none."""
    of = {iteration_id} if kind not in _SHARED else _measured_the_same(session, iteration_id)
    row = session.exec(
        select(ProofRun)
        .where(col(ProofRun.iteration_id).in_(of), ProofRun.kind == kind, ProofRun.state == ProofState.DONE)
        .order_by(col(ProofRun.id).desc())
        .limit(1)
    ).first()
    return None if row is None or row.output is None else from_json(type_, row.output)


def _measured_the_same(session: Session, iteration_id: int) -> set[int]:
    """The iteration and those with the same scripts on the same bars with the same account, costs and engine."""
    own = session.get(AgentIteration, iteration_id)
    if own is None or not own.script_hash:
        return {iteration_id}
    rows = session.exec(
        select(IterationStep.iteration_id, IterationStep.output)
        .join(AgentIteration, onclause=col(AgentIteration.id) == col(IterationStep.iteration_id))
        .where(
            IterationStep.step == IterationStatus.BACKTEST,
            AgentIteration.script_hash == own.script_hash,
            AgentIteration.data_fingerprint == own.data_fingerprint,
            AgentIteration.universe_id == own.universe_id,
            AgentIteration.engine_version == own.engine_version,
        )
    )
    inputs = {found: [output.get(name) for name in _INPUTS] for found, output in rows}
    mine = inputs.get(iteration_id)
    return {iteration_id} if mine is None or mine[0] is None else {found for found, each in inputs.items() if each == mine}
