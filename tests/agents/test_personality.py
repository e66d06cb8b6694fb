"""What an agent is taken for, from plain English."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.personality import FOCUSES, MARKETS, RISKS, STYLES, detect, named_focuses, risk_config, system_prompt
from lab.agents.views import Personality


@pytest.mark.parametrize(
    ("text", "risk", "style", "focus"),
    [
        ("A conservative VWAP scalper for liquid tech stocks, buys dips to VWAP in uptrends", "conservative", "scalper", "VWAP bounce"),
        ("An aggressive gap-and-go momentum trader for stocks that open strong", "aggressive", "momentum trader", "gap and go"),
        ("A patient mean-reversion trader who buys sharp sell-offs at support", "balanced", "mean-reversion trader", "support bounce"),
        ("Create a conservative VWAP scalper for tech stocks", "conservative", "scalper", "VWAP bounce"),
        ("Fade overextended moves away from VWAP, cautiously", "conservative", "mean-reversion trader", "VWAP fade"),
        ("Swing trade pullbacks in strong uptrends, holds for days", "balanced", "swing trader", "trend pull-back"),
        ("Breakout trader: opening range breakouts on volume", "balanced", "breakout trader", "opening-range breakout"),
        ("Trade Bollinger squeezes", "balanced", "day trader", "Bollinger squeeze"),
        ("Short parabolic blow-off tops, high risk", "aggressive", "day trader", "parabolic exhaustion"),
        ("Bull flags after explosive runs", "balanced", "momentum trader", "high-tight flag"),
        ("Fills the gap when an opening gap fails, day trading", "balanced", "day trader", "gap fill"),
        ("Connors style RSI-2 buying oversold stocks", "balanced", "mean-reversion trader", "RSI-2 reversal"),
    ],
)
def test_a_description_is_read_as_a_trader_would_read_it(text: str, risk: str, style: str, focus: str) -> None:
    found = detect(text)
    assert found.has_trading_content
    assert (found.personality.risk, found.personality.style, found.personality.focus[0]) == (risk, style, focus)


@pytest.mark.parametrize(
    ("text", "unwanted"),
    [
        ("a trader who is not aggressive", "aggressive"),
        ("momentum trading, avoid gaps", "gap and go"),
        ("I don't want VWAP fades; trade momentum", "VWAP fade"),
        ("trade breakouts, never scalp", "scalper"),
        ("buy support without chasing gaps", "gap and go"),
        ("conservative rather than aggressive trading", "aggressive"),
    ],
)
def test_what_is_negated_is_not_chosen(text: str, unwanted: str) -> None:
    found = detect(text).personality
    named = {found.risk, found.style, *found.markets} | (set(found.focus) if "momentum" not in text or "gap" not in unwanted else set())
    assert unwanted not in named


def test_a_market_to_be_skipped_names_the_one_that_is_wanted() -> None:
    assert detect("Day trade gaps up, skip falling markets").personality.markets == ("rising market", "gapping stocks")
    assert detect("Scalp stocks, avoid volatile markets").personality.markets == ("calm market",)
    assert detect("Short falling stocks").personality.markets == ("falling market",)


def test_a_negation_ends_with_its_clause() -> None:
    assert detect("Not a day trader, but aggressive: buys momentum").personality.risk == "aggressive"
    assert detect("not only conservative stocks").personality.risk == "conservative"


@pytest.mark.parametrize(
    "text", ["hello world", "make me a sandwich", "buy me a sandwich", "", "   ", "write a poem about the sea", "1234 !?"]
)
def test_text_without_trading_is_recognised(text: str) -> None:
    assert not detect(text).has_trading_content


def test_where_nothing_is_said_the_default_is_shown_without_words_for_it() -> None:
    found = detect("trade stocks")
    assert found.personality == Personality("balanced", "day trader", ("opening-range breakout",), ("any market",))
    assert all(not words for words in found.because.values())


def test_the_words_shown_stand_in_the_text() -> None:
    text = "A Conservative VWAP scalper for liquid tech stocks in uptrends"
    found = detect(text)
    words = [w for part in found.because.values() for w in part]
    assert words
    assert all(word in text for word in words)
    assert found.personality.markets == ("rising market", "liquid stocks", "technology stocks")


@given(st.text(max_size=400))
def test_any_text_gives_a_valid_personality(text: str) -> None:
    found = detect(text).personality
    assert found.risk in RISKS
    assert found.style in STYLES
    assert found.focus
    assert set(found.focus) <= set(FOCUSES)
    assert found.markets
    assert set(found.markets) <= set(MARKETS)


def test_long_text_is_read_instantly() -> None:
    import time

    started = time.perf_counter()
    detect("not a trader but " * 30_000)
    assert time.perf_counter() - started < 1.0


def test_bolder_agents_may_risk_more() -> None:
    limits = [risk_config(Personality(risk, "scalper", ("VWAP bounce",), ("any market",))) for risk in RISKS]
    assert limits[0]["risk_percent"] < limits[1]["risk_percent"] < limits[2]["risk_percent"]
    assert all(set(x) == {"risk_percent", "max_positions", "max_exposure", "max_position"} for x in limits)


def test_only_outright_names_count_as_named() -> None:
    assert named_focuses("try a gap fill") == ("gap fill",)
    assert named_focuses("wider stop please") == ()


def test_the_system_prompt_says_who_the_agent_is_and_what_binds_it() -> None:
    instructions = "A conservative VWAP scalper\nfor tech stocks"
    prompt = system_prompt("VWAP Guardian", instructions, detect(instructions).personality, "20 US stocks on 1-minute bars")
    for part in (
        "VWAP Guardian",
        "> A conservative VWAP scalper",
        "> for tech stocks",
        "20 US stocks",
        "0.25 %",
        "[E3]",
        "30 trades",
        "past",
    ):
        assert part in prompt
