"""A number typed before a motion, as in vi: 5j is five lines down."""

from __future__ import annotations

from textual.binding import BindingType
from textual.events import Key
from textual.widget import Widget

from lab.tui.actions import DOWN, FIRST, LAST, MARK_ROW, MOTIONS, PAGE_DOWN, PAGE_UP, UP, binding

_LARGEST = 99_999
_COUNTED = frozenset(action.name for action in (*MOTIONS, MARK_ROW))
"""Actions that a number may stand before."""

MOTION_BINDINGS: list[BindingType] = [
    binding(UP, "move(-1)"),
    binding(DOWN, "move(1)"),
    binding(PAGE_UP, "page(-1)"),
    binding(PAGE_DOWN, "page(1)"),
    binding(FIRST, "to_end(-1)"),
    binding(LAST, "to_end(1)"),
]


class Counting(Widget):
    """A widget that takes the digits of a number before a motion. Not the first base of another: that one gives the style."""

    _count = ""

    @property
    def counted(self) -> bool:
        """Whether a number was typed."""
        return bool(self._count)

    def times(self) -> int:
        """The number typed, 1 where none was; the next motion starts anew."""
        times = int(self._count or 1)
        self._count = ""
        return times

    def on_key(self, event: Key) -> None:
        """Take a digit; any key that is no motion forgets the number."""
        if event.character is not None and event.character.isdecimal() and (self._count or event.character != "0"):
            if int(self._count + event.character) <= _LARGEST:
                self._count += event.character
            event.stop()
            event.prevent_default()
        elif self._count:
            active = self.screen.active_bindings.get(event.key)
            if active is None or active.binding.id not in _COUNTED:
                self._count = ""
