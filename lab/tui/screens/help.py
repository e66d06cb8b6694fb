"""`?`: the keys of the place one is in, made from the bindings that are active there."""

from __future__ import annotations

import textwrap
from typing import Any

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from lab.tui.actions import BACK, HELP, Action
from lab.tui.screen import LabModal, Place
from lab.tui.widgets.bars import key_name
from lab.tui.widgets.tabs import Reader

Entry = tuple[list[str], str, str]
"""Keys, label, what it does."""


def keys_of(screen: Screen[Any]) -> dict[str, dict[tuple[str, str], Entry]]:
    """The active bindings of a screen by heading: its own, those of the focused widget, those of the program."""
    groups: dict[str, dict[tuple[str, str], Entry]] = {"Here": {}, "In this list or field": {}, "Everywhere": {}}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if binding.system or not binding.description or not (binding.tooltip or binding.id):
            continue
        heading = "Here" if isinstance(active.node, Place) or binding.id == "open" else "Everywhere"
        if heading != "Here" and active.node is not screen.app:
            heading = "In this list or field"
        entry = groups[heading].setdefault((binding.action, binding.description), ([], binding.description, binding.tooltip))
        entry[0].append(key_name(key))
    return groups


class Help(LabModal[None]):
    """Lists keys; closed by escape, `?` or `q`."""

    PLACE = "help"
    ACTIONS = (
        BACK,
        Action("tour", "t", "Tour", "Shows the tour of five steps."),
        Action("close", f"{HELP.keys},q", "Close", "Closes the help.", footer=False),
    )
    CSS = """
    Help > #box { height: auto; max-height: 96%; width: 76; padding: 0 2; scrollbar-size-vertical: 1; }
    """

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._groups = keys_of(screen)
        self._where = str(getattr(screen, "TITLE", None) or "here")

    def compose(self) -> ComposeResult:
        box = Reader(id="box")
        box.border_title = f"Keys: {self._where}"
        box.border_subtitle = "t: tour   esc closes"
        with box:
            yield Static(self._text(min(76, int(self.app.size.width * 0.96)) - 8))

    def _text(self, width: int) -> Content:
        parts: list[Content | str] = []
        widest = max((len(", ".join(keys)) for group in self._groups.values() for keys, _, _ in group.values()), default=8)
        for heading, group in self._groups.items():
            if not group:
                continue
            parts += ["\n" if parts else "", Content.styled(heading + "\n", "bold $text-primary")]
            for keys, label, words in group.values():
                shown = ", ".join(sorted(keys, key=len)).ljust(widest)
                first, *rest = textwrap.wrap(words or label, max(20, width - widest - 2))
                parts += [Content.styled(shown, "bold $text-accent"), f"  {first}\n", *(f"{' ' * (widest + 2)}{line}\n" for line in rest)]
        return Content.assemble(*parts).rstrip()

    def action_tour(self) -> None:
        self.app.switch_screen(self.lab_app.make("tour"))

    def action_close(self) -> None:
        self.dismiss(None)
