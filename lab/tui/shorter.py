"""What is sent to the terminal, made shorter: a colour or an attribute is sent when it changes, a cursor move when something follows it.

Textual sets and resets every colour around every few characters, which is more than half of what goes over a slow line.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_MOVES = re.compile(r"(?:\x1b\[[0-9]+;[0-9]+H|\r\n)*")
_IDLE_MOVES = re.compile(r"(?:\x1b\[[0-9]+;[0-9]+H|\r\n)+(?=\x1b\[[0-9]+;[0-9]+H)")
_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "21": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29", "53": "55"}
"""Attribute -> what ends it."""
_SEEN_ON_BLANKS = frozenset({"4", "21", "7", "9", "53"})
"""Attributes that show where there is no character."""

_Look = tuple[frozenset[str], str, str]
"""Attributes, foreground, background; empty for the terminal's own."""
_PLAIN: _Look = (frozenset(), "", "")


class Shorter:
    """Follows one terminal's colours from text to text. What is not a colour or a move passes as it is."""

    def __init__(self) -> None:
        self._shown = _PLAIN
        self._wanted = _PLAIN

    def shorten(self, text: str) -> str:
        """The same for the eye, in fewer bytes."""
        pieces = _SGR.split(text)
        parts: list[str] = []
        for place in range(0, len(pieces), 2):
            if place:
                self._wanted = _after(self._wanted, pieces[place - 1])
            if piece := pieces[place]:
                moves = _MOVES.match(piece).end()  # type: ignore[union-attr]  # it matches nothing, too
                if moves:
                    parts.append(piece[:moves])
                if rest := piece[moves:]:
                    if self._wanted != self._shown and not self._alike(rest):
                        parts.append(_change(self._shown, self._wanted))
                        self._shown = self._wanted
                    parts.append(rest)
        return _IDLE_MOVES.sub("", "".join(parts))

    def _alike(self, text: str) -> bool:
        """Blanks look the same in every colour on one ground."""
        (was, _, old), (will, _, new) = self._shown, self._wanted
        return old == new and not text.strip(" ") and not (was | will) & _SEEN_ON_BLANKS


@lru_cache(4096)
def _after(look: _Look, codes: str) -> _Look:
    """The look after these codes of a Select Graphic Rendition (ECMA-48, 8.3.117)."""
    attributes, front, back = set(look[0]), look[1], look[2]
    left = (codes or "0").split(";")
    while left:
        code = left.pop(0) or "0"
        if code in ("38", "48") and left:
            length = {"2": 4, "5": 2}.get(left[0], 1)
            colour = ";".join([code, *left[:length]])
            left = left[length:]
            front, back = (colour, back) if code == "38" else (front, colour)
        elif code == "0":
            attributes, front, back = set(), "", ""
        elif code in _OFF:
            attributes.add(code)
        elif code in _OFF.values():
            attributes = {attribute for attribute in attributes if _OFF[attribute] != code}
        elif code == "39" or code[:-1] in ("3", "9"):
            front = "" if code == "39" else code
        elif code == "49" or code[:-1] in ("4", "10"):
            back = "" if code == "49" else code
    return frozenset(attributes), front, back


@lru_cache(4096)
def _change(was: _Look, will: _Look) -> str:
    """The shortest way from one look to the other."""
    ends = {_OFF[attribute] for attribute in was[0] - will[0]}
    kept = {attribute for attribute in was[0] & will[0] if _OFF[attribute] not in ends}
    changed = [*sorted(ends), *sorted(will[0] - kept)]
    if was[1] != will[1]:
        changed.append(will[1] or "39")
    if was[2] != will[2]:
        changed.append(will[2] or "49")
    anew = ["0", *sorted(will[0]), *(colour for colour in will[1:] if colour)]
    return f"\x1b[{min(';'.join(changed), ';'.join(anew), key=len)}m"
