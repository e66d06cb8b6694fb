"""`Lab.proof`: what screens and commands ask about the worth of a result. Reading gives snapshots, writing is one transaction.

The studies take seconds to minutes and run in the worker: `ask` queues one, `runs` says how far it is, and the reader of its kind
(`walk_forward`, `robustness`, `null_arm`, `vault_report`) gives the newest finished report, or None.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, col, select

from lab.agents.errors import BadAgent, CannotIterate, CannotUndo, NotThere
from lab.agents.outputs import TRADES, explained_trades, folder_of
from lab.agents.proof.candidates import last_decision, may_be_up, opening_of, undoable, why_final
from lab.agents.proof.graduation import check_rows, checked_rules, rules_of
from lab.agents.proof.reports import newest_report
from lab.agents.proof.rules import Verdict, Word
from lab.agents.proof.tries import trials_of_agent, tries_until_now
from lab.agents.proof.vaults import move_boundary, set_folds, universe_of, vault_of, write_opening
from lab.agents.proof.views import (
    Checklist,
    GraduationRow,
    NullArmReport,
    ProofView,
    RobustnessReport,
    VaultReport,
    VaultView,
    WalkForwardReport,
)
from lab.agents.results import from_json, to_json
from lab.agents.views import ResultSummary
from lab.store.models import AgentIteration, AgentStatus, AgentStrategy, TradingAgent, utc_now
from lab.store.proof_models import UP_AGAIN, Graduation, ProofKind, ProofRun, ProofState

if TYPE_CHECKING:
    from lab.agents.proof.sheet import TearSheet
    from lab.backtest import Breakdown
    from lab.store.database import Store
    from lab.store.workspace import Workspace

Known = dict[int, tuple[Hashable, Checklist]]
"""Agent -> what its checklist hangs on, and the checklist."""

STUDIES = (ProofKind.WALK_FORWARD, ProofKind.ROBUSTNESS, ProofKind.NULL_ARM)
"""What `ask` takes; the vault is opened by `open_vault` alone."""


class Proof:
    """Studies, verdicts, the vault and graduation of one workspace."""

    def __init__(self, workspace: Workspace, store: Store, known: Known | None = None) -> None:
        """With `known`, the checklists of what waits are made once: they are asked for at every change of the workspace."""
        self._workspace, self._store = workspace, store
        self._known: Known = {} if known is None else known

    # --- studies

    def ask(self, kind: str, iteration_id: int) -> int:
        """Queue a study of an iteration's result; one that waits or runs already is not asked for twice. Returns its id.

        Start a worker after it (`lab.work.launch.ensure_worker`). Raises NotThere, or CannotIterate without a finished backtest.
        """
        if kind not in STUDIES:
            raise NotThere(f"There is no study {kind!r}; there are {', '.join(STUDIES)}.")
        with self._store.write() as session:
            iteration = _measured(session, iteration_id)
            known = session.exec(
                select(ProofRun).where(
                    ProofRun.iteration_id == iteration_id,
                    ProofRun.kind == kind,
                    col(ProofRun.state).in_((ProofState.QUEUED, ProofState.RUNNING)),
                )
            ).first()
            row = known or ProofRun(kind=kind, agent_id=iteration.agent_id, iteration_id=iteration_id)
            session.add(row)
            session.flush()
            assert row.id is not None
            return row.id

    def runs(self, iteration_id: int) -> tuple[ProofView, ...]:
        """Every study ever asked for of an iteration, newest first."""
        with self._store.read() as session:
            rows = session.exec(select(ProofRun).where(ProofRun.iteration_id == iteration_id).order_by(col(ProofRun.id).desc()))
            return tuple(_view(row) for row in rows)

    def run(self, run_id: int) -> ProofView:
        """How one study stands. Raises NotThere."""
        with self._store.read() as session:
            row = session.get(ProofRun, run_id)
            if row is None:
                raise NotThere("That study no longer exists.")
            return _view(row)

    def walk_forward(self, iteration_id: int) -> WalkForwardReport | None:
        """The newest finished walk-forward of an iteration."""
        with self._store.read() as session:
            return newest_report(session, ProofKind.WALK_FORWARD, iteration_id, WalkForwardReport)

    def robustness(self, iteration_id: int) -> RobustnessReport | None:
        with self._store.read() as session:
            return newest_report(session, ProofKind.ROBUSTNESS, iteration_id, RobustnessReport)

    def null_arm(self, agent_id: int) -> NullArmReport | None:
        """The newest of any of an agent's iterations."""
        with self._store.read() as session:
            query = select(ProofRun).where(
                ProofRun.agent_id == agent_id, ProofRun.kind == ProofKind.NULL_ARM, ProofRun.state == ProofState.DONE
            )
            row = session.exec(query.order_by(col(ProofRun.id).desc())).first()
            return None if row is None or row.output is None else from_json(NullArmReport, row.output)

    def vault_report(self, iteration_id: int) -> VaultReport | None:
        """What was found in the vault with an iteration's version; None before it was opened for it."""
        with self._store.read() as session:
            return newest_report(session, ProofKind.VAULT, iteration_id, VaultReport)

    def verdict(self, iteration_id: int) -> Verdict | None:
        """The one word on an iteration, with its reasons; None before its backtest."""
        with self._store.read() as session:
            row = session.get(AgentIteration, iteration_id)
            if row is None:
                raise NotThere.numbered("iteration", iteration_id)
            if row.backtest_results is None:
                return None
            summary = from_json(ResultSummary, row.backtest_results)
            return Verdict(Word(summary.verdict), summary.verdict_reason)

    def breakdowns(self, iteration_id: int) -> tuple[Breakdown, ...]:
        """An iteration's trades by direction, ticker, month, hour, weekday and regime; empty before its backtest. Reads its files."""
        from lab.backtest import break_down

        folder = folder_of(self._workspace.results, iteration_id)
        return break_down(explained_trades(folder)) if (folder / TRADES).exists() else ()

    def trials(self, agent_id: int) -> dict[str, int]:
        """How many variants an agent tried, by what each was first tried for. The null arm's are no tries at a strategy."""
        with self._store.read() as session:
            return trials_of_agent(session, agent_id)

    def tear_sheet(self, iteration_id: int) -> TearSheet:
        """All that is known of what an iteration's result is worth. Reads its files. Raises NotThere."""
        from lab.agents.proof.sheet import tear_sheet
        from lab.agents.queries import iteration_view

        with self._store.read() as session:
            view = iteration_view(session, iteration_id)
            tries = None if view.result is None else tries_until_now(session, session.get_one(AgentIteration, iteration_id), view.result)
        return tear_sheet(self, view, self._workspace.results, tries)

    # --- the vault

    def vault(self, universe_id: int) -> VaultView:
        """A universe's learning span, folds and vault, and every opening of sessions in it."""
        with self._store.read() as session:
            return vault_of(session, universe_of(session, universe_id))

    def set_learning_span(self, universe_id: int, learning_until: date | None = None, folds: int | None = None) -> VaultView:
        """Move the boundary between learning span and vault to the last session on or before a day, or set the number of folds.

        Raises BadAgent with the field "learning_until" or "folds". The boundary is fixed from the first test on: moved later, it would
        show vault sessions without an opening; moved earlier, the vault would hold sessions that were seen.
        """
        with self._store.write() as session:
            universe = universe_of(session, universe_id)
            if folds is not None:
                set_folds(universe, folds)
            if learning_until is not None:
                move_boundary(session, universe, learning_until)
            session.add(universe)
            session.flush()
            return vault_of(session, universe)

    def open_vault(self, agent_id: int) -> int:
        """Put an agent's current version up for graduation: its vault is opened, which counts for ever. Returns the id of the study.

        The opening is written down before a bar is read. Start a worker after it. Raises NotThere without a measured current version,
        CannotIterate where the vault is being opened for it already or was opened for this very version before.
        """
        with self._store.write() as session:
            agent = _agent(session, agent_id)
            iteration, strategy = _candidate(session, agent)
            opening = write_opening(session, agent_id, iteration, strategy)
            row = ProofRun(kind=ProofKind.VAULT, agent_id=agent_id, iteration_id=opening.iteration_id, opening_id=opening.id)
            session.add(row)
            session.flush()
            assert row.id is not None
            return row.id

    # --- graduation

    def rules(self, agent_id: int) -> dict[str, float]:
        """The bounds of an agent's checklist, by rule."""
        with self._store.read() as session:
            return rules_of(_agent(session, agent_id).graduation_rules)

    def set_rules(self, agent_id: int, changed: Mapping[str, float]) -> None:
        """Change bounds of an agent's checklist. Raises BadAgent with the field "graduation"."""
        with self._store.write() as session:
            agent = _agent(session, agent_id)
            agent.graduation_rules = checked_rules({**agent.graduation_rules, **changed})
            session.add(agent)

    def checklist(self, agent_id: int) -> Checklist:
        """The checklist of an agent's current version. Reads the files of its newest measured iteration."""
        with self._store.read() as session:
            agent = _agent(session, agent_id)
            status, name, own = agent.status, agent.name, dict(agent.graduation_rules)
            vault = vault_of(session, universe_of(session, agent.universe_id))
            try:
                iteration, strategy = _candidate(session, agent)
            except NotThere:
                rows = check_rows(own, None, None, None, ())
                return Checklist(agent_id, name, status, "", None, rows, ("an iteration",), vault)
            iteration_id = iteration.id or 0
            result = from_json(ResultSummary, iteration.backtest_results or {})
            robustness = newest_report(session, ProofKind.ROBUSTNESS, iteration_id, RobustnessReport)
            opened = newest_report(session, ProofKind.VAULT, iteration_id, VaultReport)
            walked = newest_report(session, ProofKind.WALK_FORWARD, iteration_id, WalkForwardReport)
            tries = tries_until_now(session, iteration, result)
            version = strategy.version
        regimes = [
            (f"{breakdown.by} {part.name}", part.trades, part.mean_r)
            for breakdown in self.breakdowns(iteration_id)
            if breakdown.by.startswith("market ")
            for part in breakdown.parts
        ]
        missing = [str(kind) for kind, report in ((ProofKind.WALK_FORWARD, walked), (ProofKind.ROBUSTNESS, robustness)) if report is None]
        if opened is None:
            missing.append(str(ProofKind.VAULT))
        rows = check_rows(own, result, robustness, opened, regimes, tries.deflated)
        return Checklist(agent_id, name, status, version, iteration_id, rows, tuple(missing), vault)

    def waiting(self) -> tuple[Checklist, ...]:
        """The checklists of the agents that wait for the person's decision: those that passed all that can be passed before the vault
        is opened, and those whose vault was. One that was decided on does not come back before it has another version or its vault was
        opened. Reads files, where an agent may be up.
        """
        with self._store.read() as session:
            candidates = may_be_up(session)
        for agent_id, hangs_on in candidates.items():
            if agent_id not in self._known or self._known[agent_id][0] != hangs_on:
                self._known[agent_id] = hangs_on, self.checklist(agent_id)
        return tuple(self._known[agent_id][1] for agent_id in candidates if self._known[agent_id][1].up)

    def graduate(self, agent_id: int, note: str = "") -> GraduationRow:
        """Let an agent trade on paper: the person's decision, recorded with the checklist as it stands.

        Rules that are not passed may be overruled, with the reason in `note`. Raises BadAgent with the field "note" without one,
        CannotIterate where it trades on paper already or the vault was never opened for its version.
        """
        checklist = self.checklist(agent_id)
        if checklist.status != AgentStatus.LEARNING:
            raise CannotIterate(f"{checklist.agent} trades on paper already.")
        if checklist.iteration_id is None or self.vault_report(checklist.iteration_id) is None:
            raise CannotIterate(f"The vault was not opened for {checklist.agent}'s version; put it up for graduation first.")
        failed = [row.rule for row in checklist.rows if not row.passed]
        if failed and not note.strip():
            raise BadAgent("note", f"{len(failed)} rules are not passed ({', '.join(failed)}): say why you overrule them.")
        return self._decide(checklist, AgentStatus.PAPER_TRADING, note)

    def turn_down(self, agent_id: int, note: str = "") -> GraduationRow:
        """Let an agent that is up for graduation go on learning; this version of it does not wait any more. Raises CannotIterate."""
        checklist = next((each for each in self.waiting() if each.agent_id == agent_id), None)
        if checklist is None:
            raise CannotIterate("That agent does not wait for a decision any more; nothing was changed.")
        return self._decide(checklist, AgentStatus.LEARNING, note)

    def undoable(self) -> tuple[GraduationRow, ...]:
        """The decisions on agents that were up for graduation which can be taken back, the one decided last first."""
        with self._store.read() as session:
            return tuple(_graduation(row) for row in undoable(session))

    def undo(self, agent_id: int) -> GraduationRow:
        """Take back the last decision on an agent that was up for graduation: it is learning and waits again, which is recorded too.

        Possible until the agent's next iteration. Raises CannotUndo with the reason.
        """
        with self._store.write() as session:
            last = last_decision(session, agent_id)
            reason = "Nothing was decided on that agent's graduation." if last is None else why_final(session, last)
            if last is None or reason:
                raise CannotUndo(reason)
            return self._record(session, _agent(session, agent_id), last.version, UP_AGAIN, last.opening_id, last.checklist, "")

    def send_back(self, agent_id: int, note: str = "") -> GraduationRow:
        """Take an agent back to learning, which is recorded too. Raises CannotIterate where it is learning."""
        checklist = self.checklist(agent_id)
        if checklist.status == AgentStatus.LEARNING:
            raise CannotIterate(f"{checklist.agent} is learning.")
        return self._decide(checklist, AgentStatus.LEARNING, note)

    def graduations(self, agent_id: int) -> tuple[GraduationRow, ...]:
        """Every decision on an agent, newest first."""
        with self._store.read() as session:
            rows = session.exec(select(Graduation).where(Graduation.agent_id == agent_id).order_by(col(Graduation.id).desc()))
            return tuple(_graduation(row) for row in rows)

    def _record(
        self, session: Session, agent: TradingAgent, version: str, to: str, opening_id: int | None, checks: list[dict[str, Any]], note: str
    ) -> GraduationRow:
        row = Graduation(
            agent_id=agent.id or 0,
            agent=agent.name,
            version=version,
            from_status=agent.status,
            to_status=to,
            opening_id=opening_id,
            checklist=checks,
            note=note,
        )
        agent.status, agent.updated_at = AgentStatus.LEARNING if to == UP_AGAIN else AgentStatus(to), utc_now()
        session.add(agent)
        session.add(row)
        session.flush()
        return _graduation(row)

    def _decide(self, checklist: Checklist, to: AgentStatus, note: str) -> GraduationRow:
        with self._store.write() as session:
            agent = _agent(session, checklist.agent_id)
            if agent.status != checklist.status:
                raise CannotIterate(f"{agent.name} was decided on meanwhile, perhaps in another terminal.")
            opening = opening_of(session, checklist.agent_id, checklist.iteration_id)
            checks = [to_json(check) for check in checklist.rows]
            return self._record(session, agent, checklist.version, to, opening, checks, note.strip())


