"""Text of others can neither drive the terminal nor be read as markup; figures are written one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.views import Interval
from lab.tui import text

ESCAPES = [
    "\x1b[31m",
    "\x1b[2J",
    "\x1b[?1049l",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x1b]8;;http://evil\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x1b_Gf=100\x1b\\",
    "\x1b^pm\x1b\\",
    "\x1bc",
    "\x1b(0",
    "\x9b31m",
    "\x9d0;t\x9c",
    "\x90q\x9c",
    "\x07",
    "\x08",
    "\x0e",
    "\x7f",
    "\u202e",
    "\u2066",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_byte_of_an_escape_reaches_the_screen(escape: str) -> None:
    assert text.clean(f"before {escape}after") == "before after"


@given(st.text())
def test_whatever_was_written_nothing_can_drive_the_terminal(words: str) -> None:
    cleaned = text.clean(words, lines=True)
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF for c in cleaned)
    assert text.clean(cleaned, lines=True) == cleaned
    assert "\n" not in text.clean(words)


@given(st.text(alphabet="[]/@=click bold red$'\"()\\", max_size=40))
def test_what_looks_like_markup_is_shown_as_it_is(words: str) -> None:
    shown = text.safe(words)
    assert shown.plain == words
    assert not shown.spans or all("@" not in str(span.style) for span in shown.spans)


def test_an_unfinished_escape_at_the_end_is_dropped() -> None:
    assert text.clean("ok\x1b]52;c;AAAA") == "ok"
    assert text.clean("ok\x1b[") == "ok"
    assert text.clean("ok\x1b") == "ok"


def test_figures_carry_their_sign_and_never_a_minus_zero() -> None:
    assert text.signed_percent(0.031) == "+3.1%"
    assert text.signed_percent(-0.00001) == "0.0%"
    assert text.signed_number(-0.001) == "0.00"
    assert text.percent(12.3456) == "1,234.6%"
    assert text.percent(None) == "–"
    assert text.dollars(-1240.4) == "-$1,240"
    assert text.signed_dollars(310) == "+$310"
    assert [text.signed_dollars(value) for value in (-0.31, 0.31, -0.001, 0.001, 0.0, -9.999)] == [
        "-$0.31",
        "+$0.31",
        "$0.00",
        "$0.00",
        "$0",
        "-$10.00",
    ]
    assert text.number(-0.001) == "0.00"
    assert text.percent_interval(Interval(0.482, 0.604)) == "48–60%"
    assert text.number_interval(Interval(-0.31, 2.08)) == "-0.3 to 2.1"


def test_an_arrow_is_drawn_only_with_evidence() -> None:
    assert text.verdict_mark("better")[0] == "▲"
    assert text.verdict_mark("worse")[0] == "▼"
    assert text.verdict_mark("no evidence")[0] == "≈"


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "just now"), (130, "2 min ago"), (7300, "2 h ago"), (3 * 86400, "3 days ago"), (40 * 86400, "2026-01-20")]
)
def test_times_read_as_a_person_says_them(seconds: int, words: str) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert text.ago(now - timedelta(seconds=seconds), now) == words


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), max_size=60), st.integers(0, 40))
def test_a_sparkline_fits_its_width(values: list[float | None], width: int) -> None:
    assert len(text.sparkline(values, width)) <= width


def test_a_thinned_series_keeps_its_ends() -> None:
    thinned = text.thin(list(range(100)), 7)
    assert (thinned[0], thinned[-1], len(thinned)) == (0, 99, 7)
