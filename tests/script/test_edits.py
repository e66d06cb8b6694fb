"""Edits of scripts: the text changes where it must and nowhere else, and changes are told in words."""

from __future__ import annotations

import ast
import gc
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.script import ScriptError, add_condition, check, compile_strategy, describe_changes, explain, format_script, set_parameters
from lab.script.source import module_of, parse
from tests.script.bars import EXECUTION

SCAN = '''"""VWAP bounce"""
# buyers defend the price
near  = low <= vwap() * param(1.001, low=1.0, high=1.01) and close > vwap()
loud  = volume > param(3.0, low=1.0, high=5.0) * sma(volume, param(20, low=5, high=50, step=5))   # busy

long  = near and loud and time_between("10:00", "11:30")
score = volume / sma(volume, 20)
'''
EXECUTION_SCRIPT = """entry = at_open()
stop = close - param(1.5, low=0.5, high=4.0) * atr(14)
target = close + 2.0 * (close - stop)
flat_by = "15:55"
"""


def test_a_parameter_is_changed_in_place_and_nothing_else() -> None:
    scan, execution = set_parameters(SCAN, EXECUTION_SCRIPT, {"loud": 4.0, "loud_2": 25, "execution.stop": 2})
    assert scan == SCAN.replace("param(3.0", "param(4.0").replace("param(20", "param(25")
    assert execution == EXECUTION_SCRIPT.replace("param(1.5", "param(2.0")
    assert set_parameters(SCAN, EXECUTION_SCRIPT, {}) == (SCAN, EXECUTION_SCRIPT)
    assert "param(-0.5)" in set_parameters("x = close * param(-2.5)\nlong = x > 1", EXECUTION, {"x": -0.5})[0]
    # A number that is no whole one is written out even where a whole one stood.
    assert "param(20.5)" in set_parameters("x = close * param(20)\nlong = x > 1", EXECUTION, {"x": 20.5})[0]


def test_a_script_read_once_is_the_same_after_all_that_is_done_with_it() -> None:
    read = {
        script: ast.dump(parse(script, text).tree, include_attributes=True)
        for script, text in (("scan", SCAN), ("execution", EXECUTION_SCRIPT))
    }
    assert check(SCAN, EXECUTION_SCRIPT) == ()
    compile_strategy(SCAN, EXECUTION_SCRIPT, {"loud": 4.0})
    explain(SCAN, EXECUTION_SCRIPT)
    changed = set_parameters(SCAN, EXECUTION_SCRIPT, {"loud": 4.0, "execution.stop": 2})
    describe_changes(SCAN, EXECUTION_SCRIPT, *changed)
    add_condition(SCAN, "close > open")
    format_script(SCAN)
    for script, text in (("scan", SCAN), ("execution", EXECUTION_SCRIPT)):
        assert ast.dump(parse(script, text).tree, include_attributes=True) == read[script]


def test_threads_that_read_at_once_all_get_the_tree() -> None:
    """Where a collection lets another thread run in the midst of it, CPython 3.11 mixes up how deep the two are."""
    outcomes: Counter[str] = Counter()

    def read() -> None:
        for _ in range(8):
            try:
                outcomes[ast.dump(module_of(SCAN))] += 1
            except SystemError as error:
                outcomes[str(error)] += 1

    def others_turn(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    usual = gc.get_threshold()
    gc.callbacks.append(others_turn)
    gc.set_threshold(5)
    try:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*usual)
        gc.callbacks.remove(others_turn)
    assert outcomes == {ast.dump(module_of(SCAN)): 32}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lod": 4.0}, "Did you mean `loud`"),
        ({"loud": 9.0}, "at least 1 and at most 5, not 9"),
        ({"x": 1.0}, "It has near"),
    ],
)
def test_a_parameter_that_does_not_exist_or_fit_is_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ScriptError) as caught:
        set_parameters(SCAN, EXECUTION_SCRIPT, values)
    assert words in str(caught.value)


@given(st.floats(1.0, 5.0), st.integers(5, 50))
def test_setting_parameters_in_the_text_equals_binding_them(loud: float, length: int) -> None:
    values = {"loud": loud, "loud_2": float(length)}
    scan, execution = set_parameters(SCAN, EXECUTION_SCRIPT, values)
    assert compile_strategy(scan, execution).script_hash == compile_strategy(SCAN, EXECUTION_SCRIPT, values).script_hash


