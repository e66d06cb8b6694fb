"""The laboratory as screens and commands use it: every call is one short, blocking, complete action on a workspace.

A screen calls these from a thread. What reads gives snapshots (`lab.agents.views`); what writes is one transaction.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, update
from sqlmodel import col, select

from lab.agents import decisions, queries
from lab.agents.demands import limits
from lab.agents.errors import BadAgent, CannotIterate, NotThere
from lab.agents.personality import detect, normalised, risk_config, system_prompt
from lab.agents.standing import Standings
from lab.agents.views import (
    AgentRow,
    AgentView,
    CoverageRow,
    DetectedPersonality,
    FillRow,
    ImportPreview,
    ImportReport,
    IterationRow,
    IterationView,
    Personality,
    ProposalView,
    ScriptProblem,
    TradeRow,
    UniverseView,
    VersionComparison,
    WorkspaceState,
)
from lab.store.database import Store
from lab.store.models import (
    UNFINISHED,
    AgentIteration,
    IterationStatus,
    Preference,
    Proposal,
    ProposalState,
    TradingAgent,
    Universe,
    utc_now,
)
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from lab.agents.budget.usage import Usage
    from lab.agents.cache_care import CacheCare
    from lab.agents.claude.config import ClaudeSettings
    from lab.agents.doctor import Finding
    from lab.agents.drafting import FirstDraft
    from lab.agents.events import Event
    from lab.agents.evidence import EvidencePack
    from lab.agents.fetching import Fetches
    from lab.agents.firm import Curve, Firm
    from lab.agents.mind_service import Minds
    from lab.agents.news_store import News
    from lab.agents.proof.service import Proof
    from lab.agents.proof.views import Checklist
    from lab.agents.replay import Replay
    from lab.agents.sampling import Sample
    from lab.agents.trade_views import TradeView
    from lab.agents.trying import Tried
    from lab.agents.universes import Universes
    from lab.agents.version_trades import TradesCompared

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done."""

NAME_LENGTH = 60
INSTRUCTIONS_LENGTH = 4000
SEED = 20_260_101
"""Of every bootstrap, so that the same version on the same bars has the same intervals; stored with the iteration."""


