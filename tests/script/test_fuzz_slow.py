"""A million scripts, made up and damaged, and ten thousand runs: nothing but the language's own errors, no hang, no death."""

from __future__ import annotations

import contextlib
import random
import string
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from lab.script import CATALOGUE, FIELDS, ScriptError, check, check_scan, compile_strategy, format_script
from lab.work.confined import Limits
from lab.work.errors import TaskTookTooLong
from lab.work.executor import Executor
from tests.script import runaway
from tests.script.bars import EXECUTION, make_bars
from tests.script.test_fuzz import _WORDS, random_scan
from tests.script.test_honest import HONEST
from tests.script.test_refusals import ATTACKS, ESCAPES, LOOKS_AHEAD

INPUTS = 1_000_000
RUNS = 10_000
PARTS = 4
"""Shares of the work, so that every core has its own."""
LONGEST_SECONDS = 1.0

_SEEDS = [*HONEST, *(text for text in (*ATTACKS, *ESCAPES, *LOOKS_AHEAD) if len(text) < 200)]
_NAMES = [*CATALOGUE, *FIELDS]
_SIGNS = [
    "+",
    "-",
    "*",
    "/",
    "**",
    "<",
    ">",
    "<=",
    ">=",
    "==",
    "!=",
    " and ",
    " or ",
    " if ",
    " else ",
    ", ",
    "(",
    ")",
    ".",
    "=",
    "\n",
    "not ",
]


def _expression(chance: random.Random, depth: int) -> str:
    """Anything that looks like the language; about one in three is right."""
    kind = chance.random()
    if depth == 0 or kind < 0.25:
        return chance.choice(("close", "open", "volume", "1", "20", "0.5", "-3", '"10:00"', "market.trend", "x", chance.choice(_NAMES)))
    if kind < 0.55:
        name = chance.choice(_NAMES)
        return f"{name}({', '.join(_expression(chance, depth - 1) for _ in range(chance.randint(0, 3)))})"
    if kind < 0.9:
        return f"{_expression(chance, depth - 1)} {chance.choice(_SIGNS[:13])} {_expression(chance, depth - 1)}"
    return f"({_expression(chance, depth - 1)})"


def _damaged(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 8))
        put = chance.choice(
            (chance.choice(_WORDS), chance.choice(_SIGNS), chr(chance.choice((0, 9, 13, 92, 160, 0x202E, 0xD800, 0x1F600))), "")
        )
        text = text[:start] + put + text[end:]
    return text


def made_up(chance: random.Random) -> str:
    """One input of any kind."""
    match chance.randrange(6):
        case 0:
            return _damaged(chance, chance.choice(_SEEDS))
        case 1:
            return "long = " + "".join(chance.choice(_WORDS) + chance.choice(("", " ")) for _ in range(chance.randint(0, 12)))
        case 2:
            return "".join(chance.choice(string.printable) for _ in range(chance.randint(0, 60)))
        case 3:
            one, other = chance.choice(_SEEDS), chance.choice(_SEEDS)
            return one[: chance.randint(0, len(one))] + other[chance.randint(0, len(other)) :]
        case 4:
            return f"x = {_expression(chance, 3)}\nlong = {_expression(chance, 2)} > close"
        case _:
            return "".join(chr(chance.choice((chance.randrange(128), chance.randrange(0x3000)))) for _ in range(chance.randint(0, 30)))


def _timed(check_one: Callable[[str], Sequence[ScriptError]], text: str) -> tuple[Sequence[ScriptError], float]:
    started = time.thread_time()
    errors = check_one(text)
    return errors, time.thread_time() - started


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_million_inputs_give_nothing_but_the_languages_own_errors_and_none_takes_a_second(part: int) -> None:
    chance = random.Random(part)
    accepted = 0
    for number in range(INPUTS // PARTS):
        text = made_up(chance)
        check_one = check_scan if number % 8 else partial(check, "long = close > open")
        errors, taken = _timed(check_one, text)
        if taken > LONGEST_SECONDS:
            # A collection of a large heap or a machine short of memory can cost as much; a slow script is slow every time.
            taken = min(_timed(check_one, text)[1] for _ in range(3))
        assert taken < LONGEST_SECONDS, text
        accepted += not errors
        if number % 50 == 0:
            for error in errors:
                assert isinstance(error, ScriptError)
                assert error.render()
            with contextlib.suppress(ScriptError):
                format_script(text)
    assert accepted > INPUTS // PARTS // 200


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_ten_thousand_accepted_scripts_run_to_their_end(part: int) -> None:
    chance = random.Random(1000 + part)
    frames = [
        make_bars(seed, tickers=tickers, sessions=2, per_session=20, damaged=seed % 2 == 1) for seed, tickers in enumerate((1, 2, 3, 2))
    ]
    frames += [frames[0].head(1), frames[0].clear()]
    ran = 0
    for number in range(20 * RUNS):
        scan = random_scan(number * PARTS + part, (2, 3, 9, 50, 600, 5000)) if number % 2 else made_up(chance)
        if check(scan, EXECUTION):
            continue
        strategy = compile_strategy(scan, EXECUTION)
        frame = chance.choice(frames)
        if set(strategy.required_tickers) <= set(frame["ticker"]) or frame.is_empty():
            evaluated = strategy.evaluate(frame)
            assert len(evaluated) == len(frame)
            assert all(evaluated[f"signal.{direction}"].null_count() == 0 for direction in strategy.directions)
            ran += 1
        if ran == RUNS // PARTS:
            return
    pytest.fail(f"only {ran} scripts ran")


def _loaded(executor: Executor) -> int:
    """A run of its usual size, once the process has loaded what it needs: on a busy machine that alone may pass the limit."""
    for _ in range(10):
        with contextlib.suppress(TaskTookTooLong):
            return executor.submit(runaway.warm_up).result()
    pytest.fail("the machine is too busy to load Polars within the limit")


@pytest.mark.slow
def test_a_runaway_script_is_killed_within_half_a_second_of_its_limit(tmp_path: Path) -> None:
    limit = 4.0
    note = tmp_path / "began"
    with Executor(1, Limits(wall_seconds=limit, niceness=0)) as executor:
        _loaded(executor)
        with pytest.raises(TaskTookTooLong):
            executor.submit(runaway.run, note).result()
        taken = time.monotonic() - float(note.read_text(encoding="ascii"))
        # The limit counts from the task's start, a little before the note is written.
        assert taken < limit + 0.5
        assert _loaded(executor) > 0
