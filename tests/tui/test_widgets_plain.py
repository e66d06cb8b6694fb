"""Charts, diffs and the version tree as plain functions: what a person would see of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from lab.agents.views import Interval, ScriptProblem, StepView, VersionRow
from lab.tui.widgets.breakdowns import Scale, whiskered
from lab.tui.widgets.charts import drawdowns, equity_chart
from lab.tui.widgets.diff import diff_lines, script_diff, script_diffs
from lab.tui.widgets.flow import Line, hang
from lab.tui.widgets.history import Point, history_chart
from lab.tui.widgets.result import unknown
from lab.tui.widgets.script_editor import problem_list
from lab.tui.widgets.steps import steps_in_full, steps_in_short
from lab.tui.widgets.version_tree import Marks, tree_rows


def curve(values: list[float]) -> list[tuple[date, float]]:
    return [(date(2024, 10, 1) + timedelta(days=at), value) for at, value in enumerate(values)]


equities = st.lists(st.floats(1.0, 5e7), min_size=2, max_size=300)


@settings(max_examples=60, deadline=None)
@given(values=equities, width=st.integers(24, 200), height=st.integers(5, 50))
def test_a_chart_never_leaves_its_box_at_any_size(values: list[float], width: int, height: int) -> None:
    lines = equity_chart(curve(values), values[0], width, height).plain.split("\n")
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


@settings(max_examples=30, deadline=None)
@given(values=equities)
def test_no_escape_of_the_plot_library_reaches_the_screen(values: list[float]) -> None:
    assert "\x1b" not in equity_chart(curve(values), 100_000.0, 60, 14).plain


def test_axis_labels_are_readable_at_60_columns() -> None:
    plain = equity_chart(curve([100_000 + 40 * at for at in range(90)]), 100_000, 60, 14).plain
    assert "100.0k┤" in plain
    assert "103.6k┤" in plain
    assert "01 Oct" in plain
    assert "29 Dec" in plain


def test_levels_too_close_for_thousands_are_labelled_in_dollars() -> None:
    plain = equity_chart(curve([100_000.0, 100_020.0, 100_040.0]), 100_000, 60, 9).plain
    assert "100,000┤" in plain
    assert "100,040┤" in plain


def test_the_drawdown_is_drawn_only_where_there_is_room_and_names_its_depth() -> None:
    fell = curve([100.0, 110.0, 99.0, 105.0])
    assert "deepest -10.0%" in equity_chart(fell, 100, 60, 16).plain
    assert "drawdown" not in equity_chart(fell, 100, 60, 8).plain
    assert "never fell" in equity_chart(curve([100.0, 101.0, 102.0]), 100, 60, 14).plain


def test_a_flat_curve_and_a_short_one_are_no_crash() -> None:
    assert "┤" in equity_chart(curve([100.0] * 30), 100, 60, 12).plain
    assert "at least two sessions" in equity_chart(curve([100.0]), 100, 60, 12).plain
    assert "Equity 100 → 101" in equity_chart(curve([100.0, 101.0]), 100, 12, 3).plain


@given(st.lists(st.floats(1.0, 1e9), min_size=1, max_size=50))
def test_a_drawdown_is_never_above_zero_nor_below_minus_one(values: list[float]) -> None:
    falls = drawdowns(values)
    assert len(falls) == len(values)
    assert all(-1.0 <= fall <= 0.0 for fall in falls)


def plain(lines: list[Line]) -> str:
    return "\n".join(line.plain for line, _ in lines)


@given(st.text(alphabet="ab \u4e2d", max_size=200), st.integers(20, 90), st.integers(0, 30))
def test_a_wrapped_line_keeps_its_words_and_its_width(text: str, width: int, indent: int) -> None:
    lines = hang(Content(text), width, indent)
    assert all(line.cell_length <= width for line in lines)
    assert "".join(line.plain for line in lines).replace(" ", "") == text.replace(" ", "")


def test_wrapped_lines_start_under_their_own_text() -> None:
    lines = hang(Content("Costs   0.5 bps commission, 1 bps slippage"), 30, 8)
    assert [line.plain for line in lines] == ["Costs   0.5 bps commission, 1", "        bps slippage"]


def version(name: str, parent: str | None, at: int) -> VersionRow:
    made = datetime(2025, 1, 1, tzinfo=UTC)
    return VersionRow(at, name, parent, False, None, None, "", made, "", "")


def test_a_straight_line_of_versions_stays_flush_left() -> None:
    rows = tree_rows([version("1.0", None, 1), version("1.1", "1.0", 2), version("1.2", "1.1", 3)])
    assert [(row.branch, row.version.version) for row in rows] == [("", "1.0"), ("", "1.1"), ("", "1.2")]


def test_a_branch_is_drawn_where_an_older_version_was_taken_up_again() -> None:
    family = [("1.0", None), ("1.1", "1.0"), ("1.2", "1.1"), ("2.0", "1.0"), ("2.1", "2.0")]
    versions = [version(name, parent, at) for at, (name, parent) in enumerate(family)]
    assert [row.branch + row.version.version for row in tree_rows(versions)] == ["1.0", "├─ 1.1", "│  1.2", "└─ 2.0", "   2.1"]


@given(st.lists(st.integers(0, 30), max_size=40))
def test_every_version_stands_in_the_tree_once(parents: list[int]) -> None:
    versions = [version("v0", None, 0)] + [version(f"v{at + 1}", f"v{min(parent, at)}", at + 1) for at, parent in enumerate(parents)]
    assert sorted(row.version.id for row in tree_rows(versions)) == [v.id for v in versions]


def test_a_thousand_versions_in_one_line_are_no_crash() -> None:
    versions = [version("v0", None, 0)] + [version(f"v{at}", f"v{at - 1}", at) for at in range(1, 1000)]
    assert len(tree_rows(versions)) == 1000


def test_a_third_mark_lets_go_of_the_oldest() -> None:
    marks = Marks()
    for each in (1, 2, 3):
        marks.toggle(each)
    assert list(marks.ids) == [2, 3]
    marks.toggle(2)
    assert list(marks.ids) == [3]
    marks.keep([1, 2])
    assert list(marks.ids) == []


def test_a_diff_shows_signs_and_leaves_out_what_is_far_away() -> None:
    old = "\n".join(f"line{at} = {at}" for at in range(12))
    new = old.replace("line6 = 6", "line6 = 60")
    assert [line.sign for line in diff_lines(old, new)] == ["…", " ", " ", "-", "+", " ", " ", "…"]
    assert not diff_lines(old, old)


def test_an_unchanged_script_says_so() -> None:
    assert plain(script_diff("scan script", "a = 1", "a = 1")) == "scan script: unchanged"


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_script_text_makes_the_diff_crash_or_lets_an_escape_through(old: str, new: str) -> None:
    assert "\x1b" not in plain(script_diffs(old, "", new, ""))


@pytest.mark.parametrize("text", ["[bold]x[/]", "[/nope]", "[@click=app.quit]x[/]", "\x1b]8;;http://x\x07y"])
def test_markup_in_a_script_shows_as_text(text: str) -> None:
    drawn = script_diff("scan script", "", text)
    assert not any("link" in str(span.style) or "@click" in str(span.style) for line, _ in drawn for span in line.spans)
    if "\x1b" not in text:
        assert text in plain(drawn)


def test_a_problem_is_listed_with_its_place_and_what_would_be_right() -> None:
    listed = plain(problem_list([ScriptProblem("scan", 3, 8, "there is no function smaa", "Did you mean sma?")]))
    assert listed == "✗ scan 3:8 there is no function smaa. Did you mean sma?"
    assert "right" in plain(problem_list(()))


STEPS = (StepView("generate", "done", 0.1, ""), StepView("scan", "running", None, ""), StepView("enrich", "waiting", None, ""))


def test_the_running_step_shows_its_share_and_what_it_is_doing() -> None:
    lines = steps_in_full(STEPS, 0.5, "12 of 24 tickers").plain.split("\n")
    assert lines[0].startswith("✓ generate")
    assert lines[1].startswith("▸ scan")
    assert "50%" in lines[1]
    assert "12 of 24 tickers" in lines[1]
    assert lines[2].startswith("· enrich")


def test_a_failed_iteration_shows_where_it_stopped() -> None:
    lines = steps_in_full(STEPS, 0.5, "", failed=True).plain.split("\n")
    assert lines[1].startswith("✗ scan")
    assert "stopped here" in lines[1]
    assert lines[2].startswith("·")


def test_finished_steps_are_summed_up() -> None:
    assert steps_in_short([StepView("generate", "done", 1.5, ""), StepView("scan", "done", 2.0, "")]) == "2 steps in 3.5 s"
    assert steps_in_short([StepView("generate", "waiting", None, "")]) == ""


def test_context_that_was_not_there_is_said_under_a_result_and_nothing_where_all_was_there() -> None:
    assert unknown(()) == []
    lines = [line.plain for line, _ in unknown(("No SPY bars: x is unknown.", "No \x1b[2JVIX: y is unknown."))]
    assert lines == ["Not known  No SPY bars: x is unknown.", "           No VIX: y is unknown."]


@given(value=st.floats(-3, 3), low=st.floats(-3, 3), high=st.floats(-3, 3), width=st.integers(10, 120))
def test_a_bar_is_solid_only_where_its_interval_leaves_no_doubt(value: float, low: float, high: float, width: int) -> None:
    low, value, high = sorted((low, value, high))
    drawn = whiskered(value, Interval(low, high), Scale(-2.0, 2.0, 0.0), width)
    assert len(drawn) == width
    if low <= 0 <= high:
        assert "█" not in drawn
    if "█" in drawn:
        assert low > 0 or high < 0
    assert drawn.count("│") == 1


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 30), st.floats(0, 30)), min_size=2, max_size=60),
    width=st.integers(20, 120),
    height=st.integers(5, 30),
)
def test_the_line_over_versions_keeps_to_its_room_and_shows_the_newest(
    values: list[tuple[float, float, float]], width: int, height: int
) -> None:
    points = [Point(f"1.{n}", value, Interval(value - below, value + above)) for n, (value, below, above) in enumerate(values)]
    drawn = history_chart("Sharpe", points, lambda value: f"{value:.1f}", 0.0, width, height)
    lines = drawn.split("\n", allow_blank=True)
    assert len(lines) == height
    assert max(line.cell_length for line in lines) <= width
    assert drawn.plain.rstrip().endswith(f"1.{len(points) - 1}")
