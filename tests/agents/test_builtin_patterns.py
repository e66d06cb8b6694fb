"""The library of patterns: every one compiles for every agent and bar length, and means what its timeframe allows."""

from __future__ import annotations

import asyncio
import itertools
import re

import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.builtin.patterns import PATTERNS, Pattern, pattern_named, pattern_of
from lab.agents.builtin.setting import Horizon, Setting, bar_minutes, horizon_of, setting_of
from lab.agents.personality import FOCUSES, RISKS, STYLES, detect, risk_config
from lab.agents.strategist import Brief, Insight, KnowledgeType, StrategyDraft
from lab.script import check, compile_strategy

TIMEFRAMES = ("1m", "2m", "5m", "15m", "30m", "1h", "4h", "1d")
EVERYTHING = frozenset({"market", "levels", "prev_day"})


def setting(timeframe: str = "1m", risk: str = "balanced", *, shorts: bool = False, context: frozenset[str] = EVERYTHING) -> Setting:
    return Setting(horizon_of(timeframe), bar_minutes(timeframe), risk, "scalper", 0.5, shorts, context, ("rising market", "calm market"))


def brief(instructions: str, timeframe: str = "1m", guidance: str = "", knowledge: tuple[Insight, ...] = ()) -> Brief:
    found = detect(instructions).personality
    return Brief("Ann", instructions, "", found, risk_config(found), timeframe, EVERYTHING, knowledge, guidance)


def generated(asked: Brief) -> StrategyDraft:
    return asyncio.run(BuiltInStrategist().generate(asked))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_every_pattern_compiles_for_every_agent_and_timeframe(pattern: Pattern) -> None:
    for timeframe, risk, shorts, context in itertools.product(TIMEFRAMES, RISKS, (False, True), (frozenset[str](), EVERYTHING)):
        scripts = pattern.write(setting(timeframe, risk, shorts=shorts, context=context))
        assert check(scripts.scan, scripts.execution) == (), f"{timeframe} {risk} {shorts}"


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_a_pattern_reads_well_and_can_be_refined(pattern: Pattern) -> None:
    for timeframe in TIMEFRAMES:
        scripts = pattern.write(setting(timeframe))
        strategy = compile_strategy(scripts.scan, scripts.execution)
        assert len((scripts.scan + scripts.execution).splitlines()) <= 30
        assert max(len(line) for line in scripts.scan.splitlines()) <= 140
        assert len(strategy.parameters) >= 2
        assert all(p.low <= p.value <= p.high for p in strategy.parameters if p.low is not None and p.high is not None)
        assert pattern_of(scripts.scan) == pattern.name


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_bars_of_a_session_know_no_time_of_day(pattern: Pattern) -> None:
    scripts = pattern.write(setting("1d", shorts=True))
    assert not re.search(r"time_between|opening_range|minutes_since|vwap\(|relative_volume|flat_by", scripts.scan + scripts.execution)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_only_minute_strategies_are_flat_by_the_close(pattern: Pattern) -> None:
    for timeframe in TIMEFRAMES:
        scripts = pattern.write(setting(timeframe))
        plan = compile_strategy(scripts.scan, scripts.execution).plan
        assert (plan.flat_by_minute is not None) == (horizon_of(timeframe) is Horizon.MINUTES)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_a_bolder_agent_writes_another_script(pattern: Pattern) -> None:
    assert len({pattern.write(setting("1m", risk)).scan for risk in RISKS}) == len(RISKS)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_nothing_is_sold_short_unasked(pattern: Pattern) -> None:
    if pattern.name == "parabolic exhaustion":
        return
    scripts = pattern.write(setting("1m"))
    assert compile_strategy(scripts.scan, scripts.execution).directions == ("long",)


def test_a_script_reads_only_context_that_is_there() -> None:
    for pattern, timeframe in itertools.product(PATTERNS, TIMEFRAMES):
        scripts = pattern.write(setting(timeframe, context=frozenset()))
        assert compile_strategy(scripts.scan, scripts.execution).required_context == frozenset()


def test_there_is_a_pattern_for_every_focus_and_style() -> None:
    assert tuple(p.name for p in PATTERNS) == FOCUSES
    assert {style for p in PATTERNS for style in p.suits} == set(STYLES)
    assert pattern_named("gap fill").idea


@pytest.mark.parametrize(("text", "minutes"), [("1m", 1), ("15m", 15), ("1h", 60), ("1hour", 60), ("1d", 390), ("odd", 1)])
def test_timeframes_are_understood(text: str, minutes: float) -> None:
    assert bar_minutes(text) == minutes


@pytest.mark.parametrize(
    ("instructions", "pattern"),
    [
        ("A conservative VWAP scalper for liquid tech stocks, buys dips to VWAP in uptrends", "VWAP bounce"),
        ("An aggressive gap-and-go momentum trader", "gap and go"),
        ("A patient mean-reversion trader who buys sharp sell-offs at support", "support bounce"),
    ],
)
def test_the_strategy_is_the_pattern_that_was_described(instructions: str, pattern: str) -> None:
    draft = generated(brief(instructions))
    assert draft.pattern == pattern_of(draft.scan_script) == pattern
    assert check(draft.scan_script, draft.execution_script) == ()
    assert draft.rationale.startswith(f"I start with {pattern}")


def test_guidance_outranks_the_instructions() -> None:
    asked = brief("A VWAP scalper, buys dips to VWAP", guidance="try a Bollinger squeeze instead")
    assert generated(asked).pattern == "Bollinger squeeze"
    assert "you asked" in generated(asked).rationale


def test_a_pattern_known_to_fail_gives_way_to_the_next_one() -> None:
    failed = Insight(1, KnowledgeType.FAILURE, "opening-range breakout", "loses", 1.0)
    assert generated(brief("a day trader of stocks")).pattern == "opening-range breakout"
    chosen = generated(brief("a day trader of stocks", knowledge=(failed, failed, failed))).pattern
    assert chosen != "opening-range breakout"


def test_risk_follows_the_settings_of_the_agent() -> None:
    asked = brief("A conservative VWAP scalper")
    assert setting_of(asked).risk_percent == 0.25
    assert "risk     = 0.25" in generated(asked).execution_script


def test_shorts_are_sold_where_they_are_asked_for() -> None:
    draft = generated(brief("An opening range breakout day trader, long and short"))
    assert compile_strategy(draft.scan_script, draft.execution_script).directions == ("long", "short")
    assert "\nshort" not in generated(brief("An opening range breakout day trader, never short")).scan_script


def test_the_same_brief_gives_the_same_strategy() -> None:
    asked = brief("A VWAP scalper")
    assert generated(asked) == generated(asked)
