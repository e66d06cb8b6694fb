"""Signs beyond ASCII, for terminals that have none: each becomes one that says nearly the same and is as wide.

It is done where bytes leave for the terminal, so no screen needs to know of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from rich.cells import cell_len

from lab.settings import Glyphs

_LOOKS_LIKE = {
    **dict.fromkeys("─━┄┅┈┉╌╍═╴╶╸╺╼╾", "-"),
    **dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻╽╿▌▐▍▎▏▊▋▉▕", "|"),
    **dict.fromkeys("╱▞", "/"),
    **dict.fromkeys("╲▚", "\\"),
    **dict.fromkeys("▀▘▝", "'"),
    **dict.fromkeys("▔", "-"),
    # In the order of their height, so that a line of them still rises and falls.
    **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True)),
    **dict.fromkeys("▖▗", "."),
    **dict.fromkeys("▙▛▜▟", "#"),
    **dict(zip("░▒▓", ".:%", strict=True)),
}
_SAYS = {
    **dict.fromkeys("●◆•", "*"),
    **dict.fromkeys("○◌◇", "o"),
    **dict.fromkeys("▲↑", "^"),
    **dict.fromkeys("▼↓", "v"),
    **dict.fromkeys("▸▶→›≥", ">"),
    **dict.fromkeys("◂◀←‹≤", "<"),
    **dict.fromkeys("–—−‑", "-"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("✗×", "x"),
    **dict.fromkeys("·…", "."),
    "✓": "+",
    "≈": "~",
    "±": "+",
    "√": "V",
}


class _Table(dict[int, str]):
    """For `str.translate`; each character is worked out once."""

    def __init__(self, *, drawings: bool) -> None:
        super().__init__()
        self._drawings = drawings

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        said = sign if code < 128 else _SAYS.get(sign) or self._drawn(sign) or _letter(sign)
        self[code] = said
        return said

    def _drawn(self, sign: str) -> str:
        if not "\u2500" <= sign <= "\u259f" and not "\u2800" <= sign <= "\u28ff":
            return ""
        if not self._drawings:
            return " "
        return _LOOKS_LIKE.get(sign, "+" if sign < "\u2580" else ":")


def _letter(sign: str) -> str:
    plain = "".join(each for each in unicodedata.normalize("NFKD", sign) if each.isascii())
    width = cell_len(sign)
    return plain if len(plain) == width else "?" * width


_ASCII, _WORDS = _Table(drawings=True), _Table(drawings=False)


def in_glyphs(text: str, glyphs: Glyphs) -> str:
    """`text` in the signs that there are, as wide as before."""
    if glyphs is Glyphs.WORDS:
        return text.translate(_WORDS)
    return text if glyphs is not Glyphs.ASCII or text.isascii() else text.translate(_ASCII)


def chosen_glyphs(wanted: Glyphs, environment: Mapping[str, str]) -> Glyphs:
    """The signs for a terminal in this environment.

    Where nothing is said of a locale, as in many containers, the terminal is taken for a modern one; "C", "POSIX" and a locale with
    an older encoding are believed.
    """
    if wanted is not Glyphs.AUTO:
        return wanted
    said = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), "")
    encoding = said.partition("@")[0].partition(".")[2].casefold().replace("-", "")
    old = said in ("C", "POSIX") or encoding not in ("", "utf8")
    return Glyphs.ASCII if old else Glyphs.UNICODE


def first_environment() -> dict[str, str]:
    """The environment as the program was given it: Python itself turns LC_CTYPE from C into C.UTF-8 before anyone can look."""
    import os

    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    return dict(os.fsdecode(pair).split("=", 1) for pair in given.split(b"\0") if b"=" in pair)
