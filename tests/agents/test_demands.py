"""Clock times, directions and limits on risk in a person's words end up in the scripts, or the person is told why not."""

from __future__ import annotations

import asyncio

import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.builtin.wishes import beyond_scripts, wishes
from lab.agents.demands import flat_by, limits, windows
from lab.agents.personality import detect, risk_config
from lab.agents.strategist import Brief, StrategyDraft
from lab.script import check
from tests.agents.made import CONTEXT


def generated(instructions: str, timeframe: str = "1m", guidance: str = "") -> StrategyDraft:
    found = detect(instructions).personality
    limits_of = risk_config(found, instructions)
    brief = Brief("Ann", instructions, "", found, limits_of, timeframe, CONTEXT, guidance=guidance)
    draft = asyncio.run(BuiltInStrategist().generate(brief))
    assert check(draft.scan_script, draft.execution_script) == ()
    return draft


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("only before 11:00", 'time_between("09:30", "11:00")'),
        ("before 11", 'time_between("09:30", "11:00")'),
        ("between 10 and 11:30", 'time_between("10:00", "11:30")'),
        ("from 10:00 to 11:30 only", 'time_between("10:00", "11:30")'),
        ("VWAP bounce 10-11:30", 'time_between("10:00", "11:30")'),
        ("no trades before 10am", 'time_between("10:00", "16:00")'),
        ("after 2pm", 'time_between("14:00", "16:00")'),
        ("until noon", 'time_between("09:30", "12:00")'),
        ("not between 12 and 1", 'not time_between("12:00", "13:00")'),
        ("stop trading after 3", 'time_between("09:30", "15:00")'),
        ("only in the morning", 'time_between("09:30", "12:00")'),
        ("avoid the first hour", 'time_between("10:30", "16:00")'),
        ("in the last hour", 'time_between("15:00", "16:00")'),
    ],
)
def test_a_time_is_understood(text: str, condition: str) -> None:
    assert [w.condition for w in windows(text)] == [condition]
    assert condition in [w.condition for w in wishes(text, CONTEXT, intraday=True)]


@pytest.mark.parametrize(
    "text",
    [
        "after 2 red candles",
        "between 1 and 3 percent",
        "after 10 bars",
        "range of the first 15 minutes",
        "after 20:00",
        "dips from 2 to 3%",
    ],
)
def test_what_is_no_time_is_not_taken_for_one(text: str) -> None:
    assert windows(text) == ()


def test_a_time_to_be_out_is_no_time_to_get_in() -> None:
    assert windows("be flat by 3:45pm") == ()
    assert flat_by("be flat by 3:45pm") == (945, "flat by 3:45pm")


@pytest.mark.parametrize(
    ("text", "percent", "positions"),
    [
        ("risk 2%", 2.0, None),
        ("never risk more than 1 % per trade", 1.0, None),
        ("1% risk, max 3 positions", 1.0, 3),
        ("one position at a time", None, 1),
        ("risk 8 percent of equity", 5.0, None),
        ("buy when 2% below vwap", None, None),
    ],
)
def test_limits_are_understood(text: str, percent: float | None, positions: int | None) -> None:
    found = limits(text)
    assert (found.risk_percent, found.max_positions) == (percent, positions)
    assert bool(found.clamped) == ("8 percent" in text)


def test_the_first_scripts_keep_the_times_and_the_risk_that_were_named() -> None:
    draft = generated("VWAP scalper, only before 11:00, risk 2%, flat by 15:30")
    assert 'time_between("10:00", "11:00")' in draft.scan_script
    assert 'flat_by  = "15:30"' in draft.execution_script
    assert "= 2\n" in draft.execution_script
    assert "only before 11:00, as you asked" in draft.rationale
    assert "risk 2%" in draft.rationale


def test_a_time_that_the_pattern_never_trades_at_replaces_the_patterns_own() -> None:
    assert 'time_between("14:00", "16:00")' in generated("gap and go after 2pm").scan_script


def test_times_on_daily_bars_are_refused_in_words() -> None:
    draft = generated("Trend pull-backs, only before 11:00", "1d")
    assert "time_between" not in draft.scan_script
    assert "no time of day" in draft.rationale


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("VWAP fade, short only", {"short"}),
        ("fade gaps, only shorts", {"short"}),
        ("opening range breakout, long only", {"long"}),
        ("opening range breakout, long and short", {"long", "short"}),
        ("short-term opening range breakouts", {"long"}),
        ("opening range breakout, long only, no shorts", {"long"}),
    ],
)
def test_the_direction_is_the_one_that_was_asked_for(text: str, sides: set[str]) -> None:
    scan = generated(text).scan_script
    assert {line.split("=")[0].strip() for line in scan.splitlines()} & {"long", "short"} == sides


def test_a_pattern_without_a_short_side_says_so() -> None:
    assert "no short side" in generated("gap and go, short only").rationale


def test_guidance_that_is_no_matter_of_the_scripts_is_answered() -> None:
    assert "settings" in beyond_scripts("max 3 positions", intraday=True)
    assert "no time of day" in beyond_scripts("only before 11:00", intraday=False)
    assert "5%" in beyond_scripts("risk 8%", intraday=True)
    assert beyond_scripts("wider stop", intraday=True) == ""
