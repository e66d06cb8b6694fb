"""What commands print can be read, and acts on no terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cli.plain import Plain, own, plain
from tests.agents.hostile import TEXTS


@pytest.mark.parametrize("text", TEXTS)
def test_no_hostile_text_keeps_what_acts_on_a_terminal(text: str) -> None:
    stream = io.StringIO()
    print(text, file=Plain(stream))
    assert all(letter.isprintable() or letter in "\n\t" for letter in stream.getvalue())


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"]) | st.sampled_from(" \n\t")))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert plain(text) == text
    assert plain(text.replace("\n", "\r\n")) == text.replace("\n", "\r\n"), "the lines of a CSV file"


def test_what_the_lab_itself_draws_passes() -> None:
    stream = io.StringIO()
    print("\r\x1b[K50%", file=own(Plain(stream)))
    assert stream.getvalue() == "\r\x1b[K50%\n"
