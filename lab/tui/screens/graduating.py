"""The keys on the way from learning to trading on paper: studies, the vault with its warning, the decision, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from lab.agents.proof.views import Checklist, GraduationRow, ProofView
from lab.tui.actions import STUDY, Action
from lab.tui.screens.studying import DataT, StudyingScreen
from lab.tui.text import plural
from lab.tui.widgets.graduation import LEARNING, vault_question
from lab.tui.widgets.proof import UNDER_WAY

GRADUATING = (
    STUDY,
    Action("open_vault", "O", "Open vault", "Opens the vault for the current version, after a warning: it counts for ever."),
    Action("graduate", "P", "Trade on paper", "Lets the agent trade on paper; rules not passed need your reason."),
    Action("send_back", "B", "Back to learning", "Takes an agent that trades on paper back to learning."),
    Action("rules", "r", "Bounds", "Changes a bound of the checklist for this agent."),
)


@dataclass(frozen=True, slots=True)
class GraduationData:
    """The way to paper trading, read when its tab is shown."""

    checklist: Checklist
    runs: tuple[ProofView, ...]
    decisions: tuple[GraduationRow, ...]
    trials: dict[str, int]


class GraduatingScreen(StudyingScreen[DataT]):
    """A screen about one agent that can be put up for graduation."""

    def graduation(self) -> GraduationData | None:
        """What the keys are about; None until it is read."""
        raise NotImplementedError

    def load_graduation(self, agent_id: int, checklist: Checklist | None = None) -> GraduationData:
        """Read it, but for what was read already. Runs in a thread."""
        proof = self.lab.proof
        checklist = checklist or proof.checklist(agent_id)
        runs = () if checklist.iteration_id is None else proof.runs(checklist.iteration_id)
        return GraduationData(checklist, runs, proof.graduations(agent_id), proof.trials(agent_id))

    def why_not_graduate(self, name: str) -> str | None:
        """Why one of the keys can't be used now."""
        data = self.graduation()
        if data is None:
            return "The checklist is still being read."
        checklist = data.checklist
        if checklist.iteration_id is None and name in ("study", "open_vault", "graduate"):
            return f"{checklist.agent}'s current version was not measured yet: run an iteration first."
        if name == "open_vault":
            if any(run.kind == "vault" and run.state in UNDER_WAY for run in data.runs):
                return "The vault is being opened."
            if "vault" not in checklist.missing:
                return f"The vault was opened for version {checklist.version} already; a second look would add nothing."
        if name == "graduate":
            if checklist.status != LEARNING:
                return f"{checklist.agent} trades on paper already."
            if "vault" in checklist.missing:
                return "The vault was not opened for this version yet: that comes first."
        if name == "send_back" and checklist.status == LEARNING:
            return f"{checklist.agent} is learning."
        return None

    def studied_iteration(self) -> int | None:
        data = self.graduation()
        return None if data is None else data.checklist.iteration_id

    def action_open_vault(self) -> None:
        if data := self.graduation():
            then = partial(self._open_vault, data.checklist.agent_id)
            self.pose("confirm", vault_question(data.checklist), "Open it", "Leave it closed", then=then)

    async def _open_vault(self, agent_id: int, yes: bool) -> None:
        if await self.attempt(self.lab.proof.open_vault, agent_id):
            await self.lab_app.ensure_worker()
            self.tell("The vault is opened: the worker looks at what the version does in it.")
        self.reload()

    def action_graduate(self) -> None:
        data = self.graduation()
        if data is None:
            return
        checklist = data.checklist
        then = partial(self._graduate, checklist)
        failed = [row.says for row in checklist.rows if not row.passed]
        if failed:
            missed = plural(len(failed), "rule is", "rules are")
            question = f"{missed} not passed: {'; '.join(failed)}. Why may {checklist.agent} trade on paper all the same?"
            self.pose("ask_line", question, "Your reason is kept with the decision.", "let it trade on paper", then=then)
        else:
            question = f"Every rule is passed. Let {checklist.agent} trade on paper with version {checklist.version}?"
            self.pose("confirm", question, "Trade on paper", "Go on learning", then=then)

    async def _graduate(self, checklist: Checklist, note: str | bool) -> None:
        if await self.attempt(self.lab.proof.graduate, checklist.agent_id, note if isinstance(note, str) else ""):
            self.tell(f"{checklist.agent} trades on paper.")
        self.reload()

    def action_send_back(self) -> None:
        if data := self.graduation():
            question = f"Send {data.checklist.agent} back to learning? The decision is recorded. Why?"
            self.pose("ask_line", question, "It may stay empty.", "send it back", then=self._send_back)

    async def _send_back(self, note: str) -> None:
        data = self.graduation()
        if data is not None and await self.attempt(self.lab.proof.send_back, data.checklist.agent_id, note):
            self.tell(f"{data.checklist.agent} is learning again.")
        self.reload()

    def action_rules(self) -> None:
        if data := self.graduation():
            known = ", ".join(f"{row.rule}={row.asked:g}" for row in data.checklist.rows)
            self.pose("ask_line", f"Which bound, and what shall it be? Now: {known}.", "such as least_trades=60", "set it", then=self._rule)

    async def _rule(self, words: str) -> None:
        data = self.graduation()
        name, equals, value = words.partition("=")
        try:
            changed = {name.strip(): float(value)} if equals else {}
        except ValueError:
            changed = {}
        if not changed or data is None:
            self.tell(f"“{words}” is no bound: write a rule, = and a number, such as least_trades=60.", error=True)
        elif await self.attempt(self.lab.proof.set_rules, data.checklist.agent_id, changed):
            self.reload()
