"""What commands print: text of others among it, so no character that a terminal would obey leaves here."""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO


class Plain:
    """A text stream that drops control characters, escapes and invisible marks from what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.own = stream
        """The stream itself, for what the lab's own commands draw."""

    def write(self, text: str) -> int:
        self.own.write(plain(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


def plain(text: str) -> str:
    """`text` without what acts on a terminal. Line ends and tabs stay; of an escape sequence its letters do, so nothing is hidden."""
    if text.replace("\r\n", "").translate(_LAYOUT).isprintable():
        return text
    return re.sub("\r(?!\n)", " ", "".join(letter for letter in text if letter.isprintable() or letter in "\n\r\t"))


_LAYOUT = str.maketrans("", "", "\n\t")


def print_plainly() -> None:
    """From here on what this program prints is plain."""
    sys.stdout, sys.stderr = Plain(sys.stdout), Plain(sys.stderr)


def own(stream: Any) -> TextIO:
    """The stream that takes escapes, for what the lab itself draws."""
    found: TextIO = stream.own if isinstance(stream, Plain) else stream
    return found
