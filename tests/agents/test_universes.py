"""Universes: made of what is cached, chosen without looking ahead, never learning from another one's vault."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lab.agents.data_views import UniverseRule, tickers_in
from lab.agents.errors import BadUniverse, NotThere
from lab.agents.service import Lab
from lab.market import BarsCache
from lab.market.news import NewsCoverage
from tests.market.conftest import walk

SPAN = (date(2022, 1, 3), date(2023, 12, 29))
STOCKS = {"AAA": (20.0, 0.01), "BBB": (100.0, 0.02), "CCC": (300.0, 0.005), "DDD": (3.0, 0.04), "EEE": (50.0, 0.015)}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with five stocks and SPY on daily bars, and no universe."""
    lab = Lab(tmp_path_factory.mktemp("universes") / "home")
    with BarsCache(lab.workspace.bars).batch() as batch:
        for seed, (ticker, (price, spread)) in enumerate(STOCKS.items()):
            batch.write(ticker, "1d", walk(*SPAN, seed=seed, minutes=1440, price=price, spread=spread), "test")
        batch.write("SPY", "1d", walk(date(2022, 6, 1), SPAN[1], seed=9, minutes=1440), "test")
    lab.close()
    return lab.workspace.home


@pytest.fixture
def lab(home: Path, tmp_path: Path) -> Lab:
    import shutil

    shutil.copytree(home, tmp_path / "home")
    return Lab(tmp_path / "home")


def test_named_tickers_make_a_universe_over_all_that_is_cached(lab: Lab) -> None:
    made = lab.universes.make("  My   list ", "1d", ["BBB", "AAA", "BBB"])
    assert (made.name, made.tickers) == ("My list", ("BBB", "AAA"))
    assert (made.first_session, made.last_session) == SPAN
    assert SPAN[0] < made.learning_until < SPAN[1]
    assert lab.universes.named("MY LIST").view == made
    assert lab.state().universes == (made,)


def test_a_rule_chooses_by_what_was_known_before_its_date_and_the_universe_begins_there(lab: Lab, tmp_path: Path) -> None:
    as_of = date(2022, 7, 1)
    rule = UniverseRule(min_price=5, top=3, by="volatility")
    made = lab.universes.make("lively", "1d", rule=rule, as_of=as_of)
    assert made.first_session == as_of
    assert len(made.tickers) == 3
    assert "DDD" not in made.tickers, "it costs less than five dollars"
    # What comes later could not matter: with all of it doubled or gone, the choice is the same.
    other = Lab(tmp_path / "other")
    cache = BarsCache(lab.workspace.bars)
    with BarsCache(other.workspace.bars).batch() as batch:
        for number, ticker in enumerate((*STOCKS, "SPY")):
            bars = cache.read([ticker], "1d").select("timestamp", "open", "high", "low", "close", "volume")
            later = pl.col("timestamp").dt.date() >= as_of
            if number % 2:
                bars = bars.filter(~later)
            else:
                bars = bars.with_columns(pl.when(later).then(pl.col(name) * 2).otherwise(name).alias(name) for name in bars.columns[1:])
            batch.write(ticker, "1d", bars, "test")
    assert other.universes.candidates("1d", as_of, rule) == lab.universes.candidates("1d", as_of, rule)


def test_candidates_say_what_they_were_chosen_for(lab: Lab) -> None:
    found = {one.ticker: one for one in lab.universes.candidates("1d", date(2022, 7, 1), UniverseRule())}
    assert found.keys() == {*STOCKS, "SPY"}
    bars = BarsCache(lab.workspace.bars).read(["AAA"], "1d", None, date(2022, 6, 30)).tail(20)
    assert found["AAA"].price == bars["close"][-1]
    assert found["AAA"].dollar_volume == pytest.approx((bars["close"] * bars["volume"]).mean())
    assert found["AAA"].volatility_percent == pytest.approx(bars["close"].log().diff().std() * 100)
    strict = UniverseRule(max_price=found["AAA"].price, min_price=found["AAA"].price)
    assert [one.ticker for one in lab.universes.candidates("1d", date(2022, 7, 1), strict)] == ["AAA"], "bounds belong to the range"


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"name": " "}, "name", "Give the universe a name"),
        ({"tickers": []}, "tickers", "at least one ticker"),
        ({"tickers": ["AAA", "ZZZ"]}, "tickers", "No 1d bars of ZZZ are cached"),
        ({"tickers": ["VIX"]}, "tickers", "can't be traded"),
        ({"timeframe": "1m"}, "tickers", "No 1m bars of AAA"),
        ({"rule": UniverseRule(top=2)}, "tickers", "either tickers or a rule"),
        ({"tickers": [], "rule": UniverseRule(top=2)}, "as_of", "needs the date"),
        ({"tickers": [], "rule": UniverseRule(min_price=1e9), "as_of": date(2022, 9, 1)}, "rule", "No ticker with 1d bars"),
        ({"tickers": [], "rule": UniverseRule(by="beauty"), "as_of": date(2022, 9, 1)}, "rule", "can't be ranked"),
        ({"first": date(2030, 1, 1)}, "span", "end on 2023-12-29"),
        ({"last": date(2022, 1, 7)}, "span", "needs 10"),
    ],
)  # fmt: skip
def test_what_makes_no_universe_is_said_where_it_was_typed(lab: Lab, change: dict[str, object], field: str, sentence: str) -> None:
    given = {"name": "mine", "timeframe": "1d", "tickers": ["AAA"], **change}
    with pytest.raises(BadUniverse, match=sentence) as caught:
        lab.universes.make(given.pop("name"), given.pop("timeframe"), given.pop("tickers"), **given)
    assert caught.value.field == field
    assert lab.universes.all() == ()


