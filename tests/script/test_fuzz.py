"""Whatever is typed, checking answers with the language's own errors or none, and what it accepts runs."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.script import CATALOGUE, FIELDS, check, check_scan, compile_strategy, describe_changes, format_script, truncation_check
from lab.script.errors import ScriptError
from tests.script.bars import EXECUTION, make_bars
from tests.script.calls import COMPUTED, call_of
from tests.script.test_meaning import EXECUTION_SCRIPT, SCAN

_WORDS = [
    *CATALOGUE,
    *FIELDS,
    *("param", "long", "short", "score", "near", "side", "and", "or", "not", "if", "else", "def", "return", "lambda", "import"),
    *("None", "True", "__class__", "_", "0", "1", "20", "-1", "1.5", "1e9", "1e400", "0x", "1j", "é", "\\", "f'", "b'", "'"),
    *("=", "==", "<", ">=", "+", "-", "*", "/", "**", "(", ")", "[", "]", "{", "}", ",", ".", ":", ":=", "@", "%", "~", "#", ";"),
    *("\n", "\n  ", " ", "\t", "\x00", '"', '"""', '"10:00"'),
]


def _asked(scan: str, execution: str) -> None:
    for errors in (check(scan, execution), check_scan(scan)):
        for error in errors:
            assert error.line >= 1
            assert error.column >= 1
            assert str(error)
            assert error.render()
    describe_changes(scan, execution, execution, scan)
    with contextlib.suppress(ScriptError):
        format_script(scan)
    with contextlib.suppress(ScriptError):
        compile_strategy(scan, execution)


@settings(max_examples=150, deadline=2000)
@given(st.text(), st.text())
def test_any_text_is_answered(scan: str, execution: str) -> None:
    _asked(scan, execution)


@settings(max_examples=250, deadline=2000)
@given(st.lists(st.sampled_from(_WORDS), max_size=40).map(" ".join), st.lists(st.sampled_from(_WORDS), max_size=10).map("".join))
def test_any_words_of_the_language_are_answered(scan: str, execution: str) -> None:
    _asked("long = " + scan, "entry = at_open()\nstop = low\n" + execution)


@settings(max_examples=150, deadline=2000)
@given(st.data())
def test_any_damage_to_a_good_script_is_answered(data: st.DataObject) -> None:
    text = SCAN
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.one_of(st.sampled_from(_WORDS), st.text(max_size=3))) + text[end:]
    _asked(text, EXECUTION_SCRIPT)


def random_scan(seed: int, windows: tuple[int, ...] = tuple(range(2, 10))) -> str:
    """A random valid scan over the whole catalogue."""
    chance = random.Random(seed)
    numbers, conditions = ["close", "high - low", "volume"], ["close > open"]
    lines = []
    for position in range(chance.randint(2, 8)):
        function = chance.choice(COMPUTED)
        call = call_of(function, chance.choice(windows)).replace("close > open", chance.choice(conditions))
        call = call.replace("close,", chance.choice(["close,", f"{chance.choice(['close', 'typical()', 'volume'])},"]))
        name = f"x{position}"
        if function.returns.name == "CONDITION":
            lines.append(f"{name} = {call}")
            conditions.append(name)
        else:
            sign = chance.choice("+-*/")
            lines.append(f"{name} = {call} {sign} ({chance.choice(numbers)})")
            numbers.append(name)
    lines.append(f"long = {chance.choice(conditions)} and {chance.choice(numbers)} > {chance.choice(numbers)}")
    lines.append(f"short = not {chance.choice(conditions)} or {chance.choice(numbers)} < {chance.choice(numbers)} * 0.99")
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(40))
def test_random_honest_scripts_are_accepted_and_never_look_ahead(seed: int) -> None:
    frame = make_bars(seed, tickers=2, sessions=3, per_session=30, damaged=seed % 2 == 1)
    scan = random_scan(seed)
    assert check(scan, EXECUTION) == (), scan
    assert truncation_check(compile_strategy(scan, EXECUTION), frame, [1, 2, 10, 31, 47, frame["timestamp"][40]]) == ()
