"""What is left out on the way to the terminal can't be missed there: checked on an emulated terminal."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from lab.tui.shorter import FORGET, Shorter

COLUMNS, LINES = 24, 6
COLOURS = ("38;2;200;208;240", "48;2;22;22;30", "38;5;12", "31", "44", "97", "1", "3", "4", "7", "9")
LOOKS = st.lists(st.sampled_from(COLOURS), max_size=4).map(";".join)
WORDS = st.text("ab █–┤ \N{BLACK CIRCLE}", max_size=12)
WIDE = st.just("日本")


@st.composite
def frames(draw: st.DrawFn) -> str:
    """Pieces of text at places, each with its look set before and reset after it, as Textual writes them."""
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        line, column = draw(st.integers(1, LINES - 1)), draw(st.integers(1, COLUMNS))
        parts.append(f"\x1b[{line};{column}H")
        room = COLUMNS - column + 1
        for _ in range(draw(st.integers(1, 3))):
            text = draw(st.one_of(WORDS, WORDS, WIDE))
            width = sum(2 if character in "日本" else 1 for character in text)
            if width > room:
                break
            room -= width
            parts.append(f"\x1b[{draw(LOOKS)}m{text}\x1b[0m")
    parts.append(draw(st.sampled_from(("", "\n", "\x1b[1;1H", "\x1b[?25l", "\x1b[2J", "\x1b[2;2H\x1b[K"))))
    return "".join(parts)


def seen(stream: list[str]) -> list[list[tuple[object, ...]]]:
    """What the terminal shows in the end: characters, and all that can be seen of their looks."""
    screen = pyte.Screen(COLUMNS, LINES)
    terminal = pyte.Stream(screen)
    for text in stream:
        terminal.feed(text.replace("\n", "\r\n"))
    return [[_look(screen.buffer[y][x]) for x in range(COLUMNS)] for y in range(LINES)]


def _look(cell: pyte.screens.Char) -> tuple[object, ...]:
    seen_on_blanks = cell.bg, cell.reverse, cell.underscore, cell.strikethrough
    marked = cell.reverse or cell.underscore or cell.strikethrough
    if cell.data == " ":
        return (cell.data, *seen_on_blanks, cell.fg if marked else None)
    return (cell.data, *seen_on_blanks, cell.fg, cell.bold, cell.italics)


@given(st.lists(frames(), min_size=1, max_size=6))
def test_the_screen_shows_the_same(drawn: list[str]) -> None:
    shorter = Shorter()
    assert seen([shorter.shorten(text) for text in drawn]) == seen(drawn)


@given(st.lists(frames(), min_size=1, max_size=4))
def test_after_a_change_of_size_everything_is_sent_again(drawn: list[str]) -> None:
    shorter = Shorter()
    sent = [shorter.shorten(text) for text in drawn]
    shuffled = "\x1b[0m\x1b[2J\x1b[3;3Hwhat the terminal made of it"
    sent += [shuffled, shorter.shorten(FORGET), *(shorter.shorten(text) for text in drawn)]
    assert seen(sent) == seen([*drawn, shuffled, *drawn])


def test_what_is_there_already_is_not_sent() -> None:
    shorter = Shorter()
    picture = "\x1b[1;1H\x1b[1;31;48;2;22;22;30mGap Hunter\x1b[0m\x1b[48;2;22;22;30m      \x1b[0m\n\x1b[32mready\x1b[0m\x1b[1;1H"
    first = shorter.shorten(picture)
    assert len(first) < len(picture) * 0.8
    assert shorter.shorten(picture) == ""
    assert shorter.shorten(picture.replace("ready", "reads")) == "\x1b[2;5Hs\x1b[1;1H"


def test_leaving_does_not_move_the_shells_cursor() -> None:
    shorter = Shorter()
    shorter.shorten("\x1b[?1049h\x1b[5;5H\x1b[1mwords\x1b[0m")
    left = shorter.shorten("\x1b[?1003l\x1b[?1049l\x1b[?25h")
    assert left == "\x1b[0m\x1b[?1003l\x1b[?1049l\x1b[?25h"
