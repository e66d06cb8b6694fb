"""What is sent to the terminal, made shorter: only characters that are not on the screen already, and a colour only where it changes.

Textual draws whole regions, and sets and resets every colour around every few characters: most of what would go over a slow line.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import cell_len

FORGET = "\x1b[forget"
"""Written in place of text, makes everything be sent again from then on: nobody knows what the screen shows."""

_TOKENS = re.compile(
    r"""
      \x1b\[([0-9;]*)m             # 1: colours and attributes
    | \x1b\[([0-9]+);([0-9]+)H     # 2, 3: a move
    | (\n)                         # 4: to the start of the next line
    | ([^\x00-\x1f\x7f-\x9f]+)     # 5: characters
    | (\x1b\[[<>=?][0-9;]*[a-zA-Z$]+ | \x1b\][^\x07\x1b]*(?:\x07|\x1b\\) | \x1bP.*?\x1b\\)   # 6: modes, titles, the clipboard
    | (\x1b\[[0-?]*[ -/]*[@-~] | \x1b[ -/]*[0-~] | .)   # 7: anything else
    """,
    re.VERBOSE | re.DOTALL,
)
_OTHER_SCREEN = re.compile(r"\x1b\[\?(?:47|1047|1049)[hl]")
_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "21": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29", "53": "55"}
"""Attribute -> what ends it."""
_SEEN_ON_BLANKS = frozenset({"4", "21", "7", "9", "53"})
"""Attributes that show where there is no character."""
_CLOSE = 3
"""Characters there already that are sent again where a move over them would be longer."""

_Look = tuple[frozenset[str], str, str]
"""Attributes, foreground, background; empty for the terminal's own."""
_PLAIN: _Look = (frozenset(), "", "")
_Cell = tuple[str, _Look]


class Shorter:
    """Knows what one terminal shows. A sequence it does not know passes as it is, and what it may have changed is sent anew."""

    def __init__(self) -> None:
        self._lines: dict[int, list[_Cell | None]] = {}
        """By line, the cells that are known."""
        self._look, self._wanted = _PLAIN, _PLAIN
        self._at: tuple[int, int] | None = None
        """Line and column of the terminal's cursor; None where that is not known."""
        self._line, self._column = 0, 0
        """Where the text would have it."""
        self._parts: list[str] = []
        self._drawing = False
        """Something of this text was drawn or moved to, so where its end leaves the cursor is meant."""

    def shorten(self, text: str) -> str:
        """The same for the eye, in fewer bytes."""
        if text == FORGET:
            self._lines.clear()
            self._at, self._look = None, _PLAIN
            return "\x1b[0m"
        self._parts, self._drawing = [], False
        for token in _TOKENS.finditer(text):
            match token.lastindex:
                case 1:
                    self._wanted = _after(self._wanted, token[1])
                case 3:
                    self._line, self._column = int(token[2]) - 1, int(token[3]) - 1
                case 4:
                    self._line, self._column = self._line + 1, 0
                case 5:
                    self._write(token[5])
                case _:
                    self._pass(token[0], known=token.lastindex == 6)
            self._drawing = self._drawing or token.lastindex in (3, 4, 5)
        if self._drawing and self._at != (self._line, self._column):
            self._move()
        return "".join(self._parts)

    def _pass(self, sequence: str, known: bool) -> None:
        if self._look != self._wanted:
            self._parts.append(_change(self._look, self._wanted))
            self._look = self._wanted
        if not known and self._drawing and self._at != (self._line, self._column):
            self._move()
        self._parts.append(sequence)
        if not known or _OTHER_SCREEN.match(sequence):
            self._lines.clear()
            self._at, self._drawing = None, False

    def _write(self, text: str) -> None:
        line = self._lines.setdefault(self._line, [])
        if not text.isascii() and cell_len(text) != len(text):
            self._write_wide(text, line)
            return
        wanted, start = self._wanted, self._column
        end = start + len(text)
        if len(line) < end:
            line.extend([None] * (end - len(line)))
        blank = (" ", _on_blanks(wanted))
        for column, character in enumerate(text, start):
            cell = blank if character == " " else (character, wanted)
            if line[column] == cell:
                continue
            line[column] = cell
            if self._at != (self._line, column):
                self._go_on(line, column)
            if self._look != wanted and not (character == " " and _on_blanks(self._look) == blank[1]):
                self._parts.append(_change(self._look, wanted))
                self._look = wanted
            self._parts.append(character)
            self._at = (self._line, column + 1)
        self._column = end

    def _write_wide(self, text: str, line: list[_Cell | None]) -> None:
        """Characters of no width or two, which terminals do not agree on: sent always, and nothing after them is taken for known."""
        if self._at != (self._line, self._column):
            self._move()
        if self._look != self._wanted:
            self._parts.append(_change(self._look, self._wanted))
            self._look = self._wanted
        self._parts.append(text)
        del line[max(0, self._column - 1) :]
        self._column += cell_len(text)
        self._at = None

    def _go_on(self, line: list[_Cell | None], column: int) -> None:
        """Bring the cursor to a column of the line that text is written to."""
        if self._at is not None and self._at[0] == self._line and (gap := column - self._at[1]) > 0:
            between = line[self._at[1] : column]
            looks = {" ": _on_blanks(self._look)}
            if gap <= _CLOSE and all(cell is not None and cell[1] == looks.get(cell[0], self._look) for cell in between):
                self._parts.extend(cell[0] for cell in between if cell is not None)
            else:
                self._parts.append(f"\x1b[{gap}C")
        else:
            self._parts.append(f"\x1b[{self._line + 1};{column + 1}H")
        self._at = (self._line, column)

    def _move(self) -> None:
        self._parts.append(f"\x1b[{self._line + 1};{self._column + 1}H")
        self._at = (self._line, self._column)


@lru_cache(1024)
def _on_blanks(look: _Look) -> _Look:
    """What of a look can be seen where there is no character."""
    seen = look[0] & _SEEN_ON_BLANKS
    return seen, look[1] if seen else "", look[2]


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
        elif code[:-1] in ("3", "9"):
            front = "" if code == "39" else code
        elif code[:-1] in ("4", "10"):
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
