"""One call to a model: the prompt and the reply exactly as sent; the next call is a key away."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from lab.agents.budget.views import CallView
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.widgets.flow import Flow
from lab.tui.widgets.money import call_lines
from lab.tui.widgets.tabs import Reader


class CallScreen(LabScreen[CallView]):
    """Opened with the call's id and the ids in the order they are stepped through."""

    PLACE = "call"
    TITLE = "Call"
    ACTIONS = (
        Action("next_call", "right,l", "Next call", "Shows the next call of the list you came from."),
        Action("previous_call", "left,h", "Previous", "Shows the call before it in the list you came from."),
        Action("raw", "z", "As JSON", "Shows request and reply as the JSON that was sent and received, and as text again."),
        BACK,
    )

    def __init__(self, call_id: int, order: Sequence[int] = ()) -> None:
        super().__init__()
        self._order = tuple(order) or (call_id,)
        self._at = self._order.index(call_id) if call_id in self._order else 0
        self._raw = False

    def compose_body(self) -> ComposeResult:
        with Reader(id="text"):
            yield Flow(id="call-text")

    def on_mount(self) -> None:
        self.query_one("#text").focus()

    def load(self) -> CallView:
        return self.lab.usage.call(self._order[self._at])

    def show(self, data: CallView) -> None:
        self.subtitle = f"{data.row.agent} · {self._at + 1:,} of {len(self._order):,}"
        self.query_one("#call-text", Flow).show(call_lines(data, self._raw))

    def why_not(self, name: str) -> str | None:
        if name == "next_call" and self._at + 1 >= len(self._order):
            return "This is the last call of the list."
        if name == "previous_call" and self._at == 0:
            return "This is the first call of the list."
        return None

    def action_next_call(self) -> None:
        self._step(1)

    def action_previous_call(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        self._at += by
        self.query_one("#text", Reader).scroll_home(animate=False)
        self.reload()

    def action_raw(self) -> None:
        self._raw = not self._raw
        if self.data is not None:
            self.show(self.data)

    def copied_text(self) -> str:
        """What copying takes: prompt and reply."""
        data = self.data
        return "" if data is None else f"{data.prompt}\n\n{data.reply}" if self._raw else f"{data.prompt_text}\n\n{data.reply_text}"