def test_tickers_are_added_and_taken_away_and_the_spans_stay(lab: Lab) -> None:
    made = lab.universes.make("lively", "1d", rule=UniverseRule(top=2), as_of=date(2022, 7, 1))
    assert lab.universes.show(made.id).made_by.startswith("top 2 by dollar volume")
    (gone,) = set(made.tickers[:1])
    changed = lab.universes.edit(made.id, name="chosen", add=["DDD"], remove=[gone])
    assert changed.name == "chosen"
    assert set(changed.tickers) == {*made.tickers, "DDD"} - {gone}
    assert (changed.first_session, changed.learning_until) == (made.first_session, made.learning_until)
    assert lab.universes.show(made.id).made_by == "named tickers", "no rule chose these"
    with pytest.raises(BadUniverse, match="does not hold AAA"):
        lab.universes.edit(lab.universes.make("other", "1d", ["BBB"]).id, remove=["AAA"])
    with pytest.raises(BadUniverse, match="exists already"):
        lab.universes.edit(made.id, name="OTHER")


def test_no_universe_learns_from_the_vault_of_another(lab: Lab) -> None:
    early = lab.universes.make("early", "1d", ["AAA", "BBB"], last=date(2023, 3, 31))
    later = lab.universes.make("later", "1d", ["BBB", "CCC"])
    assert later.learning_until == early.learning_until
    apart = lab.universes.make("apart", "1d", ["CCC", "EEE"], first=date(2022, 2, 1), last=date(2022, 10, 3))
    assert apart.learning_until < later.learning_until
    with pytest.raises(BadUniverse, match="are the vault of 'apart'"):
        lab.universes.make("peeping", "1d", ["EEE"], first=date(2022, 9, 1))
    with pytest.raises(BadUniverse, match="are the vault of 'apart'"):
        lab.universes.edit(early.id, add=["EEE"])


def test_a_universe_in_use_is_not_deleted(lab: Lab) -> None:
    made = lab.universes.make("mine", "1d", ["AAA"])
    spare = lab.universes.make("spare", "1d", ["AAA"])
    words = "Buy pullbacks in an uptrend, swing trading"
    agent_id = lab.create_agent("Holder", words, lab.detect(words).personality, made.id)
    assert lab.universes.show(made.id).agents == ("Holder",)
    with pytest.raises(BadUniverse, match="traded by Holder"):
        lab.universes.delete(made.id)
    lab.update_agent(agent_id, universe_id=spare.id)
    lab.universes.delete(made.id)
    with pytest.raises(NotThere):
        lab.universes.show(made.id)
    with pytest.raises(NotThere, match="Universes here: spare"):
        lab.universes.named("mine")


