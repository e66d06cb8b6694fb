"""The heat map of a sweep: every cell says its number beside its shade."""

from __future__ import annotations

import pytest

from lab.agents.errors import NotThere
from lab.agents.heatmap import SHADES, Figure, heat_map
from lab.agents.sweep_jobs import Measured, Point

NAMES = ("loud", "stop")


def point(*values: float, sharpe: float | None = None, win_rate: float | None = 0.5) -> Point:
    return Point(values, Measured("hash", 40, win_rate, sharpe, 0.01, 0.02, 1.1, 0.1, 5.0, None))


def test_a_grid_is_shown_value_by_value_with_shade_and_number() -> None:
    points = [point(loud, stop, sharpe=loud + stop / 10) for loud in (1.0, 2.0, 3.0) for stop in (0.5, 1.5) if (loud, stop) != (3.0, 1.5)]
    shown = heat_map(points, NAMES, "loud", "stop", Figure.SHARPE)
    assert (shown.rows, shown.columns) == (("1", "2", "3"), ("0.5", "1.5"))
    lowest, highest, nothing = shown.cells[0][0], shown.cells[2][0], shown.cells[2][1]
    assert lowest is not None
    assert highest is not None
    assert (lowest.value, lowest.shade, highest.value, highest.shade) == (1.05, 0, 3.05, len(SHADES) - 1)
    assert nothing is None
    text = shown.lines()
    assert text[-1].split() == ["3", "██", "3.05", "·"]
    assert len({len(line) for line in text[3:-1]}) == 1, "the columns stand in line"


def test_scattered_points_are_gathered_and_each_cell_is_their_mean() -> None:
    points = [point(float(i), float(i % 7), sharpe=float(i)) for i in range(60)]
    shown = heat_map(points, NAMES, "loud", "stop", Figure.SHARPE)
    assert len(shown.rows) <= 8
    assert len(shown.columns) <= 6
    assert sum(cell.points for row in shown.cells for cell in row if cell) == 60
    assert sum(cell.points * cell.value for row in shown.cells for cell in row if cell) == pytest.approx(sum(range(60)))
    assert max(len(line) for line in shown.lines()) <= 80


def test_one_parameter_makes_one_column_and_shares_are_percent() -> None:
    shown = heat_map(
        [point(1.0, win_rate=0.4), point(2.0, win_rate=0.6), point(3.0, win_rate=None)], ("loud",), "loud", "", Figure.WIN_RATE
    )
    assert shown.columns == ("win rate",)
    assert [line.split()[-1] for line in shown.lines()[-2:]] == ["40.0%", "60.0%"]


def test_equal_or_no_values_and_unknown_parameters() -> None:
    same = heat_map([point(1.0, sharpe=2.0), point(2.0, sharpe=2.0)], ("loud",), "loud", "", Figure.SHARPE)
    assert {cell.shade for row in same.cells for cell in row if cell} == {2}
    assert heat_map([point(1.0)], ("loud",), "loud", "", Figure.SHARPE).cells == ()
    with pytest.raises(NotThere, match="did not vary 'lout'; it varied loud"):
        heat_map([], ("loud",), "lout", "", Figure.SHARPE)
