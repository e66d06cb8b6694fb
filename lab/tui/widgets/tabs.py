"""Tabs on one line over their panes, moved through by the screen's own keys; and a pane that scrolls long text."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from lab.tui.actions import Action
from lab.tui.widgets.counting import MOTION_BINDINGS, Counting
from lab.tui.widgets.flow import Flow

NEXT_TAB = Action("next_tab", "right,l", "Next tab", "Shows the tab to the right.")
PREVIOUS_TAB = Action("previous_tab", "left,h", "Previous tab", "Shows the tab to the left.", footer=False)


class TabLine(Widget):
    """The names of the panes of a `ContentSwitcher`; the shown one stands in brackets. Posts `Moved`."""

    DEFAULT_CSS = """
    TabLine { height: 1; padding: 0 1; background: $surface; }
    """
    active: reactive[str] = reactive("")

    class Moved(Message):
        """Another tab is shown."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, tabs: dict[str, str], switcher: ContentSwitcher, first: str) -> None:
        """`tabs` maps the ids of the switcher's panes to their names."""
        super().__init__()
        self._tabs = tabs
        self._notes: dict[str, str] = {}
        self._switcher = switcher
        self.set_reactive(TabLine.active, first)

    def note(self, tab: str, note: str) -> None:
        """Show a short note, such as a count, after a tab's name."""
        if self._notes.get(tab, "") != note:
            self._notes[tab] = note
            self.refresh()

    def move(self, by: int) -> None:
        """To the next tab but `by`, around the ends."""
        names = list(self._tabs)
        self.active = names[(names.index(self.active) + by) % len(names)]

    def watch_active(self, active: str) -> None:
        self._switcher.current = active
        self.post_message(self.Moved(active))
        self.focus_pane()

    def focus_pane(self) -> None:
        """Put the focus into the shown pane, so that its keys work at once."""
        pane = self._switcher.get_child_by_id(self.active)
        for widget in (pane, *pane.query("*")):
            if widget.focusable:
                widget.focus(scroll_visible=False)
                return
        self.screen.set_focus(None)

    def _labels(self) -> list[tuple[str, str]]:
        room = self.content_size.width
        for side, pad, notes in ((" ", "  ", True), (" ", " ", True), (" ", "", True), (" ", "", False), ("", " ", True), ("", " ", False)):
            labels = []
            for tab, name in self._tabs.items():
                text = name + (f" {self._notes[tab]}" if notes and self._notes.get(tab) else "")
                labels.append((tab, f"[{text}]" if tab == self.active else f"{side}{text}{side}"))
            if sum(len(text) + len(pad) for _, text in labels) <= room + len(pad):
                return [(tab, text + pad) for tab, text in labels]
        return self._around_the_active([(tab, f"{text} ") for tab, text in labels], room)

    def _around_the_active(self, labels: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
        """As many of the labels as fit with the shown one among them; an arrow head stands for those to either side."""
        first = last = next(n for n, (tab, _) in enumerate(labels) if tab == self.active)
        width = len(labels[first][1]) + 4
        while True:
            wider = [n for n in (last + 1, first - 1) if 0 <= n < len(labels) and width + len(labels[n][1]) <= room]
            if not wider:
                break
            first, last = min(first, wider[0]), max(last, wider[0])
            width += len(labels[wider[0]][1])
        before = [(labels[first - 1][0], "‹ ")] if first else []
        after = [(labels[last + 1][0], "›")] if last + 1 < len(labels) else []
        return [*before, *labels[first : last + 1], *after]

    def render(self) -> Content:
        return Content.assemble(
            *((text, "bold $text-primary" if tab == self.active else "$foreground-muted") for tab, text in self._labels())
        )

    def on_click(self, event: Click) -> None:
        x = 1
        for tab, text in self._labels():
            if x <= event.x < x + len(text):
                self.active = tab
                return
            x += len(text)


class Reader(VerticalScroll, Counting, can_focus=True, inherit_bindings=False):
    """Long text, scrolled by arrows, vi keys and pages, a number before them; left and right stay with the screen."""

    DEFAULT_CSS = """
    Reader { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOTION_BINDINGS,
        Binding("space", "page(1)", "Page down", show=False, tooltip="One page down."),
    ]
    to_copy = ""
    """What copying takes where that is not what is shown, such as a script without its line numbers."""

    def action_move(self, by: int) -> None:
        self.scroll_relative(y=by * self.times(), animate=False)

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * self.times() * max(1, self.size.height - 1), animate=False)

    def copied_text(self) -> str:
        """What copying takes: `to_copy` where it was set, else all its text."""
        if self.to_copy:
            return self.to_copy
        return "\n\n".join(flow.text.strip() for flow in self.query(Flow) if flow.display and flow.text.strip())

    def action_to_end(self, by: int) -> None:
        if by > 0 and self.counted:
            self.scroll_to(y=self.times() - 1, animate=False)
        elif by > 0:
            self.scroll_end(animate=False)
        else:
            self.scroll_home(animate=False)


class Tabbed(DOMNode):
    """What a screen with one line of tabs does at `NEXT_TAB` and `PREVIOUS_TAB`."""

    def action_next_tab(self) -> None:
        self.query_one(TabLine).move(1)

    def action_previous_tab(self) -> None:
        self.query_one(TabLine).move(-1)
