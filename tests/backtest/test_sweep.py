"""The points of a sweep: inside the bounds, on the steps, distinct, evenly spread, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.backtest import BacktestError
from lab.backtest.sweep import MAX_POINTS, Axis, Method, Range, axes_of, design, size_of
from lab.script import compile_strategy
from lab.script.parameters import Parameter

SCAN = """loud = volume > param(2.0, low=1.0, high=5.0, step=0.25) * sma(volume, param(20, low=5, high=60))
long = loud and rsi(close, 14) < param(60)
"""
EXECUTION = "entry = at_open()\nstop = close - param(1.5, low=0.5, high=4) * atr(14)\n"


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    low = draw(st.integers(-50, 50)) / draw(st.sampled_from([1, 2, 10, 100, 3]))
    step = draw(st.sampled_from([None, 0.01, 0.05, 0.1, 0.25, 1.0, 2.5, 1 / 3]))
    high = low + (step or 1.0) * draw(st.floats(1.5, 40))
    own = low + (high - low) * draw(st.floats(0, 1))
    if step is not None and draw(st.booleans()):
        own = low
    return Parameter("p", "scan", own, own, low, high, step)


@st.composite
def axes(draw: st.DrawFn) -> tuple[Axis, ...]:
    made = draw(st.lists(parameters(), min_size=1, max_size=4))
    named = [Parameter(f"p{i}", p.script, p.default, p.value, p.low, p.high, p.step) for i, p in enumerate(made)]
    usable = []
    for parameter in named:
        with suppress(BacktestError):
            # only where its bounds leave a single value
            usable += axes_of([parameter])
    return tuple(usable) or axes_of([Parameter("p", "scan", 1, 1, 0, 5, 1)])


@settings(max_examples=80, deadline=None)
@given(axes(), st.sampled_from(list(Method)), st.integers(1, 60), st.integers(0, 2**32))
def test_every_point_is_within_bounds_on_a_step_and_there_once(axes: tuple[Axis, ...], method: Method, points: int, seed: int) -> None:
    chosen = design(axes, method, points, seed)
    assert len(set(chosen)) == len(chosen)
    assert list(chosen) == sorted(chosen)
    if method is Method.GRID:
        assert 1 <= len(chosen) <= points
    else:
        assert len(chosen) == min(points, size_of(axes))
    for axis, values in zip(axes, zip(*chosen, strict=True), strict=True):
        for value in values:
            assert axis.low <= value <= axis.high
            assert (value - axis.start) / axis.step == pytest.approx(round((value - axis.start) / axis.step), abs=1e-6)
    assert design(axes, method, points, seed) == chosen


@settings(max_examples=80, deadline=None)
@given(axes(), st.integers(2, 40), st.integers(0, 2**32))
def test_a_latin_design_uses_the_values_of_each_parameter_evenly(axes: tuple[Axis, ...], points: int, seed: int) -> None:
    if points * 4 > size_of(axes):
        return
    chosen = design(axes, Method.LATIN, points, seed)
    for i, axis in enumerate(axes):
        used = Counter(point[i] for point in chosen)
        fewest = 0 if len(used) < axis.levels else min(used.values())
        assert max(used.values()) - fewest <= 1
        if axis.levels >= points:
            cells = {int((round((point[i] - axis.start) / axis.step)) * points / axis.levels + 1e-9) for point in chosen}
            assert len(cells) == points


def test_a_grid_has_both_ends_of_every_parameter_and_every_combination() -> None:
    loud, window = axes_of(compile_strategy(SCAN, EXECUTION).parameters, ["loud", "loud_2"])
    chosen = design((loud, window), Method.GRID, 30, 0)
    values = [sorted(set(column)) for column in zip(*chosen, strict=True)]
    assert [len(column) for column in values] == [6, 5]
    assert [(column[0], column[-1]) for column in values] == [(1.0, 5.0), (5.0, 60.0)]
    assert set(chosen) == set(product(*values))
    assert all(window == int(window) for _, window in chosen), "a window is whole bars"


def test_a_grid_with_room_for_few_points_keeps_the_own_value_of_the_other_parameters() -> None:
    axes = axes_of(compile_strategy(SCAN, EXECUTION).parameters)
    assert [axis.name for axis in axes] == ["loud", "loud_2", "execution.stop"]
    chosen = design(axes, Method.GRID, 3, 0)
    assert {point[1:] for point in chosen} == {(20.0, 1.5)}
    assert design(axes, Method.GRID, 1, 0) == ((2.0, 20.0, 1.5),)


def test_other_seeds_give_other_points() -> None:
    axes = axes_of(compile_strategy(SCAN, EXECUTION).parameters)
    for method in (Method.RANDOM, Method.LATIN):
        assert design(axes, method, 20, 1) != design(axes, method, 20, 2)


def test_the_strategys_own_value_is_a_value_of_the_sweep() -> None:
    (axis,) = axes_of([Parameter("x", "scan", 3.0, 3.0, 0.5, 5.5, 1.0)])
    assert [axis.value(level) for level in range(axis.levels)] == [1, 2, 3, 4, 5]


def test_a_range_given_from_outside_narrows_or_gives_bounds() -> None:
    parameters = compile_strategy(SCAN, EXECUTION).parameters
    (axis,) = axes_of(parameters, ranges={"long": Range(50, 70, 5)})
    assert [axis.value(level) for level in range(axis.levels)] == [50, 55, 60, 65, 70]
    (axis,) = axes_of(parameters, ranges={"loud": Range(1.9, 2.6)})
    assert [axis.value(level) for level in range(axis.levels)] == [2.0, 2.25, 2.5]


@pytest.mark.parametrize(
    ("names", "ranges", "sentence"),
    [
        (["lout"], {}, "There is no parameter 'lout'; the scripts have loud, loud_2, long, execution.stop."),
        (["long"], {}, "give a range as long=LOW:HIGH"),
        ([], {"loud": Range(0.5, 2)}, "leaves the bounds of 'loud' in the script, 1 to 5"),
        ([], {"loud": Range(2, 2)}, "from a lower to a higher number"),
        ([], {"loud": Range(2, 3, 0)}, "must be above 0"),
        ([], {"loud": Range(2, 2.1)}, "nothing to vary"),
    ],
)
def test_what_cannot_be_varied_is_said(names: list[str], ranges: dict[str, Range], sentence: str) -> None:
    with pytest.raises(BacktestError, match=sentence.replace("(", r"\(")):
        axes_of(compile_strategy(SCAN, EXECUTION).parameters, names, ranges)


def test_scripts_without_parameters_and_absurd_numbers_of_points_are_refused() -> None:
    with pytest.raises(BacktestError, match="mark no number as free"):
        axes_of([])
    axes = axes_of(compile_strategy(SCAN, EXECUTION).parameters)
    for points in (0, MAX_POINTS + 1):
        with pytest.raises(BacktestError, match="from 1 to"):
            design(axes, Method.RANDOM, points, 0)