def test_what_is_missing_is_said_and_no_longer_once_it_has_come(lab: Lab) -> None:
    from datetime import UTC, datetime

    made = lab.universes.make("all", "1d", list(STOCKS))
    assert made.missing_context == lab.universes.missing_context(made.id)
    assert [sentence.split()[0] for sentence in made.missing_context] == ["SPY", "No", "No"]
    assert "SPY begins on 2022-06-01" in made.missing_context[0]
    BarsCache(lab.workspace.bars).write("VIX", "1d", walk(date(2021, 11, 1), SPAN[1], seed=3, minutes=1440, price=16), "test")
    since, until = datetime(2021, 12, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    lab.news.keep([], NewsCoverage("polygon", tuple(STOCKS)[:3], since, until))
    found = lab.universes.missing_context(made.id)
    assert len(found) == 2
    assert "3 of the 5 tickers" in found[1]
    lab.news.keep([], NewsCoverage("polygon", tuple(STOCKS)[3:], since, datetime(2023, 2, 1, tzinfo=UTC)))
    assert "from 2021-12-01 to 2023-02-01 only" in lab.universes.show(made.id).view.missing_context[1]
    lab.news.keep([], NewsCoverage("polygon", tuple(STOCKS)[3:], datetime(2023, 1, 1, tzinfo=UTC), until))
    assert len(lab.universes.show(made.id).view.missing_context) == 1


def test_context_of_other_years_is_none(lab: Lab) -> None:
    early = lab.universes.make("early", "1d", ["AAA"], last=date(2022, 4, 29))
    assert "SPY is cached from 2022-06-01 to 2023-12-29 only, outside the learning span" in early.missing_context[0]
    few = "Fewer than 5 tickers: market.breadth is unknown."
    assert few in early.missing_context


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("aapl, msft;IBM\nspy", ("AAPL", "MSFT", "IBM", "SPY")),
        ("\ufeffSymbol\nAAPL\n# the rest\nBRK.B  # Berkshire\nAAPL\n", ("AAPL", "BRK.B")),
        ('"Ticker","Name"\nAAPL,"Apple Inc."\n', ("AAPL",)),
        ("", ()),
    ],
)
def test_a_list_of_tickers_is_read_however_it_is_written(text: str, tickers: tuple[str, ...]) -> None:
    assert tickers_in(text) == tickers


def test_of_two_names_of_the_vix_the_one_that_covers_the_universe_is_taken(lab: Lab) -> None:
    made = lab.universes.make("mine", "1d", ["AAA", "BBB", "CCC", "DDD", "EEE"])
    cache = BarsCache(lab.workspace.bars)
    assert any("No VIX" in gap for gap in lab.universes.missing_context(made.id))
    # What was imported long ago ends inside the span; what was fetched since reaches over it.
    cache.write("VIX", "1d", walk(date(2021, 1, 4), date(2022, 3, 31), seed=3, minutes=1440, price=16), "test")
    assert any(gap.startswith("The VIX ends on 2022-03-31") for gap in lab.universes.missing_context(made.id))
    cache.write("I:VIX", "1d", walk(date(2022, 1, 3), SPAN[1], seed=4, minutes=1440, price=16), "test")
    assert not any("VIX" in gap for gap in lab.universes.missing_context(made.id))
    # The fresh one says nothing where all of it lies in the vault.
    cache.write("I:VIX", "1d", walk(date(2023, 9, 1), SPAN[1], seed=4, minutes=1440, price=16), "test")
    assert any(gap.startswith("The VIX ends on 2022-03-31") for gap in lab.universes.missing_context(made.id))


def test_a_universe_grows_with_its_bars_and_what_is_new_joins_its_vault(lab: Lab) -> None:
    until = date(2023, 6, 30)
    made = lab.universes.make("mine", "1d", ["AAA", "BBB"], last=until)
    other = lab.universes.make("later", "1d", ["BBB", "CCC"], first=date(2023, 7, 3))
    with pytest.raises(BadUniverse, match="'later' learns from later bars"):
        lab.universes.extend(made.id)
    lab.universes.delete(other.id)
    gained = lab.universes.extend(made.id)
    grown = lab.universes.show(made.id).view
    assert (grown.first_session, grown.learning_until) == (made.first_session, made.learning_until)
    assert (grown.last_session, gained) == (SPAN[1], 126)
    assert lab.universes.extend(made.id) == 0
    # Whoever comes after sees that these sessions are a vault now.
    assert lab.universes.make("new", "1d", ["AAA"]).learning_until == made.learning_until


def test_an_update_extends_only_universes_that_ended_with_their_bars(lab: Lab) -> None:
    from lab.agents.extending import extend_after_update

    before = date(2023, 11, 30)
    early = lab.universes.make("early", "1d", ["AAA"], last=date(2022, 12, 30))
    last = lab.universes.make("last", "1d", ["BBB"], last=before)
    cache = BarsCache(lab.workspace.bars)
    with lab.store.write() as session:
        said = extend_after_update(session, cache, {"AAA": before, "BBB": before})
    assert said == ["last now ends on 2023-12-29: its vault has 20 more sessions."]
    assert lab.universes.show(early.id).view.last_session == early.last_session
    assert lab.universes.show(last.id).view.learning_until == last.learning_until
