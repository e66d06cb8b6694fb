"""The title line and the footer line, made from the state of the program and the registry of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.app import RenderResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

from lab.tui.actions import is_rare
from lab.tui.text import clean, plural

if TYPE_CHECKING:
    from lab.agents.agent_views import WorkspaceState
    from lab.tui.app import LabApp
    from lab.tui.screen import LabScreen

KEY_NAMES = {
    "question_mark": "?",
    "escape": "esc",
    "space": "space",
    "slash": "/",
    "enter": "enter",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "asterisk": "*",
    "minus": "-",
    "full_stop": ".",
    "comma": ",",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "backspace": "backspace",
}


def key_name(key: str) -> str:
    """A key as a person reads it: "question_mark" is "?"."""
    *modifiers, last = key.split("+")
    last = KEY_NAMES.get(last, last)
    if modifiers == ["shift"] and len(last) == 1:
        return last.upper()
    return "+".join([*modifiers, last])


def keys_in_use(screen: Screen[Any]) -> dict[str, tuple[str, ActiveBinding]]:
    """The actions that can be reached now by name, each with the key to show: of several the shortest."""
    found: dict[str, tuple[str, ActiveBinding]] = {}
    for key, active in screen.active_bindings.items():
        name = active.binding.id
        if name and (name not in found or len(key_name(key)) < len(key_name(found[name][0]))):
            found[name] = (key, active)
    return found


def under_way(state: WorkspaceState) -> str:
    """How many iterations run and how many wait for budget: "2 iterations running, 1 paused"."""
    paused = state.paused_iterations
    running = state.unfinished_iterations - paused
    words = [plural(running, "iteration") + " running"] if running else []
    return ", ".join([*words, f"{paused} paused" if words else plural(paused, "iteration") + " paused"] if paused else words)


class TitleBar(Widget):
    """Where one is, and what waits over all agents."""

    DEFAULT_CSS = """
    TitleBar { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    def on_mount(self) -> None:
        self.watch(self.screen, "subtitle", self._again, init=False)
        self.watch(self.app, "state", self._again, init=False)

    def _again(self) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        screen = cast("LabScreen[object]", self.screen)
        left = Content.assemble(("lab ", "bold $text-primary"), (f" {screen.TITLE}", "bold"))
        if screen.subtitle:
            left = Content.assemble(left, ("  " + clean(screen.subtitle), "$foreground-muted"))
        state = cast("LabApp", self.app).state
        parts = []
        if state is not None and state.unfinished_iterations:
            parts.append((under_way(state), "$text-accent"))
        if state is not None and state.pending_approvals:
            parts.append((f"{state.pending_approvals} to approve", "$text-warning"))
        right = Content(" · ").join([Content.styled(*part) for part in parts]) if parts else Content("")
        room = self.content_size.width - right.cell_length
        left = left.truncate(max(0, room - 2), ellipsis=True)
        return Content.assemble(left.pad_right(max(0, room - left.cell_length)), right)


class ActionBar(Widget):
    """The keys that work here, as many as fit, help and quit always. A key that can't be used now is dim."""

    DEFAULT_CSS = """
    ActionBar { height: 1; background: $panel; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render(self) -> RenderResult:
        from lab.tui.screen import Place

        entries: dict[str, tuple[str, str, bool, str]] = {}
        for name, (key, active) in keys_in_use(self.screen).items():
            if active.binding.show and active.binding.description:
                reason = active.node.why_not(name) if isinstance(active.node, Place) else None
                entries[name] = (key_name(key), active.binding.description, active.enabled and reason is None, key)
        last = [entries.pop(name) for name in ("help", "quit") if name in entries]
        room = self.content_size.width - sum(len(key) + len(label) + 3 for key, label, _, _ in last)
        fitting = set()
        place = getattr(self.screen, "PLACE", "")
        for name in sorted(entries, key=lambda name: (is_rare(name, place), not entries[name][2])):
            width = len(entries[name][0]) + len(entries[name][1]) + 3
            if width <= room:
                room -= width
                fitting.add(name)
        shown = [entry for name, entry in entries.items() if name in fitting]
        parts: list[Content] = []
        self._places = []
        x = 0
        for key, label, enabled, raw in [*shown, *last]:
            text = f"{key} {label}"
            off = "$foreground-disabled $off-style"
            key_style, label_style = ("bold $text-accent", "$foreground") if enabled else (off, off)
            parts.append(Content.assemble((key, key_style), (f" {label}  ", label_style)))
            self._places.append((x, x + len(text), raw))
            x += len(text) + 2
        return Content("").join(parts)

    def on_click(self, event: Click) -> None:
        for start, end, key in self._places:
            if start <= event.x - 1 < end:
                self.app.simulate_key(key)
