"""Blind mode: nothing that names a stock or a day passes, and what comes back names them again."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.claude.blind import Blind
from lab.agents.claude.companies import spoken

FIRST, LAST = date(2024, 1, 2), date(2024, 12, 31)
TICKERS = ("AAPL", "TSLA", "F", "ON", "ALL", "LOW", "BRK.B", "A", "T05")
VEIL = Blind(TICKERS, "SPY", "VIX", FIRST, LAST, "universe 1")


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("Scalp AAPL and tsla", ("AAPL", "tsla")),
        ("Buy Apple's shares, not Tesla", ("Apple", "Tesla")),
        ("apple and TESLA INC", ("apple", "TESLA")),
        ("sell F and ON, buy ALL of $LOW", ("F", "ON", "ALL", "LOW")),
        ("of BRK.B and 'A'", ("BRK.B", "'A'")),
        ("like GameStop or GME did", ("GameStop", "GME")),
        ("watch SPY and the VIX", ("SPY", "VIX")),
        ("as on 2024-03-05 and 03/05/2024", ("2024-03-05", "03/05/2024")),
        ("since March 2020, in Q3 2024, on May 5th and 5 May", ("March", "2020", "Q3", "May 5", "5 May")),
        ("the crash of 2008, the 2010s", ("2008", "2010")),
        ("Meta stock and Target shares", ("Meta", "Target")),
    ],
)
def test_names_and_dates_in_a_persons_words_are_hidden(words: str, gone: tuple[str, ...]) -> None:
    hidden = VEIL.hide(words)
    for name in gone:
        assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", hidden), hidden


@pytest.mark.parametrize(
    "date_in_words",
    [
        *("2024-03-05T14:30:00Z", "2024-03-05 09:30", "2024/3/5", "2024\u201003\u201005", "2024.03.05", "20240305", "2024-03", "2024-W12"),
        *("05.03.2024", "3/5/24", "03-05-2024", "5-Mar-24", "05-Mar-2024", "5th of March", "March 5th, 2024", "5. M\u00e4rz 2024"),
        *(
            "5 mars 2024",
            "3 de mayo de 2024",
            "2024\u5e743\u67085\u65e5",
            "\uff12\uff10\uff12\uff14-\uff10\uff13-\uff10\uff15",
            "20\u200b24",
        ),
        *("Mar-24", "March '24", "Q3 2024", "3Q24", "2024Q3", "H1'24", "FY24", "week 12 of 2024", "in '08", "1709649000", "1709649000123"),
        *("twenty twenty-four", "two thousand and eight", "nineteen eighty-seven", "in March", "since May", "January", "the covid crash"),
    ],
)
def test_no_date_passes_in_whatever_form(date_in_words: str) -> None:
    hidden = VEIL.hide(f"I did well {date_in_words} with this.")
    told = re.compile(
        r"20\d\d|\b(?:mar|march|m\u00e4rz|mars|mayo|may|january|covid|q3|fy|h1|3q\d*)\b|'|\d{2,}|eight|twenty|\u5e74", re.IGNORECASE
    )
    assert not told.search(re.sub(r"\b\d\d:\d\d\b", "", hidden.replace(VEIL.day(date(2024, 3, 5)), ""))), hidden
    assert hidden.startswith("I did well ")
    assert hidden.endswith(" with this.")


def test_what_a_vendor_says_a_company_is_called_is_hidden_too() -> None:
    names = [("ZZTP", "Zymotic Therapeutics, Inc. Common Stock"), ("GAP", "The Gap, Inc."), ("QQX", "Quaffle Holdings Ltd. Class A")]
    veil = Blind(("ZZTP", "GAP"), None, None, FIRST, LAST, "u", [(ticker, spoken(name)) for ticker, name in names], ("ORLY", "KITE"))
    hidden = veil.hide("Zymotic Therapeutics' pipeline, the gap and go in Gap Inc, a gap up at quaffle, unlike KITE or $orly")
    assert re.fullmatch(r"(T0\d)' pipeline, the gap and go in (T0\d), a gap up at a stock, unlike a stock or a stock", hidden), hidden


@pytest.mark.parametrize(
    "words",
    [
        "Buy low, sell on all dips with a target of 2 R and a stop; out by 15:55",
        "A conservative VWAP scalper for tech stocks, 30 to 60 bars, 0.25 percent risk",
        "fade gaps of 2,000 dollars, may take 20 trades a day, 10:30 to 11:00",
        "volume above 2014.5 or $2,014; a first target, a gap and a block of shares",
        "march higher, may the trend hold; twenty-five bars, two thousand five hundred shares, at 1,500,000,000 dollars",
        "the range of the first 15 minutes, 5 of 12 days, 2.5 x volume, 9:30 to 11:00, 3/4 of it, RSI-2, EMA 200, p 0.05, v1.12",
    ],
)
def test_ordinary_words_of_trading_stay_what_they_are(words: str) -> None:
    assert VEIL.hide(words) == words


def test_scripts_keep_their_meaning_and_lose_their_tickers() -> None:
    script = 'long = of("SPY", close) > on("1d", low) and low < param(2000)  # AAPL since 2021-02-03\n'
    hidden = VEIL.hide_script(script)
    assert hidden.startswith('long = of("MKT", close) > on("1d", low) and low < param(2000)  #')
    assert "AAPL" not in hidden
    assert "2021" not in hidden
    assert VEIL.reveal_script('x = of("MKT", close)\nVOL = volume') == 'x = of("SPY", close)\nVOL = volume'


@given(st.sampled_from(TICKERS))
def test_an_alias_comes_back_as_its_ticker(ticker: str) -> None:
    assert VEIL.reveal(f"I bought {VEIL.ticker(ticker)}.") == f"I bought {ticker}."


@given(st.dates(FIRST, LAST))
def test_a_day_comes_back_as_its_date(day: date) -> None:
    assert VEIL.reveal(f"The worst was on {VEIL.day(day)}.") == f"The worst was on {day.isoformat()}."
    assert VEIL.hide(f"on {day.isoformat()}") == f"on {VEIL.day(day)}"


def test_the_same_universe_has_the_same_aliases_and_their_order_says_nothing() -> None:
    again = Blind(TICKERS, "SPY", "VIX", FIRST, LAST, "universe 1")
    other = Blind(TICKERS, "SPY", "VIX", FIRST, LAST, "universe 2")
    assert [again.ticker(t) for t in TICKERS] == [VEIL.ticker(t) for t in TICKERS]
    assert [other.ticker(t) for t in TICKERS] != [VEIL.ticker(t) for t in TICKERS]
    assert [VEIL.ticker(t) for t in sorted(TICKERS)] != [f"T{n:02d}" for n in range(1, len(TICKERS) + 1)]


def test_times_of_day_are_no_days() -> None:
    assert VEIL.reveal("hour of day 13:00 to 14:00, day 9999") == "hour of day 13:00 to 14:00, day 9999"


@given(st.text(max_size=200))
def test_any_text_at_all_passes_without_an_error(text: str) -> None:
    VEIL.reveal(VEIL.hide(text))
    VEIL.reveal_script(VEIL.hide_script(text))


@given(st.lists(st.sampled_from([*TICKERS[:2], "GME", "buy", "sell", "dips,", "2024-05-06", "(", '"', "to 10:30"]), max_size=12))
def test_no_ticker_passes_whatever_stands_around_it(words: list[str]) -> None:
    hidden = VEIL.hide(" ".join(words))
    assert not {"AAPL", "TSLA", "GME", "2024-05-06"} & set(re.findall(r"[\w-]+", hidden))
    assert (FIRST + timedelta(days=125)).isoformat() not in hidden
