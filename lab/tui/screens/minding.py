"""Who thinks for an agent, what it may spend and whether it learns by itself: the keys of an agent's settings tab."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial

from lab.agents.budget.views import BudgetView, Estimate
from lab.agents.rules import Refinements, Rule
from lab.errors import LabError
from lab.tui.actions import Action
from lab.tui.screens.graduating import GraduatingScreen
from lab.tui.screens.studying import DataT
from lab.tui.screens.usage import BUDGET, set_budget
from lab.tui.text import usd

MINDING = (
    Action(
        "strategist",
        "S",
        "Strategist",
        "Chooses who thinks for this agent: the built-in strategist or Claude.",
    ),
    BUDGET,
    Action("learning", "L", "By itself", "Lets the agent learn by itself until an end that you set, or no longer."),
)
STRATEGISTS = {
    "a": ("auto", "Claude where there is a key, else the built-in strategist"),
    "b": ("built-in", "no network, costs nothing"),
    "c": ("claude", "the model of the settings, within the budget"),
}
LEARNING = {
    "w": ("By itself, you decide", "each refinement waits for you; the next iteration follows your decision"),
    "b": ("By itself, better ones applied", "those measured as better on unseen sessions are applied, others discarded"),
    "o": ("Off", "it learns only when told"),
}
_ENDS = {
    "max_iterations": re.compile(r"(\d+)\s*iter"),
    "max_micros": re.compile(r"\$\s*(\d+(?:\.\d+)?)"),
    "patience": re.compile(r"(\d+)\s*without"),
}


@dataclass(frozen=True, slots=True)
class MindData:
    strategist: str
    """Who runs next, and why, a sentence."""
    budget: BudgetView
    rule: Rule | None
    estimate: Estimate | None
    """None where the model has no price."""


def rule_from(words: str, refinements: Refinements) -> Rule | None:
    """A rule from words such as "10 iterations, $2, 3 without progress"; None where they name no end."""
    found = {name: match.group(1) for name, pattern in _ENDS.items() if (match := pattern.search(words.casefold()))}
    if not found:
        return None
    return Rule(
        refinements=refinements,
        max_iterations=int(found["max_iterations"]) if "max_iterations" in found else None,
        max_micros=round(float(found["max_micros"]) * 1e6) if "max_micros" in found else None,
        patience=int(found["patience"]) if "patience" in found else None,
    )


def rule_words(rule: Rule | None) -> str:
    """How an agent learns, a sentence."""
    if rule is None:
        return "off: it learns only when told"
    ends = [
        f"{rule.max_iterations} iterations" if rule.max_iterations is not None else "",
        f"{usd(rule.max_micros)} spent" if rule.max_micros is not None else "",
        f"{rule.patience} iterations without progress" if rule.patience is not None else "",
    ]
    who = "refinements wait for you" if rule.refinements is Refinements.WAIT else "those measured as better are applied"
    return f"by itself until {' or '.join(end for end in ends if end)}; {who}" + (f". {rule.stopped}" if rule.stopped else "")


def estimate_words(estimate: Estimate | None) -> str:
    """What the next iteration may cost where Claude thinks."""
    if estimate is None:
        return "not known: the model has no price"
    basis = f"from {estimate.past_iterations} past ones" if estimate.past_iterations else "by its token budget, as there is no past one"
    return f"{usd(estimate.low_micros)} to {usd(estimate.high_micros)} an iteration with a model, {basis}"


class MindingScreen(GraduatingScreen[DataT]):
    """A screen about one agent whose strategist, budget and learning can be set."""

    def minded_agent(self) -> tuple[int, str]:
        """The agent's id and name."""
        raise NotImplementedError

    def load_mind(self, agent_id: int) -> MindData:
        """Read it. Runs in a thread."""
        estimate = self.load_estimate(agent_id)
        return MindData(self.lab.minds.sentence(agent_id), self.lab.usage.budget(agent_id), self.lab.minds.rule(agent_id), estimate)

    def load_estimate(self, agent_id: int) -> Estimate | None:
        """What the next iteration may cost; None where the model has no price. Runs in a thread."""
        try:
            return self.lab.usage.estimate(agent_id)
        except LabError:
            return None

    def action_strategist(self) -> None:
        _, name = self.minded_agent()
        self.pose("letters", f"Who shall think for {name} from the next iteration on?", STRATEGISTS, then=self._strategist)

    async def _strategist(self, letter: str) -> None:
        if done := await self.attempt(self.lab.minds.choose, self.minded_agent()[0], STRATEGISTS[letter][0]):
            self.tell(done.value)
            self.reload()

    def action_budget(self) -> None:
        _, name = self.minded_agent()
        self.pose("ask_line", f"How many dollars may {name} spend in a New York day?", "such as 2.50", "set it", then=self._budget)

    async def _budget(self, typed: str) -> None:
        await set_budget(self, self.minded_agent()[0], typed)

    def action_learning(self) -> None:
        _, name = self.minded_agent()
        self.pose("letters", f"Shall {name} learn by itself?", LEARNING, then=self._learning)

    def _learning(self, letter: str) -> Awaitable[None] | None:
        if letter == "o":
            return self._set_rule(None)
        question = "When shall it end? Name a number of iterations, an amount, or iterations without progress, or several of them."
        then = partial(self._learn_until, Refinements.WAIT if letter == "w" else Refinements.APPLY_BETTER)
        self.pose("ask_line", question, "such as 10 iterations, $2, 3 without progress", "let it learn", then=then)
        return None

    async def _learn_until(self, refinements: Refinements, words: str) -> None:
        rule = rule_from(words, refinements)
        if rule is None:
            self.tell(f"“{words}” names no end: write such as 10 iterations, $2, 3 without progress.", error=True)
        else:
            await self._set_rule(rule)

    async def _set_rule(self, rule: Rule | None) -> None:
        agent_id, name = self.minded_agent()
        if done := await self.attempt(self.lab.minds.set_rule, agent_id, rule):
            self.tell(f"{name} learns {rule_words(rule)}." if rule else f"{name} learns only when told.")
            if done.value:
                await self.lab_app.ensure_worker()
            self.reload()