def _agent(session: Session, agent_id: int) -> TradingAgent:
    agent = session.get(TradingAgent, agent_id)
    if agent is None:
        raise NotThere("That agent no longer exists.")
    return agent


def _measured(session: Session, iteration_id: int) -> AgentIteration:
    row = session.get(AgentIteration, iteration_id)
    if row is None:
        raise NotThere.numbered("iteration", iteration_id)
    if row.backtest_results is None:
        raise CannotIterate("That iteration has no finished backtest to study.")
    return row


def _candidate(session: Session, agent: TradingAgent) -> tuple[AgentIteration, AgentStrategy]:
    """The newest measured iteration of the agent's current version on its universe."""
    found = session.exec(
        select(AgentIteration, AgentStrategy)
        .join(AgentStrategy, onclause=col(AgentIteration.strategy_id) == col(AgentStrategy.id))
        .where(
            AgentIteration.agent_id == agent.id,
            col(AgentStrategy.is_current_version),
            AgentIteration.universe_id == agent.universe_id,
            col(AgentIteration.backtest_results).is_not(None),
        )
        .order_by(col(AgentIteration.id).desc())
        .limit(1)
    ).first()
    if found is None:
        raise NotThere(f"{agent.name}'s current version was not measured yet; run an iteration first.")
    return found[0], found[1]


def _view(row: ProofRun) -> ProofView:
    assert row.id is not None
    return ProofView(
        row.id, row.kind, row.iteration_id, str(row.state), row.progress, row.note, row.failure, row.created_at, row.finished_at
    )


def _graduation(row: Graduation) -> GraduationRow:
    assert row.id is not None
    failed = tuple(str(check["rule"]) for check in row.checklist if not check["passed"])
    return GraduationRow(
        row.id, row.agent, row.version, row.from_status, row.to_status, row.note, failed, row.decided_at, agent_id=row.agent_id
    )
