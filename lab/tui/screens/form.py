"""What forms share: a row a field, the sentence about a field under it, and long work after them that can be stopped and left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Generic

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from lab.tui.progress import Doing
from lab.tui.screen import DataT, LabScreen
from lab.tui.text import safe
from lab.tui.widgets.working import Working


def row(label: str, field: Widget) -> Horizontal:
    """A field with its name before it."""
    return Horizontal(Label(label), field, classes="row")


def error_of(field: str) -> Static:
    """The place of the sentences about a field."""
    return Static(id=f"{field}-error", classes="error")


class FormScreen(LabScreen[DataT], Generic[DataT]):
    """Rows made by `row` and `error_of`, `#problem` for what belongs to no field, and the button `#go`, which does the first action."""

    FIELDS: ClassVar[Mapping[str, str]] = {}
    """Where sentences about what an error names as its field stand, where that is not the field's own id."""
    DEFAULT_CSS = """
    FormScreen #body { padding: 1 2 0 2; }
    FormScreen .row { height: auto; }
    FormScreen .row > Label { width: 11; color: $text-muted; }
    FormScreen .row > Input, FormScreen .row > Select { width: 1fr; max-width: 60; }
    FormScreen .why { padding: 0 0 0 11; color: $text-muted; height: auto; }
    FormScreen .error { padding: 0 0 0 11; color: $text-error; height: auto; display: none; }
    FormScreen #problem { padding: 0; }
    FormScreen .hint { color: $text-muted; height: auto; }
    FormScreen #go { margin-top: 1; }
    """

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.action_do(self.ACTIONS[0].name)

    def wrong(self, field: str, sentence: str) -> None:
        """Say what is wrong where it was typed, and go there."""
        place = self.FIELDS.get(field, field)
        found = list(self.query(f"#{place}-error").results(Static)) if place else []
        error = found[0] if found else self.query_one("#problem", Static)
        error.update(safe(sentence))
        error.display = True
        for target in self.query(f"#{place}" if found else "#go"):
            target.focus()
        error.scroll_visible()

    def all_right(self) -> None:
        """Take back what was said to be wrong."""
        for error in self.query(".error").results(Static):
            error.display = False

    def typed(self, field: str) -> str:
        """What stands in an input, without blanks around it."""
        return self.query_one(f"#{field}", Input).value.strip()


class WorkScreen(FormScreen[None]):
    """A form, then work that takes long, then a report. Escape stops work under way, and leaves where there is none."""

    DEFAULT_CSS = """
    WorkScreen #form { height: 1fr; scrollbar-size-vertical: 1; }
    WorkScreen #report { display: none; height: 1fr; }
    WorkScreen #outcome { height: auto; }
    WorkScreen #found-list { height: 1fr; margin: 1 0; scrollbar-size-vertical: 1; }
    """

    def compose_body(self) -> ComposeResult:
        with Vertical(id="form"):
            yield from self.compose_form()
        yield Working(id="working")
        with Vertical(id="report"):
            yield Static(id="outcome")
            with VerticalScroll(id="found-list"):
                yield Static(id="found-text")
            yield Button("Done", id="done", variant="primary", compact=True)

    def compose_form(self) -> ComposeResult:
        """What is asked."""
        yield from ()

    @property
    def busy(self) -> bool:
        """Work is under way."""
        return self.query_one(Working).display

    @property
    def done(self) -> bool:
        """The work has ended well and its report is shown."""
        return bool(self.query_one("#report").display)

    def begin(self, what: str, hint: str, look: Callable[[], Doing]) -> None:
        """Show the work in the form's place."""
        self.query_one("#form").display = False
        self.query_one(Working).begin(what, hint, look)
        self.refresh_actions()

    def end(self, *, form: bool) -> None:
        """The work has ended; with `form` the form is shown again."""
        if self.is_attached:
            self.query_one(Working).end()
            self.query_one("#form").display = form
            self.refresh_actions()

    def report(self, outcome: Content, found: Content) -> None:
        """Show what came of the work, and what was found in it."""
        self.query_one("#report").display = True
        self.query_one("#outcome", Static).update(outcome)
        self.query_one("#found-text", Static).update(found)
        self.query_one("#done").focus()
        self.refresh_actions()

    def stop_work(self) -> None:
        """The person wants the work to stop."""

    def leave_work(self) -> None:
        """Nobody watches the work any more."""

    @on(Button.Pressed, "#done")
    def _done(self) -> None:
        self.dismiss(None)

    def action_back(self) -> None:
        """Stop the work under way, or leave."""
        if self.busy:
            self.stop_work()
        else:
            self.dismiss(None)

    def on_unmount(self) -> None:
        self.leave_work()
