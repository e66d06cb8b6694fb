"""Who thinks for an agent and when: its strategist, iterations that are gone on with, and learning by itself."""

from __future__ import annotations

from sqlmodel import col, select

from lab.agents import continuous, queries
from lab.agents.claude.config import ClaudeSettings
from lab.agents.errors import BadAgent, CannotIterate, NotThere, StrategistFailed
from lab.agents.minds import CHOICES, CLAUDE, mind_of
from lab.agents.rules import Rule
from lab.agents.views import DetectedPersonality, ProposalView
from lab.store.database import Store
from lab.store.models import UNFINISHED, AgentIteration, IterationStatus, TradingAgent, utc_now


class Minds:
    """Reads and sets what belongs to strategists. Every call is one short action."""

    def __init__(self, store: Store, claude: ClaudeSettings | None, seed: int) -> None:
        self._store, self._claude, self._seed = store, claude, seed

    def sentence(self, agent_id: int) -> str:
        """Which strategist would run the agent's next iteration, and why. Raises NotThere."""
        return mind_of(self._agent(agent_id).strategist, self._claude).sentence

    def ahead(self, agent_id: int) -> str:
        """What the agent's next iteration may cost and what is left of today's budgets, a sentence; empty where no model thinks for it.

        Raises NotThere.
        """
        if self._claude is None or mind_of(self._agent(agent_id).strategist, self._claude).kind != CLAUDE or self._store.workspace is None:
            return ""
        from lab.agents.budget.prices import dollars
        from lab.agents.budget.usage import Usage

        usage = Usage(self._store, self._store.workspace.home, self._claude.daily, self._claude.model)
        try:
            cost = usage.estimate(agent_id)
        except StrategistFailed as error:
            return str(error)
        left = min(usage.budget(agent_id).left_micros, usage.whole_lab().left_micros)
        basis = (
            f"from {cost.past_iterations} past ones, a range that holds {cost.coverage:.0%} of the time"
            if cost.past_iterations
            else "by its token budget"
        )
        said = f"The next iteration may cost {dollars(cost.low_micros, 3)} to {dollars(cost.high_micros, 3)}, {basis}"
        return f"{said}; {dollars(left, 3)} left today" + ("." if left >= cost.high_micros else ", so it may have to wait for tomorrow.")

    def choose(self, agent_id: int, choice: str) -> str:
        """Set the agent's strategist: "auto", "built-in" or "claude". Returns the sentence on who runs then. Raises BadAgent, NotThere."""
        if choice not in CHOICES:
            raise BadAgent("strategist", f"There is no strategist {choice!r}; there are {', '.join(CHOICES)}.")
        with self._store.write() as session:
            agent = session.get(TradingAgent, agent_id)
            if agent is None:
                raise NotThere("That agent no longer exists.")
            agent.strategist, agent.updated_at = choice, utc_now()
            session.add(agent)
        return mind_of(choice, self._claude).sentence

    def read_personality(self, words: str, universe_id: int | None = None) -> DetectedPersonality:
        """Who an agent of these words would be, read by Claude where there is a key and budget, else by the built-in words.

        `read_by` says which and why. Blocks while the model answers; the universe is the one the agent would trade.
        """
        from lab.agents.personality_reading import personality_read

        return personality_read(self._store, self._claude, words, universe_id)

    def resume(self, iteration_id: int) -> None:
        """Let a failed or paused iteration go on from its last finished step; paid replies are not bought again.

        Raises CannotIterate where it has ended otherwise, or another iteration of the agent is under way; NotThere.
        """
        with self._store.write() as session:
            row = session.get(AgentIteration, iteration_id)
            if row is None:
                raise NotThere.numbered("iteration", iteration_id)
            if row.iteration_status == IterationStatus.FAILED:
                unfinished = AgentIteration.agent_id == row.agent_id, col(AgentIteration.iteration_status).in_(UNFINISHED)
                if session.exec(select(AgentIteration.id).where(*unfinished)).first() is not None:
                    raise CannotIterate("Another iteration of this agent is under way; cancel that one or wait for it.")
                newer = AgentIteration.agent_id == row.agent_id, AgentIteration.iteration_number > row.iteration_number
                if session.exec(select(AgentIteration.id).where(*newer)).first() is not None:
                    raise CannotIterate("A newer iteration of this agent has run since; start another one.")
                row.iteration_status = IterationStatus.QUEUED
                row.failure, row.finished_at = "", None
            elif row.iteration_status not in UNFINISHED:
                raise CannotIterate("That iteration has ended; start a new one.")
            row.paused_until, row.pause_reason = None, ""
            session.add(row)

    def rule(self, agent_id: int) -> Rule | None:
        """How the agent learns by itself; None where it learns only when told. Raises NotThere."""
        return continuous.rule_of(self._agent(agent_id))

    def set_rule(self, agent_id: int, rule: Rule | None) -> list[int]:
        """Let the agent learn by itself, or no longer. Returns the iterations queued: they want a worker. Raises BadAgent, NotThere."""
        continuous.set_rule(self._store, agent_id, rule)
        return self.go_on()

    def go_on(self) -> list[int]:
        """Queue what is due for the agents that learn by themselves; returns the iterations queued."""
        return continuous.go_on(self._store, self._seed)

    def undo(self, proposal_id: int) -> str:
        """Take back a refinement that a rule applied. Returns the version that is current then. Raises LabError, NotThere."""
        return continuous.undo(self._store, proposal_id)

    def undoable(self) -> list[ProposalView]:
        """The refinements that a rule applied and that are in force, the one applied last first."""
        with self._store.read() as session:
            return [queries.proposal_view(session, proposal.id or 0) for proposal in continuous.undoable(session)]

    def _agent(self, agent_id: int) -> TradingAgent:
        with self._store.read() as session:
            agent = session.get(TradingAgent, agent_id)
        if agent is None:
            raise NotThere("That agent no longer exists.")
        return agent


__all__ = ["Minds"]
