"""Terminals that have less: no signs beyond ASCII, no colours, no mouse for the program, a cursor that must not blink."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lab.settings import Glyphs
from lab.tui.glyphs import chosen_glyphs, in_glyphs
from lab.tui.text import bar, clean, sparkline
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import session
from tests.tui.test_terminal import ROOT, settle


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_what_is_written_in_ascii_is_as_wide_as_before(words: str) -> None:
    words = clean(words)
    plain = in_glyphs(words, Glyphs.ASCII)
    assert plain.isascii()
    assert cell_len(plain) == sum(cell_len(each) for each in words)


def test_bars_and_lines_still_rise_and_fall_in_ascii_and_are_left_out_in_words() -> None:
    assert in_glyphs(bar(0.5, 6), Glyphs.ASCII) == "###..."
    assert in_glyphs(sparkline([1, 2, 3], 3), Glyphs.ASCII) == "_+#"
    assert in_glyphs("╭─ Name ─╮ ✓ 48–60%", Glyphs.ASCII) == "+- Name -+ + 48-60%"
    assert in_glyphs("╭─ Name ─╮ ✓ 48–60%", Glyphs.WORDS) == "   Name    + 48-60%"
    assert in_glyphs("╭─", Glyphs.UNICODE) == "╭─"


@pytest.mark.parametrize(
    ("environment", "glyphs"),
    [
        ({}, Glyphs.UNICODE),
        ({"LANG": "en_US.UTF-8"}, Glyphs.UNICODE),
        ({"LANG": "de_DE.utf8@euro"}, Glyphs.UNICODE),
        ({"LANG": "C"}, Glyphs.ASCII),
        ({"LANG": "POSIX"}, Glyphs.ASCII),
        ({"LANG": "C.UTF-8"}, Glyphs.UNICODE),
        ({"LANG": "en_US.ISO-8859-1"}, Glyphs.ASCII),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, Glyphs.UNICODE),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, Glyphs.ASCII),
    ],
)
def test_the_locale_says_which_signs_there_are(environment: dict[str, str], glyphs: Glyphs) -> None:
    assert chosen_glyphs(Glyphs.AUTO, environment) is glyphs
    assert chosen_glyphs(Glyphs.UNICODE, environment) is Glyphs.UNICODE


def test_with_lang_c_only_ascii_is_sent_and_with_no_color_no_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("NO_COLOR", "1")
    child = pexpect.spawn(sys.executable, ["-m", "tests.tui.fake_program", str(tmp_path)], cwd=str(ROOT), dimensions=(24, 80), timeout=20)
    child.expect("VWAP Guardian")
    sent = child.before + child.after + settle(child, 0.6)
    child.close(force=True)
    assert max(sent) < 128
    assert b"\x1b[38;" not in sent
    assert b"\x1b[48;" not in sent
    assert b"\x1b[7m" in sent or b";7m" in sent, "the row under the cursor is reversed"


async def test_the_cursor_in_a_field_stands_still(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("creation")
        field = s.app.focused
        assert field is not None
        assert field.cursor_blink is False  # type: ignore[attr-defined]
        assert s.app.animation_level == "none"


def test_a_key_gives_the_mouse_to_the_terminal_and_takes_it_back(tmp_path: Path) -> None:
    child = pexpect.spawn(sys.executable, ["-m", "tests.tui.fake_program", str(tmp_path)], cwd=str(ROOT), dimensions=(24, 80), timeout=20)
    child.expect("VWAP Guardian")
    settle(child, 0.6)
    child.send("M")
    child.expect_exact("\x1b[?1003l")
    child.send("M")
    child.expect_exact("\x1b[?1003h")
    child.close(force=True)