def test_a_condition_is_added_to_both_directions_readably() -> None:
    scan = "long = a\nshort = (close < open\n    # why\n    or gap() < -2)  # end\n".replace("= a", "= close > open or gap() > 2")
    added = add_condition(scan, "market.trend>=0")
    assert added == (
        "long = (close > open or gap() > 2) and market.trend >= 0\n"
        "short = (close < open\n    # why\n    or gap() < -2) and market.trend >= 0  # end\n"
    )
    assert add_condition("long = close > open", "gap() > 1 or gap() < -1") == "long = close > open and (gap() > 1 or gap() < -1)"
    assert add_condition(scan, "gap() > 1", ("long",)).count("gap() > 1") == 1
    two = "long = (close > open) or (gap() > 2)"
    assert add_condition(two, "gap() > 1") == "long = ((close > open) or (gap() > 2)) and gap() > 1"
    assert check(added, EXECUTION) == ()


@pytest.mark.parametrize("condition", ["", "close >", "1) or (2", "x = 1", "close.x()", "a\nb", "(lambda: 1)", "[1]"])
def test_what_is_no_condition_is_not_added(condition: str) -> None:
    with pytest.raises(ScriptError):
        add_condition("long = close > open", condition)


def test_formatting_keeps_comments_and_meaning_and_is_stable() -> None:
    messy = (
        "'''What it does'''\n\n\n# first\nnear=low<=vwap()*1.001 and (close>vwap())\n"
        "busy   =(volume>3.0*sma(volume,20)\n   # inside\n   and not(close<open))# behind\n"
        "def f( a,b ):\n    return a if a>b else (b if b > 1 else -(a+b))\n\n\n"
        "long=near and busy and f(close,open)>1 "
        "and time_between('10:00','11:30') and market.trend>=0 and market.vix<30;score=2**-1*close\n# last"
    )
    neat = format_script(messy)
    assert neat == (
        '"""What it does"""\n\n# first\nnear = low <= vwap() * 1.001 and close > vwap()\n# inside\n'
        "busy = volume > 3.0 * sma(volume, 20) and not close < open  # behind\n"
        "def f(a, b): return a if a > b else b if b > 1 else -(a + b)\n\n"
        'long  = (near\n         and busy\n         and f(close, open) > 1\n         and time_between("10:00", "11:30")\n'
        "         and market.trend >= 0\n         and market.vix < 30)\nscore = 2 ** -1 * close\n# last\n"
    )
    assert format_script(neat) == neat
    assert compile_strategy(messy, EXECUTION).script_hash == compile_strategy(neat, EXECUTION).script_hash


def test_formatting_keeps_every_docstring_and_comment() -> None:
    text = (
        '"""Title\nin two lines"""  # behind it\n# first\n\ndef near(a):  # at the head\n    """What near is"""\n    # inside\n'
        "    return abs(a-1)<0.01 # at the end\nlong=(close>open\n  # within\n  and near(close/open)) # behind\n# last"
    )
    neat = format_script(text)
    for kept in ('"""Title\nin two lines"""', '"""What near is"""', "# behind it", "# first", "# at the head", "# inside", "# at the end"):
        assert kept in neat
    for kept in ("# within", "# behind", "# last"):
        assert kept in neat
    assert format_script(neat) == neat
    assert compile_strategy(text, EXECUTION).script_hash == compile_strategy(neat, EXECUTION).script_hash


_LEAVES = st.sampled_from(["close", "open", "1", "2.5", "vwap()", "sma(close, 3)", "market.trend", "min(low, 4)"])


def _numbers(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(children, st.sampled_from("+-*/"), children).map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"),
        children.map(lambda part: f"-({part})"),
        children.map(lambda part: f"({part}) ** 2"),
        st.tuples(children, children, children).map(lambda parts: f"({parts[0]}) if ({parts[1]}) > close else ({parts[2]})"),
    )


@given(st.recursive(_LEAVES, _numbers, max_leaves=12), st.sampled_from(["and", "or"]))
def test_the_shortest_form_of_an_expression_means_the_same(number: str, word: str) -> None:
    scan = f"long = (({number}) > close {word} not ((close > open) or (low < {number} < high))) and (close > 1)"
    if check(scan, EXECUTION):
        return
    assert compile_strategy(format_script(scan), EXECUTION).script_hash == compile_strategy(scan, EXECUTION).script_hash


