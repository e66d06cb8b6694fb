"""Deciding on a proposal by one key: shared by the iteration screen and the approvals queue."""

from __future__ import annotations

from typing import TypeVar

from lab.agents.views import ProposalView
from lab.tui.screen import LabScreen
from lab.tui.screens.ask_line import AskLine

DataT = TypeVar("DataT")


class DecidingScreen(LabScreen[DataT]):
    """A screen with a proposal at hand that `a` applies, `e` edits and `d` discards."""

    def proposal(self) -> ProposalView | None:
        """The proposal the decision keys are about."""
        raise NotImplementedError

    def why_not(self, name: str) -> str | None:
        if name in ("apply", "edit", "discard"):
            proposal = self.proposal()
            if proposal is None:
                return "There is no proposal to decide on here."
            if proposal.state != "pending":
                return f"This proposal was already {proposal.state}."
        return super().why_not(name)

    async def action_apply(self) -> None:
        proposal = self.proposal()
        if proposal is None:
            return
        if done := await self.attempt(self.lab.apply, proposal.id):
            self.tell(f"Applied: {proposal.agent} is now at version {done.value}.")
        self.reload()

    async def action_edit(self) -> None:
        proposal = self.proposal()
        if proposal is not None:
            await self.ask("editor", proposal)
            self.reload()

    async def action_discard(self) -> None:
        proposal = self.proposal()
        if proposal is None:
            return
        question = f"Discard “{proposal.title}”? The agent learns from it and will not propose it again."
        reason = await self.app.push_screen_wait(AskLine(question, "Why? It helps the agent, but may stay empty.", "discard"))
        if reason is None:
            return
        if await self.attempt(self.lab.discard, proposal.id, reason):
            self.tell("Discarded." if not reason else "Discarded; the agent keeps the reason.")
        self.reload()
