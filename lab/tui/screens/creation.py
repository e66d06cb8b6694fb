"""Making an agent: its words, what the program reads from them, and a key that creates it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input, Static, TextArea

from lab.errors import LabError
from lab.tui.actions import BACK, Action
from lab.tui.screens.agent_form import AgentForm, FormData
from lab.tui.text import clean, plural
from lab.tui.widgets.choices import Choices
from lab.work.sampling import LONGEST_SECONDS, SignalCounter

if TYPE_CHECKING:
    from lab.agents.drafting import FirstDraft
    from lab.agents.sampling import Sample, SignalCount

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
        Action("ask_claude", "ctrl+l", "Ask Claude", "Claude reads the personality from your words; it costs about a cent."),
        Action("example", "f2", "Example", "Fills in an example to start from; again for the next one."),
        Action("dry_run", "ctrl+t", "Dry run", "Counts how often such an agent would signal, before it is made; again stops the count."),
        BACK,
    )
    CSS = "CreationScreen #dry-run { height: auto; padding: 0 1; display: none; }"
    make_counter: ClassVar[Callable[[Sample], SignalCounter]] = SignalCounter

    def __init__(self) -> None:
        super().__init__()
        self._example = -1
        self._counter: SignalCounter | None = None
        self._counting: Timer | None = None
        """Ticks while signals are counted."""

    def compose_more(self) -> ComposeResult:
        yield Static(id="dry-run", markup=False)

    def placeholder(self) -> str:
        return "How should it trade? Which pattern, when, at what risk?  (f2 fills in an example)"

    def load(self) -> FormData:
        return FormData(self.lab.state().universes, tuple(self.lab.standing()))

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

    # How often it would signal

    def action_dry_run(self) -> None:
        """Count in a process of its own, so that nothing waits for it; or stop counting."""
        if self._counting is not None:
            self.workers.cancel_group(self, "dry-run")
        else:
            self.run_worker(self._dry_run(), group="dry-run", exclusive=True)

    async def _dry_run(self) -> None:
        universe = self.universe_chosen
        if universe is None:
            return
        began = time.monotonic()
        self._say_dry_run("Dry run: writing the first strategy…")
        key, most = self.lab_app.key_of("dry_run"), f"{LONGEST_SECONDS:.0f} s at most"
        self._counting = self.set_interval(
            1.0, lambda: self._say_dry_run(f"Dry run: counting signals, {time.monotonic() - began:.0f} s of {most}… {key} stops")
        )
        words = ""
        try:
            if done := await self.submit(self.lab.first_draft, self.instructions_typed, self.personality(), universe):
                draft = done.value
                self._counter = type(self).make_counter(draft.sample)
                found = await self._counter.count(draft.scan_script, draft.execution_script)
                words = dry_run_words(draft, found)
        except LabError as error:
            words = f"Dry run: {error}"
        finally:
            self._counting.stop()
            self._counting = None
            self._say_dry_run(words)
            await self._end_counter()

    def _say_dry_run(self, words: str) -> None:
        for note in self.query("#dry-run").results(Static):
            shown, note.display = note.display, bool(words)
            note.update(clean(words))
            if words and (not shown or self._counting is None):  # the result has more lines than what stood there while it was counted
                self.call_after_refresh(note.scroll_visible, animate=False)

    async def _end_counter(self) -> None:
        counter, self._counter = self._counter, None
        if counter is not None:
            await counter.close()

    async def on_unmount(self) -> None:
        await self._end_counter()

    @on(TextArea.Changed, "#instructions")
    @on(Choices.Changed)
    def _out_of_date(self) -> None:
        """What was counted is not of what stands here now."""
        if self._counting is None:
            self._say_dry_run("")

    # Examples

    def action_example(self) -> None:
        if self.holds_work:
            self.pose("confirm", "Replace what you typed by an example?", "Replace", "Keep mine", then=self._fill_in)
        else:
            self._next_example()

    async def _fill_in(self, yes: bool) -> None:
        self._next_example()

    def _next_example(self) -> None:
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

    def action_back(self) -> None:
        self.leave("Leave without creating the agent? What you typed is lost.")

    @property
    def holds_work(self) -> bool:
        """True where the person typed something of their own."""
        typed = (self.name_typed.strip(), self.instructions_typed.strip())
        return any(typed) and typed[1] not in (words for _, words in EXAMPLES)


def dry_run_words(draft: FirstDraft, found: SignalCount) -> str:
    """ "VWAP bounce: 18 signals a month on Demo market (synthetic)", with what was counted and what that says."""
    from lab.agents.drafting import signals_a_month

    month = signals_a_month(found)
    label = " (synthetic)" if draft.sample.synthetic else ""
    some = f" on {found.tickers} of {found.all_tickers} tickers" if found.tickers < found.all_tickers else ""
    counted = f"{plural(found.signals, 'signal')} in the last {plural(found.sessions, 'session')}{some}"
    few = " That is too little to learn from: widen what it looks for, or give it more tickers." if month < 3 else ""
    return (
        f"{draft.pattern}: {plural(month, 'signal')} a month on {draft.sample.universe}{label}; counted {counted}. "
        f"As the built-in strategist would begin.{few}"
    )