class Lab:
    """One workspace, opened. Raises LabError with a sentence where it can't be."""

    def __init__(self, home: Path, claude: ClaudeSettings | None = None) -> None:
        self.workspace = Workspace(home)
        self._claude = claude
        self.store = Store(self.workspace)
        self._standings = Standings()
        self._checklists: dict[int, tuple[Hashable, Checklist]] = {}
        with self.store.read() as session:
            self._notices = queries.interrupted_notices(session)

    def close(self) -> None:
        self.store.close()

    @property
    def proof(self) -> Proof:
        """Studies of results, verdicts, the vault and graduation."""
        from lab.agents.proof.service import Proof

        return Proof(self.workspace, self.store, self._checklists)

    @property
    def usage(self) -> Usage:
        """What models were asked, what it cost, and what may be spent."""
        from lab.agents.budget.money import Daily
        from lab.agents.budget.usage import Usage
        from lab.agents.claude.config import MODEL

        daily, model = (self._claude.daily, self._claude.model) if self._claude is not None else (Daily(), MODEL)
        return Usage(self.store, self.workspace.home, daily, model)

    @property
    def minds(self) -> Minds:
        """Who thinks for an agent, iterations that are gone on with, and learning by itself."""
        from lab.agents.mind_service import Minds

        return Minds(self.store, self._claude, SEED)

    # --- reading

    def change_token(self) -> int:
        """A number that differs after anything in the workspace changed; cheap enough to ask twice a second."""
        return self.store.change_token()

    def state(self) -> WorkspaceState:
        with self.store.read() as session:
            state = queries.workspace_state(session, str(self.workspace.home), self._notices)
        return replace(state, pending_approvals=state.pending_approvals + len(self.proof.waiting()))

    def agents(self) -> list[AgentRow]:
        with self.store.read() as session:
            return queries.agent_rows(session)

    def standing(self) -> tuple[AgentRow, ...]:
        """All agents with what they do now and how they stand; the results without their curves, so that it is quick to ask for."""
        with self.store.read() as session:
            return self._standings.rows(queries.runner(session))

    def firm(self) -> Firm:
        """All agents taken together."""
        with self.store.read() as session:
            return self._standings.firm(queries.runner(session))

    def curve(self, agent_id: int) -> Curve:
        """The equity behind an agent's result; empty where it has none."""
        with self.store.read() as session:
            return self._standings.curve(queries.runner(session), agent_id)

    def agent(self, agent_id: int) -> AgentView:
        with self.store.read() as session:
            return queries.agent_view(session, agent_id)

    def agent_named(self, name: str) -> AgentRow:
        """The agent with this name, letter case aside."""
        rows = self.agents()
        found = next((row for row in rows if row.name.casefold() == name.strip().casefold()), None)
        if found is None:
            known = ", ".join(row.name for row in rows) or "none yet"
            raise NotThere(f"There is no agent named {name!r}. Agents here: {known}.")
        return found

    def iterations(self, agent_id: int | None = None) -> list[IterationRow]:
        with self.store.read() as session:
            return queries.iteration_rows(session, agent_id)

    def iteration(self, iteration_id: int) -> IterationView:
        with self.store.read() as session:
            return queries.iteration_view(session, iteration_id)

    def trades(self, iteration_id: int) -> list[TradeRow]:
        """The trades of an iteration's backtest in order of entry; empty before its backtest has finished."""
        from lab.agents.outputs import read_trades

        self.iteration(iteration_id)
        return read_trades(self.workspace.results, iteration_id)

    def fills(self, iteration_id: int) -> list[FillRow]:
        """The fills of these trades: each one's entry, then its exits; empty where the backtest is older than the table of fills."""
        from lab.agents.outputs import read_fills

        self.iteration(iteration_id)
        return read_fills(self.workspace.results, iteration_id)

    def evidence(self, iteration_id: int) -> EvidencePack | None:
        """All that may be said of an iteration's result, its breakdowns among it; None before its analysis has finished."""
        with self.store.read() as session:
            return queries.iteration_evidence(session, iteration_id)

    def trades_behind(self, iteration_id: int, evidence_id: str) -> tuple[int, ...]:
        """The places, in order of entry, of the trades that a piece of evidence is made of; reads files."""
        from lab.agents.evidence import trades_behind
        from lab.agents.outputs import explained_trades, folder_of

        pack = self.evidence(iteration_id)
        return () if pack is None else trades_behind(explained_trades(folder_of(self.workspace.results, iteration_id)), pack, evidence_id)

    def trade(self, iteration_id: int, place: int) -> TradeView:
        """One trade, by its place in order of entry (from 0), with the bars of the learning span around it. Raises NotThere."""
        from lab.agents.trade_view import trade_view

        return trade_view(self.workspace, self.store, iteration_id, place)

    def replay(self, iteration_id: int) -> Replay:
        """Run an iteration's backtest again and compare it with what is stored, to the bit."""
        from lab.agents.replay import replay

        return replay(self.workspace, self.store, iteration_id)

    def happened(self) -> tuple[Event, ...]:
        """What happened over all agents, newest first."""
        from lab.agents.happened import happened

        with self.store.read() as session:
            return happened(session)

    def installation(self, config: Path) -> list[Finding]:
        """What may be wrong with this installation and workspace, each with what to do; `config` is the person's folder of settings."""
        from lab.agents.doctor import installation

        return installation(self.workspace.home, config)

    def approvals(self) -> list[ProposalView]:
        with self.store.read() as session:
            return queries.pending_proposals(session)

    def proposal(self, proposal_id: int) -> ProposalView:
        with self.store.read() as session:
            return queries.proposal_view(session, proposal_id)

    def compare_versions(self, a_id: int, b_id: int) -> VersionComparison:
        with self.store.read() as session:
            return queries.version_comparison(session, self.workspace.results, a_id, b_id)

    def compare_trades(self, a_id: int, b_id: int) -> TradesCompared:
        """By which trades two versions differ; reads files."""
        from lab.agents.version_trades import compare_trades

        with self.store.read() as session:
            return compare_trades(session, self.workspace.results, a_id, b_id)

    def coverage(self) -> list[CoverageRow]:
        """What is cached, a row a ticker and timeframe."""
        from lab.agents.data import coverage

        return coverage(self.workspace)

    # --- agents

    def detect(self, instructions: str) -> DetectedPersonality:
        return detect(instructions)

    def check_instructions(self, instructions: str) -> None:
        """Raise BadAgent where no agent can be made of these words."""
        _checked_instructions(instructions)

    def create_agent(self, name: str, instructions: str, personality: Personality, universe_id: int) -> int:
        """Raises BadAgent, whose `field` is "name", "instructions" or "universe"."""
        name, instructions, personality = _checked_name(name), _checked_instructions(instructions), normalised(personality)
        with self.store.write() as session:
            universe = session.get(Universe, universe_id)
            if universe is None:
                raise BadAgent("universe", "Choose the universe the agent trades; import bars or make the demo market first.")
            self._refuse_taken_name(session, name, None)
            agent = TradingAgent(
                name=name,
                instructions=instructions,
                system_prompt=system_prompt(name, instructions, personality, _universe_words(universe)),
                risk_tolerance=personality.risk,
                trading_style=personality.style,
                pattern_focus=list(personality.focus),
                market_conditions=list(personality.markets),
                risk_config=risk_config(personality, instructions),
                universe_id=universe_id,
            )
            session.add(agent)
            session.flush()
            assert agent.id is not None
            return agent.id

    def update_agent(
        self,
        agent_id: int,
        *,
        name: str | None = None,
        instructions: str | None = None,
        personality: Personality | None = None,
        universe_id: int | None = None,
        risk: dict[str, float] | None = None,
    ) -> None:
        """Change what is given and leave the rest; the system prompt follows. Takes effect with the next iteration.

        Raises BadAgent as `create_agent` does, NotThere where the agent was deleted.
        """
        with self.store.write() as session:
            agent = session.get(TradingAgent, agent_id)
            if agent is None:
                raise NotThere("That agent no longer exists.")
            if name is not None:
                agent.name = _checked_name(name)
                self._refuse_taken_name(session, agent.name, agent_id)
            if instructions is not None:
                agent.instructions = _checked_instructions(instructions)
            if universe_id is not None:
                agent.universe_id = universe_id
            universe = session.get(Universe, agent.universe_id)
            if universe is None:
                raise BadAgent("universe", "That universe does not exist.")
            chosen = normalised(personality or queries.personality_of(agent))
            if personality is not None:
                agent.risk_tolerance, agent.trading_style = chosen.risk, chosen.style
                agent.pattern_focus, agent.market_conditions = list(chosen.focus), list(chosen.markets)
                agent.risk_config = risk_config(chosen, agent.instructions)
            elif instructions is not None:
                agent.risk_config = agent.risk_config | limits(agent.instructions).config()
            if risk is not None:
                agent.risk_config = _checked_risk(agent.risk_config, risk)
            agent.system_prompt = system_prompt(agent.name, agent.instructions, chosen, _universe_words(universe))
            agent.updated_at = utc_now()
            session.add(agent)

    def delete_agent(self, agent_id: int) -> None:
        """Delete an agent with its iterations, versions and knowledge. The trial ledger keeps what it tried."""
        with self.store.write() as session:
            agent = session.get(TradingAgent, agent_id)
            if agent is None:
                raise NotThere("That agent no longer exists.")
            ids = session.exec(select(AgentIteration.id).where(AgentIteration.agent_id == agent_id)).all()
            session.delete(agent)
        for iteration_id in ids:
            shutil.rmtree(self.workspace.results / f"iteration-{iteration_id}", ignore_errors=True)

    # --- iterations and decisions

    def start_iteration(self, agent_id: int, guidance: str = "") -> int:
        """Queue a learning iteration. Raises CannotIterate where one is under way or a proposal waits for a decision."""
        with self.store.write() as session:
            agent = session.get(TradingAgent, agent_id)
            if agent is None:
                raise NotThere("That agent no longer exists.")
            unfinished = select(AgentIteration).where(
                AgentIteration.agent_id == agent_id, col(AgentIteration.iteration_status).in_(UNFINISHED)
            )
            if session.exec(unfinished).first() is not None:
                raise CannotIterate(f"{agent.name} is already iterating; cancel that iteration or wait for it.")
            pending = select(Proposal).where(Proposal.agent_id == agent_id, Proposal.state == ProposalState.PENDING)
            if session.exec(pending).first() is not None:
                raise CannotIterate(f"{agent.name} has a proposal that waits for your decision: apply, edit or discard it first.")
            newest = session.exec(select(func.max(AgentIteration.iteration_number)).where(AgentIteration.agent_id == agent_id)).one()
            number = (newest or 0) + 1
            iteration = AgentIteration(
                agent_id=agent_id, iteration_number=number, universe_id=agent.universe_id, guidance=guidance.strip(), seed=SEED
            )
            session.add(iteration)
            session.flush()
            assert iteration.id is not None
            return iteration.id

    def cancel_iteration(self, iteration_id: int) -> None:
        """Stop an unfinished iteration for good; what its steps put out stays. Raises CannotIterate where it has already ended."""
        with self.store.write() as session:
            stopped = session.execute(
                update(AgentIteration)
                .where(col(AgentIteration.id) == iteration_id, col(AgentIteration.iteration_status).in_(UNFINISHED))
                .values(iteration_status=IterationStatus.CANCELLED, finished_at=utc_now(), lease_owner=None, lease_expires_at=None)
                .returning(col(AgentIteration.id))
            ).one_or_none()
            if stopped is None:
                raise CannotIterate("That iteration has already ended.")

    def apply(self, proposal_id: int) -> str:
        version = decisions.apply_proposal(self.store, proposal_id)
        self.minds.go_on()
        return version

    def apply_edited(self, proposal_id: int, scan: str, execution: str) -> str:
        version = decisions.apply_edited(self.store, proposal_id, scan, execution)
        self.minds.go_on()
        return version

    def discard(self, proposal_id: int, reason: str = "") -> None:
        decisions.discard(self.store, proposal_id, reason)
        self.minds.go_on()

    def undo(self, proposal_id: int) -> str:
        """Take back a decision: the proposal waits again. Returns the version that is current then. Raises CannotUndo, NotThere."""
        return decisions.undo(self.store, proposal_id)

    def undoable(self) -> list[ProposalView]:
        """The decided proposals whose decision can be taken back, the one decided last first."""
        with self.store.read() as session:
            return [queries.proposal_view(session, proposal.id or 0) for proposal in decisions.undoable(session)]

    def make_current(self, strategy_id: int) -> str:
        return decisions.make_current(self.store, strategy_id)

    # --- scripts

    def check_scripts(self, scan: str, execution: str, agent_id: int | None = None) -> tuple[ScriptProblem, ...]:
        """Every error in a pair of scripts; empty when both compile and the agent's universe, where one is given, has what they read."""
        from lab.agents.script_problems import script_problems

        universe = None
        if agent_id is not None:
            with self.store.read() as session:
                agent = session.get(TradingAgent, agent_id)
                universe = session.get(Universe, agent.universe_id) if agent is not None else None
        return script_problems(scan, execution, universe, self.workspace.bars)

    def signal_sample(self, agent_id: int) -> Sample:
        """The bars on which an editor counts an agent's signals. Raises NotThere where the agent was deleted."""
        from lab.agents.sampling import signal_sample
        from lab.agents.span import account_rules

        with self.store.read() as session:
            agent = session.get(TradingAgent, agent_id)
            if agent is None:
                raise NotThere("That agent no longer exists.")
            universe = session.get_one(Universe, agent.universe_id)
            return signal_sample(universe, self.workspace.bars, account_rules(agent.risk_config, universe))

    def first_draft(self, instructions: str, personality: Personality, universe_id: int) -> FirstDraft:
        """What an agent of these words would start with; nothing is stored. Raises BadAgent as `create_agent` does."""
        from lab.agents.drafting import first_draft

        instructions = _checked_instructions(instructions)
        with self.store.read() as session:
            universe = session.get(Universe, universe_id)
            if universe is None:
                raise BadAgent("universe", "Choose the universe the agent trades; import bars or make the demo market first.")
            return first_draft(instructions, normalised(personality), universe, self.workspace.bars)

    def try_scripts(self, scan: str, execution: str, universe_id: int, executor: Executor, risk: str = "balanced") -> Tried:
        """A person's own run on the learning span, counted as a trial. Raises LabError where it can't be measured."""
        from lab.agents.trying import try_scripts

        return try_scripts(self.workspace, self.store, executor, universe_id, scan, execution, risk, SEED)

    # --- universes and news

    @property
    def universes(self) -> Universes:
        """Named lists of tickers: made, edited, looked at."""
        from lab.agents.universes import Universes

        return Universes(self.workspace, self.store)

    @property
    def news(self) -> News:
        """The articles that are kept, by ticker and time."""
        from lab.agents.news_store import News

        return News(self.workspace, self.store)

    # --- bars

    def make_demo_market(self, progress: Progress) -> UniverseView:
        from lab.agents.data import make_demo_market

        return make_demo_market(self.workspace, self.store, progress)

    def preview_import(
        self, path: str, columns: Mapping[str, str] | None = None, time_zone: str | None = None, timeframe: str | None = None
    ) -> ImportPreview:
        from lab.agents.data import preview_import

        return preview_import(path, columns, time_zone, timeframe)

    def import_bars(self, preview: ImportPreview, universe_name: str, progress: Progress) -> ImportReport:
        from lab.agents.data import import_bars

        return import_bars(self.workspace, self.store, preview, universe_name, progress)

    @property
    def cache(self) -> CacheCare:
        """The cached bars: what is there session by session, how good it is, checked and repaired."""
        from lab.agents.cache_care import CacheCare

        return CacheCare(self.workspace)

    @property
    def fetches(self) -> Fetches:
        """What is fetched from Polygon: started, paused, resumed, cancelled, watched."""
        from lab.agents.fetching import Fetches

        return Fetches(self.workspace, self.store)

    # --- the person's own choices

    def preference(self, key: str) -> str | None:
        with self.store.read() as session:
            kept = session.get(Preference, key)
            return kept.value if kept else None

    def set_preference(self, key: str, value: str) -> None:
        with self.store.write() as session:
            session.merge(Preference(key=key, value=value))

    def _refuse_taken_name(self, session: Any, name: str, own_id: int | None) -> None:
        taken = session.exec(select(TradingAgent.id).where(func.lower(TradingAgent.name) == name.lower())).first()
        if taken is not None and taken != own_id:
            raise BadAgent("name", f"An agent named {name!r} exists already; choose another name.")


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise BadAgent("name", "Give the agent a name.")
    if len(name) > NAME_LENGTH:
        raise BadAgent("name", f"The name is {len(name)} characters long; {NAME_LENGTH} are the most.")
    if not name.isprintable():
        raise BadAgent("name", "The name has a character that can't be printed; type it again.")
    return name


def _checked_instructions(instructions: str) -> str:
    instructions = instructions.strip()
    if not instructions:
        raise BadAgent("instructions", "Say in a sentence how the agent should trade.")
    if len(instructions) > INSTRUCTIONS_LENGTH:
        raise BadAgent("instructions", f"The instructions are {len(instructions)} characters long; {INSTRUCTIONS_LENGTH} are the most.")
    if not detect(instructions).has_trading_content:
        raise BadAgent(
            "instructions",
            "These instructions say nothing about trading. Name a pattern or a style, for example: "
            "“a conservative VWAP scalper for tech stocks” or “fade opening gaps in calm markets”.",
        )
    return instructions


def _checked_risk(known: dict[str, float], changed: dict[str, float]) -> dict[str, float]:
    for key, value in changed.items():
        if key not in known:
            raise BadAgent("risk", f"There is no risk setting {key!r}; there are {', '.join(known)}.")
        if not 0 < value < 1e6:
            raise BadAgent("risk", f"{key} must be above 0, not {value:g}.")
    return {**known, **changed}


def _universe_words(universe: Universe) -> str:
    return f"{universe.name}: {len(universe.tickers)} tickers, {universe.timeframe} bars"


__all__ = ["Lab", "Progress"]
