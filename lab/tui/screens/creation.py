"""Making an agent: its words, what the program reads from them, and a key that creates it."""

from __future__ import annotations

from textual.widgets import Input, TextArea

from lab.tui.actions import BACK, Action
from lab.tui.screens.agent_form import AgentForm, FormData

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "VWAP Guardian",
        "Create a conservative VWAP scalper for tech stocks. Buy the bounce off VWAP in the morning when volume is loud, "
        "and be out within the hour.",
    ),
    (
        "Gap Hunter",
        "Aggressive day trader. Trade gaps up of more than 2 % that hold above the opening range with strong volume; skip falling markets.",
    ),
    (
        "Reversal Artist",
        "Balanced mean-reversion trader: buy what was sold off too hard near support when RSI is extreme, in calm markets only.",
    ),
    (
        "Squeeze Watcher",
        "Wait for a Bollinger squeeze, then trade the breakout in the direction of the trend. Small risk, few trades.",
    ),
    (
        "Range Breaker",
        "Momentum trader for opening-range breakouts on loud volume in rising markets. Cut losses at the middle of the range.",
    ),
)


class CreationScreen(AgentForm):
    """A new agent; nothing typed is lost when something is wrong with it."""

    PLACE = "creation"
    TITLE = "New agent"
    ACTIONS = (
        Action("create", "ctrl+g", "Create", "Creates the agent as it stands here."),
        Action("ask_claude", "f3", "Ask Claude", "Claude reads the personality from your words; it costs about a cent."),
        Action("example", "f2", "Example", "Fills in an example to start from; again for the next one."),
        BACK,
    )

    def __init__(self) -> None:
        super().__init__()
        self._example = -1

    def placeholder(self) -> str:
        return "How should it trade? Which pattern, when, at what risk?  (f2 fills in an example)"

    def load(self) -> FormData:
        return FormData(self.lab.state().universes, frozenset(row.name.casefold() for row in self.lab.agents()))

    def why_not(self, name: str) -> str | None:
        if name == "create" and self.data is not None and not self.data.universes:
            return "There are no bars yet: make the demo market or import a file first."
        return super().why_not(name)

    async def action_create(self) -> None:
        universe = self.universe_chosen
        if universe is None:
            return
        done = await self.submit(self.lab.create_agent, self.name_typed, self.instructions_typed, self.personality(), universe)
        if done:
            self.tell(f"{' '.join(self.name_typed.split())} is here. i starts its first iteration.")
            self.app.switch_screen(self.lab_app.make("agent", done.value))

    async def action_example(self) -> None:
        if self.holds_work and not await self.confirm("Replace what you typed by an example?", yes="Replace", no="Keep mine"):
            return
        taken = self.data.taken if self.data else frozenset()
        self._example = (self._example + 1) % len(EXAMPLES)
        name, words = EXAMPLES[self._example]
        if name.casefold() in taken:
            name = next(numbered for at in range(2, len(taken) + 3) if (numbered := f"{name} {at}").casefold() not in taken)
        self.query_one("#name", Input).value = name
        area = self.query_one("#instructions", TextArea)
        area.text = words
        area.move_cursor(area.document.end)
        self.set_focus(area)

    async def action_back(self) -> None:
        if not self.holds_work or await self.confirm("Leave without creating the agent? What you typed is lost.", yes="Leave", no="Stay"):
            self.dismiss(None)

    @property
    def holds_work(self) -> bool:
        """True where the person typed something of their own."""
        typed = (self.name_typed.strip(), self.instructions_typed.strip())
        return any(typed) and typed[1] not in (words for _, words in EXAMPLES)
