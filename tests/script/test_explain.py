"""A strategy in plain English, and finding a function by the word one knows."""

from __future__ import annotations

import pytest

from lab.script import CATALOGUE, FIELDS, Category, Kind, ScriptError, explain, search_catalogue
from lab.script.phrases import CONDITION_PHRASES, FIELD_PHRASES, NUMBER_PHRASES
from tests.script.bars import EXECUTION
from tests.script.calls import COMPUTED, call_of
from tests.script.test_meaning import EXECUTION_SCRIPT, SCAN


def test_the_design_example_is_told_line_by_line() -> None:
    lines = explain(SCAN, EXECUTION_SCRIPT)
    assert [(line.script, line.number, line.words) for line in lines] == [
        ("scan", 2, "near is true when the low is at or below the session's VWAP times 1.001, and the close is above the session's VWAP."),
        ("scan", 3, "loud is true when the volume is above 3 (adjustable from 1 to 5) times the mean of the volume over 20 bars."),
        (
            "scan",
            4,
            "Buy when near holds, and loud holds, and the bar starts from 10:00 to before 11:30 New York time,"
            " and the market's trend (1 up, 0 sideways, -1 down) is at or above 0.",
        ),
        (
            "scan",
            5,
            "Where slots are short, the signal with the highest score goes first:"
            " the volume divided by the mean of the volume over 20 bars.",
        ),
        ("execution", 2, "Enter at the open of the next bar."),
        ("execution", 3, "The stop is at the low minus 0.5 times the average true range over 14 bars."),
        ("execution", 4, "Take the profit at the close plus 2 times (the close minus stop)."),
        ("execution", 5, "Get out when the close crosses below the exponential average of the close over 20 bars."),
        ("execution", 6, "Hold for 60 bars at most."),
        ("execution", 7, "Be out by 15:55 New York time."),
        ("execution", 8, "Risk 0.5 percent of the equity on a trade."),
    ]
    assert lines[0].source == "near = low <= vwap() * 1.001 and close > vwap()"


SENTENCES = (
    ('"""Bounces\n  off VWAP"""', "Bounces off VWAP"),
    ("x = -close ** 2", "x is minus (the close to the power of 2)."),
    ("x = (open + close) / 2", "x is (the open plus the close) divided by 2."),
    ("x = open - (high - low)", "x is the open minus (the high minus the low)."),
    ("x = low if gap() > 1 else high", "x is the low if the opening gap in percent is above 1, else the high."),
    ("x = 1 < gap() <= 5", "x is true when 1 is below the opening gap in percent and the opening gap in percent is at or below 5."),
    (
        "x = close > open and (gap() > 1 or not doji())",
        "x is true when the close is above the open, and either the opening gap in percent is above 1, or it is not so that the bar is a"
        " doji (body at most 0.1 of the range).",
    ),
    ('x = on("1d", sma(close, 50))', "x is the mean of the close over 50 bars (on finished daily bars)."),
    ('x = of("SPY", roc(close, 5)) > 0', "x is true when the change of the close over 5 bars in percent (of SPY) is above 0."),
    ("x = ago(close)", "x is the close 1 bar ago."),
    ("x = breadth(rising(close, 2))", "x is the percentage of tickers on which the close has risen 2 bars in a row."),
    ("def near(a, b): return abs(a / b - 1) < 0.01", "near(a, b) stands for: the size of (a divided by b minus 1) is below 0.01."),
    ("x = close > param(3)", "x is true when the close is above 3 (adjustable)."),
)


@pytest.mark.parametrize(("line", "words"), SENTENCES, ids=range(len(SENTENCES)))
def test_a_line_is_told_in_a_sentence(line: str, words: str) -> None:
    extra = "\nlong = near(close, open)" if line.startswith("def") else "\nlong = close > open"
    assert explain(line + extra, EXECUTION)[0].words == words


