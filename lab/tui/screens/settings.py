"""Changing an agent: the form of its creation, filled in, and its limits on risk."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Static, TextArea

from lab.agents.views import AgentView
from lab.tui.actions import BACK, Action
from lab.tui.screens.agent_form import AgentForm, FormData
from lab.tui.text import clean
from lab.tui.widgets.limits import limit_of, shown, stored


class SettingsScreen(AgentForm):
    """An agent's settings; they take effect with its next iteration."""

    PLACE = "settings"
    TITLE = "Settings"
    ACTIONS = (
        Action("save", "ctrl+g", "Save", "Saves the settings; they take effect with the next iteration."),
        BACK,
    )
    CSS = """
    SettingsScreen #risk-box { display: block; }
    SettingsScreen .limit { height: 1; }
    SettingsScreen .limit .limit-name { width: 15; color: $foreground-muted; }
    SettingsScreen .limit Input { width: 12; }
    SettingsScreen .limit .limit-note { width: 1fr; color: $foreground-muted; padding-left: 2; }
    """

    own_reason = "as set"

    def __init__(self, view: AgentView) -> None:
        super().__init__()
        self._view = view
        self.subtitle = view.row.name

    def compose_more(self) -> ComposeResult:
        with VerticalScroll(classes="box", id="risk-box", can_focus=False) as box:
            box.border_title = "Limits on risk"
            for name, value in self._view.risk_config.items():
                with Horizontal(classes="limit"):
                    limit = limit_of(name)
                    yield Static(limit.label, classes="limit-name", markup=False)
                    yield Input(shown(name, value), id=f"limit-{name}", type="number", compact=True, max_length=10)
                    yield Static(f"{limit.unit} {limit.meaning}", classes="limit-note", markup=False)
        yield Static(id="limits-error", classes="error", markup=False)

    def on_mount(self) -> None:
        self.query_one("#name", Input).value = clean(self._view.row.name)
        self.query_one("#instructions", TextArea).text = clean(self._view.row.instructions, lines=True)
        super().on_mount()
        self.choose_own(self._view.row.personality)
        self.choose_universe(self._view.universe.id)

    def load(self) -> FormData:
        others = tuple(row for row in self.lab.standing() if row.id != self._view.row.id)
        return FormData(self.lab.state().universes, others)

    def error_fields(self) -> tuple[str, ...]:
        return (*super().error_fields(), "limits")

    def holds_work_limits(self) -> dict[str, float] | None:
        """Limits that differ from the agent's; None where one is no number, which is said at the field."""
        changed = {}
        for name, value in self._view.risk_config.items():
            field = self.query_one(f"#limit-{name}", Input)
            try:
                typed = stored(name, field.value)
            except ValueError:
                self.error("limits", f"{limit_of(name).label} must be a number, not “{field.value}”.")
                field.focus()
                return None
            if field.value != shown(name, value):
                changed[name] = typed
        return changed

    async def action_save(self) -> None:
        limits = self.holds_work_limits()
        if limits is None:
            return
        row = self._view.row
        personality = self.personality()
        done = await self.submit(
            self.lab.update_agent,
            row.id,
            name=self.name_typed,
            instructions=self.instructions_typed,
            personality=personality if personality != row.personality else None,
            universe_id=self.universe_chosen,
            risk=limits or None,
        )
        if done:
            self.tell("Saved. The next iteration uses these settings.")
            self.dismiss(None)

    def action_back(self) -> None:
        self.leave("Leave without saving? Your changes are lost.")

    @property
    def holds_work(self) -> bool:
        row = self._view.row
        now = (self.name_typed, self.instructions_typed, self.personality(), self.universe_chosen)
        before = (clean(row.name), clean(row.instructions, lines=True), row.personality, self._view.universe.id)
        return now != before or self.holds_work_limits() != {}
