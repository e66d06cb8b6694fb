"""Deciding on proposals by one key, and taking a decision back: shared by the iteration screen and the approvals queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from lab.agents.views import ProposalView
from lab.tui.screen import LabScreen
from lab.tui.text import plural

DataT = TypeVar("DataT")


class DecidingScreen(LabScreen[DataT]):
    """A screen with a proposal at hand that `a` applies, `e` edits and `d` discards; `X` takes a decision back."""

    def proposal(self) -> ProposalView | None:
        """The proposal the decision keys are about."""
        raise NotImplementedError

    def chosen(self) -> Sequence[ProposalView]:
        """The proposals that applying and discarding are about: several where they were marked."""
        return [proposal] if (proposal := self.proposal()) is not None else []

    def undoable(self) -> ProposalView | None:
        """The proposal whose decision would be taken back."""
        proposal = self.proposal()
        return proposal if proposal is not None and proposal.state != "pending" else None

    def why_not(self, name: str) -> str | None:
        if name in ("apply", "edit", "discard"):
            proposal = self.proposal()
            if proposal is None:
                return "There is no proposal to decide on here."
            if proposal.state != "pending":
                return f"This proposal was already {proposal.state}."
        if name == "undo" and self.undoable() is None:
            return "There is no decision here that can still be taken back."
        return super().why_not(name)

    async def action_apply(self) -> None:
        await self._decide(self.chosen(), self.lab.apply, "Applied")

    def action_edit(self) -> None:
        if (proposal := self.proposal()) is not None:
            # Opened at once: keys typed ahead belong to the editor.
            self.app.push_screen(self.lab_app.make("editor", proposal), lambda _: self.reload())

    def action_discard(self) -> None:
        proposals = self.chosen()
        if not proposals:
            return
        what = f"“{proposals[0].title}”" if len(proposals) == 1 else f"these {len(proposals)} proposals"
        learns = "The agent learns from it and will not propose it again." if len(proposals) == 1 else "The agents learn from it."
        hint = "Why? It helps the agent, but may stay empty."
        self.pose("ask_line", f"Discard {what}? {learns}", hint, "discard", then=partial(self._discard, proposals))

    async def _discard(self, proposals: Sequence[ProposalView], reason: str) -> None:
        kept = "Discarded; the reason is kept" if reason else "Discarded"
        await self._decide(proposals, lambda proposal_id: self.lab.discard(proposal_id, reason), kept)

    async def _decide(self, proposals: Sequence[ProposalView], decide: Callable[[int], str | None], done_words: str) -> None:
        """Decide on each, one after the other; what one was refused for is told, and the others are decided all the same."""
        done = [(proposal, result.value) for proposal in proposals if (result := await self.attempt(decide, proposal.id))]
        if len(done) == 1:
            proposal, version = done[0]
            now = f"{proposal.agent} is now at version {version}." if version else f"{proposal.agent}: “{proposal.title}”."
            self.tell(f"{done_words}: {now} {self.lab_app.key_of('undo')} takes it back.")
        elif done:
            self.tell(f"{done_words}: {plural(len(done), 'proposal')}. {self.lab_app.key_of('undo')} takes them back, the last one first.")
        self.reload()

    async def action_undo(self) -> None:
        proposal = self.undoable()
        if proposal is not None and (done := await self.attempt(self.lab.undo, proposal.id)):
            self.tell(f"Taken back: “{proposal.title}” waits again, and {proposal.agent} is at version {done.value}.")
        self.reload()