def test_orders_and_both_directions_are_told() -> None:
    scan = "short = close < open"
    told = explain(scan, "entry = limit(close + 0.1, bars=1)\nstop = high")
    assert [line.words for line in told] == [
        "Sell short when the close is below the open.",
        "Enter by a limit order at the close plus 0.1, good for 1 bar.",
        "The stop is at the high.",
    ]
    assert explain(scan, "entry = stop_entry(low)\nstop = high")[1].words == "Enter by a stop order at the low, good for 5 bars."


def test_every_function_and_field_has_its_phrase_and_no_phrase_is_without_one() -> None:
    conditions = {function.name for function in COMPUTED if function.returns is Kind.CONDITION}
    numbers = {function.name for function in COMPUTED if function.category is not Category.OTHER} - conditions
    assert set(CONDITION_PHRASES) == conditions
    assert set(NUMBER_PHRASES) == numbers
    assert set(FIELD_PHRASES) == set(FIELDS)
    for function in COMPUTED:
        words = explain(f"x = {call_of(function)}\nlong = close > open", EXECUTION)[0].words
        assert words.endswith(".")
        assert "{" not in words
        for argument in function.arguments:
            phrase = NUMBER_PHRASES.get(function.name) or CONDITION_PHRASES.get(function.name) or ""
            silent = function.name.startswith("point_of") and argument.name == "steps"
            assert f"{{{argument.name}}}" in phrase or function.category is Category.OTHER or silent, function.name


def test_scripts_with_a_mistake_are_not_told() -> None:
    with pytest.raises(ScriptError, match="clse"):
        explain("long = clse > open", EXECUTION)


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("rsi", "rsi"), ("hull", "hma"), ("parabolic sar", "psar"), ("crossover", "crosses_above"), ("std", "stdev"),
        ("opening range", "opening_range_high"), ("candles", "body"), ("support", "levels.support"), ("VIX", "market.vix"),
    ],
)  # fmt: skip
def test_a_function_is_found_by_the_word_one_knows(word: str, first: str) -> None:
    assert search_catalogue(word)[0].name == first


def test_searching_for_nothing_gives_all_and_for_nonsense_none() -> None:
    assert len(search_catalogue(" ")) == len(CATALOGUE) + len(FIELDS)
    assert search_catalogue("xyzzy") == ()


def test_the_orders_of_an_execution_script_are_told() -> None:
    execution = (
        "entry = at_open()\nstop = low\ntarget = high + atr(14)\nfraction = 0.5\ntarget_2 = high + 2 * atr(14)\ntrail = 3 * atr(14)\n"
        "break_even = 1.5\ncooldown = 10\nrisk_move = 2 * atr(20)"
    )
    said = [line.words for line in explain("long = close > open", execution)]
    assert said[4:] == [
        "At the target, 0.5 of the position leaves.",
        "The second target is at the high plus 2 times the average true range over 14 bars.",
        "The stop follows the best price since the entry at a distance of 3 times the average true range over 14 bars.",
        "Once the profit reaches 1.5 times the risk, the stop moves to the entry price.",
        "After leaving a ticker, let 10 bars pass before entering it again.",
        "The risk is what is lost if the price moves by 2 times the average true range over 20 bars.",
    ]
    assert explain("long = close > open", "entry = at_open()\nstop = low\nsize = 5000")[-1].words == "A position is worth 5000 dollars."


def test_a_side_is_told_as_a_person_would() -> None:
    execution = (
        "entry = at_open()\nstop = close - side * param(2.0, low=1.0, high=3.0) * atr(14)\nexit = close > open if side > 0 else gap() > 1"
    )
    said = [line.words for line in explain("long = close > open\nshort = close < open", execution)]
    assert (
        said[-2]
        == "The stop is at the close minus 2 (adjustable from 1 to 3) times the average true range over 14 bars (plus it for a short)."
    )
    assert said[-1].startswith("Get out when the close is above the open (if the trade is long; else ")
