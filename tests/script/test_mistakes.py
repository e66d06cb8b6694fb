"""What a person reads after a mistake: its exact text, place, caret, way out and example, for every kind of mistake there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lab.script import check
from tests.script.bars import EXECUTION

SCAN = "near = close > vwap()\nlong = near\nshort = not near"
"""The scan beside a mistaken execution script."""

_TEXT = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8")
MISTAKES = [tuple(re.split(r"\n---\n", block.partition("\n")[2].rstrip("\n"))) for block in _TEXT.split("=== ")[1:]]
KINDS = [block.partition("\n")[0] for block in _TEXT.split("=== ")[1:]]


@pytest.mark.parametrize(("kind", "mistake"), list(zip(KINDS, MISTAKES, strict=True)), ids=range(len(MISTAKES)))
def test_a_mistake_is_told_in_exactly_these_words(kind: str, mistake: tuple[str, str]) -> None:
    script, expected = mistake
    errors = check(script, EXECUTION) if kind == "scan" else check(SCAN, script)
    assert len(errors) == 1
    assert errors[0].render() == expected
    assert errors[0].script == kind


def test_there_are_enough_kinds_and_each_has_place_caret_and_example() -> None:
    kinds = set()
    for script, expected in MISTAKES:
        first, source, caret, *rest = expected.split("\n")
        found = re.fullmatch(r"(?:scan|execution) script, line (\d+), column (\d+): (.+)\.", first)
        assert found, first
        line, column = int(found[1]), int(found[2])
        shown = "".join(character if " " <= character <= "~" else "?" for character in script.split("\n")[line - 1][:200])
        assert source == "    " + shown
        assert caret == " " * (4 + column - 1) + "^"
        assert len(rest) >= 2, expected
        example = "\n".join(rest[1:])
        assert example.startswith("Example: ")
        ast.parse(example.removeprefix("Example: "))
        kinds.add(re.sub(r"`[^`]*`|[-\d.,]+|'.'", "…", found[3]))
    assert len(kinds) >= 100


LARGE = (
    ("", 1, 1, "the scan names neither `long` nor `short`"),
    ("x = " + "(" * 45 + "close" + ")" * 45, 1, 45, "brackets are nested more than 40 deep"),
    ("x = " + " + ".join(["close"] * 45), 1, 53, "the expression is nested more than 40 deep"),
    ("# a\n" * 200 + "long = close > open", 200, 1, "the script has more than 200 lines"),
    ("# " + "a" * 8000, 1, 1, "the script has 8,002 characters; at most 8,000 are allowed"),
    (f"long = {' + '.join(['param(1)'] * 31)} > close", 1, 338, "the script has more than 30 parameters"),
    ("long = close >\x00 1", 1, 15, "the character U+0000 is not allowed"),
    ("\n".join(f"y{i} = {'+'.join('1' * 38)}" for i in range(45)) + "\nlong = y1 > 1", 7, 1, "the script has more than 3,000 parts"),
    (
        "\n".join(["def f0(x): return x + close", *(f"def f{i}(x): return f{i - 1}(x) + f{i - 1}(x + 1)" for i in range(1, 15))])
        + "\nlong = f14(close) > 0",
        3,
        27,
        "the script is too large once its functions are written out",
    ),
)


@pytest.mark.parametrize(("scan", "line", "column", "message"), LARGE, ids=range(len(LARGE)))
def test_what_is_too_large_is_told_too(scan: str, line: int, column: int, message: str) -> None:
    found = [(error.line, error.column, error.message) for error in check(scan, EXECUTION)]
    assert (line, column, message) in found
    assert all(error.example for error in check(scan, EXECUTION))


def test_a_line_that_can_not_be_read_does_not_hide_the_mistakes_of_the_others() -> None:
    scan = "near = clse > vwap()\nloud = volume > (2\nfoo = near && loud\nbig = smaa(close, 2)\nlong = near and loud and foo and big > 1"
    found = check(scan, "entry = at_open(\nstop = low - atrr(3)")
    assert [(error.script, error.line, error.column, error.message) for error in found] == [
        ("scan", 1, 8, "`clse` is not known here"),
        ("scan", 2, 17, "'(' was never closed"),
        ("scan", 3, 12, "`&&` is not how this language writes it"),
        ("scan", 4, 7, "there is no function `smaa`"),
        ("execution", 1, 16, "'(' was never closed"),
        ("execution", 2, 14, "there is no function `atrr`"),
    ]


def test_a_function_that_can_not_be_read_is_one_mistake_however_often_it_is_called() -> None:
    for broken in ("def near(x) return x", "def near(x=1): return x", "def near(x):\n    y = x\n    return y"):
        assert len(check(f"{broken}\na = near(close)\nlong = near(open) > a", EXECUTION)) == 1