CHANGES = (
    ("param(3.0", "param(4.0", ("loud: volume filter 3.0 → 4.0",)),
    ("param(20,", "param(25,", ("loud: sma(volume, 20) → sma(volume, 25)",)),
    ("11:30", "12:00", ('long: time_between("10:00", "11:30") → time_between("10:00", "12:00")',)),
    ('11:30")', '11:30") and market.trend >= 0', ("+ only when market.trend >= 0",)),
    (" and loud", "", ("- no longer only when loud",)),
    ("# buyers defend the price\n", "", ()),
    ("score = volume / sma(volume, 20)\n", "", ("- score taken out",)),
    ("low <= vwap()", "low < vwap()", ("near: + only when low < vwap() * 1.001", "near: - no longer only when low <= vwap() * 1.001")),
    ("score = volume / sma(volume, 20)\n", "score = gap()\n", ("score: volume / sma(volume, 20) → gap()",)),
    ("score =", "calm = market.vix < 20\nscore =", ("+ calm = market.vix < 20",)),
    ("long  =", "short = close < open\nlong  =", ("+ goes short when close < open",)),
    ("low=1.0, high=5.0", "low=1.0, high=6.0", ("loud: may now vary from 1 to 6, before from 1 to 5",)),
)


@pytest.mark.parametrize(("before", "after", "words"), CHANGES, ids=range(len(CHANGES)))
def test_a_change_of_the_scan_is_told_in_words(before: str, after: str, words: tuple[str, ...]) -> None:
    assert before in SCAN
    assert describe_changes(SCAN, EXECUTION_SCRIPT, SCAN.replace(before, after), EXECUTION_SCRIPT) == words


def test_a_change_of_the_execution_is_told_in_words() -> None:
    changed = EXECUTION_SCRIPT.replace("1.5", "2.5").replace("15:55", "15:30").replace("2.0 *", "3.0 *") + "max_bars = 30\n"
    assert describe_changes(SCAN, EXECUTION_SCRIPT, SCAN, changed) == (
        "stop: 1.5 * atr(14) → 2.5 * atr(14)",
        "target: 2.0 * (close - stop) → 3.0 * (close - stop)",
        "flat_by: 15:55 → 15:30",
        "+ max_bars = 30",
    )


def test_a_condition_added_to_both_directions_is_told_once() -> None:
    scan = "long = close > open and gap() > 1\nshort = close < open and gap() < -1"
    assert describe_changes(scan, EXECUTION, add_condition(scan, "market.vix < 30"), EXECUTION) == ("+ only when market.vix < 30",)
    assert describe_changes(scan, EXECUTION, add_condition(scan, "market.vix < 30", ("short",)), EXECUTION) == (
        "short: + only when market.vix < 30",
    )
    assert describe_changes(scan, EXECUTION, scan.replace("gap() > 1", "gap() > 2"), EXECUTION) == ("long: gap() > 1 → 2",)


def test_scripts_that_can_not_be_read_do_not_stop_a_comparison() -> None:
    assert describe_changes("long = (", EXECUTION, SCAN, EXECUTION) == ("scan script rewritten",)
    assert describe_changes("long = (", EXECUTION, "long = (", EXECUTION) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rsi(close) < 30", "rsi(close, 14) < 30"),
        ("rsi(close, n=10) < 30", "rsi(close, 10.0) < 30"),
        ("distance(vwap()) > 1", "distance(x=close, level=vwap()) > 1"),
    ],
)
def test_what_is_only_written_in_another_way_is_no_change(old: str, new: str) -> None:
    assert describe_changes(f"long = {old}", EXECUTION, f"long = {new}", EXECUTION) == ()
    assert compile_strategy(f"long = {old}", EXECUTION).script_hash == compile_strategy(f"long = {new}", EXECUTION).script_hash


def test_a_further_way_to_a_signal_is_told_as_one() -> None:
    def told(old: str, new: str) -> tuple[str, ...]:
        return describe_changes(f"long = {old}", EXECUTION, f"long = {new}", EXECUTION)

    assert told("close > open", "close > open or gap() > 1") == ("+ also when gap() > 1",)
    assert told("gap() > 1 or volume > 5 or doji()", "doji() or volume > 6") == ("long: volume > 5 → 6", "- no longer when gap() > 1")
    assert told("close > open and gap() > 1", "gap() > 1") == ("- no longer only when close > open",)
    assert told("close > open or gap() > 1", "close > vwap()") == ("long: close > open or gap() > 1 → close > vwap()",)
