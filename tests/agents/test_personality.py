"""What an agent is taken for, from plain English."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.personality import FOCUSES, MARKETS, RISKS, STYLES, detect, named_focuses, normalised, risk_config, system_prompt
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


@pytest.mark.parametrize(
    ("text", "focus"),
    [
        ("fade opening gaps in calm markets", "gap fill"),
        ("fade the gap", "gap fill"),
        ("fade morning gaps", "gap fill"),
        ("fading large gaps", "gap fill"),
        ("gap fade", "gap fill"),
        ("gaps up fade by noon, trade that fade", "gap fill"),
        ("gap fill", "gap fill"),
        ("play the gap fill", "gap fill"),
        ("fill the overnight gap", "gap fill"),
        ("short the gap up", "gap fill"),
        ("short stocks that gap up", "gap fill"),
        ("buy the gap down", "gap fill"),
        ("sell gaps up", "gap fill"),
        ("trade against the gap", "gap fill"),
        ("gap reversals at the open", "gap fill"),
        ("gap and go", "gap and go"),
        ("gap-and-go momentum", "gap and go"),
        ("buy gaps up on volume", "gap and go"),
        ("stocks gapping up on earnings", "gap and go"),
        ("gap continuation", "gap and go"),
        ("don't fade gaps, gap and go only", "gap and go"),
        ("fade VWAP, not gap and go", "VWAP fade"),
        ("vwap reclaim", "VWAP bounce"),
        ("buy the reclaim of vwap", "VWAP bounce"),
        ("bounces off the VWAP", "VWAP bounce"),
        ("dips into VWAP in an uptrend", "VWAP bounce"),
        ("pullback to vwap", "VWAP bounce"),
        ("vwap fade", "VWAP fade"),
        ("fade moves far above VWAP", "VWAP fade"),
        ("stretched far from vwap", "VWAP fade"),
        ("mean reversion back to the vwap", "VWAP fade"),
        ("buy the dip", "trend pull-back"),
        ("buying dips in a strong uptrend", "trend pull-back"),
        ("dip buyer in uptrends", "trend pull-back"),
        ("trend following pullbacks", "trend pull-back"),
        ("buy pullbacks to the moving average", "trend pull-back"),
        ("breakout of the opening range", "opening-range breakout"),
        ("ORB with volume", "opening-range breakout"),
        ("break of the first 15 minutes", "opening-range breakout"),
        ("opening drive breakouts", "opening-range breakout"),
        ("mean reversion after a sell-off", "RSI-2 reversal"),
        ("snap back after selloffs", "RSI-2 reversal"),
        ("oversold bounces", "RSI-2 reversal"),
        ("bollinger squeeze breakout", "Bollinger squeeze"),
        ("buy at support", "support bounce"),
        ("bull flags", "high-tight flag"),
        ("fade parabolic spikes", "parabolic exhaustion"),
        ("short the rallies", "parabolic exhaustion"),
        ("momentum in strong stocks", "gap and go"),
    ],
)
def test_a_traders_phrase_names_the_trade_it_means(text: str, focus: str) -> None:
    assert detect(text).personality.focus[0] == focus


def test_any_market_beside_another_is_that_other() -> None:
    mixed = Personality("balanced", "scalper", ("VWAP bounce", "VWAP bounce"), ("any market", "calm market"))
    assert normalised(mixed) == Personality("balanced", "scalper", ("VWAP bounce",), ("calm market",))
    assert normalised(Personality("balanced", "scalper", ("VWAP bounce",), ())).markets == ("any market",)


def test_limits_named_in_the_instructions_win_over_the_temper() -> None:
    text = "A conservative VWAP scalper, risk 2%, max 3 positions"
    found = detect(text).personality
    assert risk_config(found, text) == risk_config(found) | {"risk_percent": 2.0, "max_positions": 3.0}
    assert "risk 2 %" in system_prompt("Ann", text, found, "US stocks")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trade options on tech stocks", "options"),
        ("momentum in crypto", "crypto"),
        ("day trader who holds overnight", "overnight"),
        ("scalp stocks, risk 8% per trade", "5%"),
        ("trade premarket gaps", "premarket"),
    ],
)
def test_a_demand_that_can_not_be_met_is_said(text: str, said: str) -> None:
    assert any(said in sentence for sentence in detect(text).not_understood)
    assert detect("swing trader who holds overnight positions in tech stocks").not_understood == ()
