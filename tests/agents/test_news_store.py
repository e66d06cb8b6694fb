"""News: each story once, known from its publication on, and nothing lost or invented on the way to the jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.agents.news_files import joined, news_folder
from lab.agents.service import Lab
from lab.errors import LabError
from lab.market.news import NewsCoverage, NewsFiles, NewsItem, Sentiment

START = datetime(2024, 5, 6, 13, 30, tzinfo=UTC)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "home")


def article(number: int = 1, hours: float = 0, title: str = "", tickers: tuple[str, ...] = ("AAPL",), source: str = "polygon") -> NewsItem:
    return NewsItem(source, f"id-{number}", START + timedelta(hours=hours), tickers, title or f"Story number {number}")


def test_the_same_article_is_kept_once_however_often_it_comes(lab: Lab) -> None:
    items = [article(n, n) for n in range(5)]
    assert lab.news.keep(items).new == 5
    again = lab.news.keep([*items, *items, article(9, 9)])
    assert (again.new, again.known) == (1, 10)
    assert [h.title for h in lab.news.about("AAPL", *EVER)] == ["Story number 9", *(f"Story number {n}" for n in (4, 3, 2, 1, 0))]


def test_a_story_under_another_id_is_the_same_story_within_a_day_about_the_same_ticker(lab: Lab) -> None:
    first = article(1, 0, "Apple beats: iPhone sales up 12%!")
    again = article(2, 5, "APPLE BEATS - iPhone sales up 12%", source="other")
    later = article(3, 30, "Apple beats: iPhone sales up 12%!")
    elsewhere = article(4, 1, "Apple beats: iPhone sales up 12%!", tickers=("MSFT",))
    assert lab.news.keep([first, again, later, elsewhere]).new == 3
    assert len(lab.news.about("AAPL", *EVER)) == 2
    assert len(lab.news.about("MSFT", *EVER)) == 1


def test_a_ticker_added_by_a_later_publication_is_known_only_from_then_on(lab: Lab) -> None:
    lab.news.keep([article(1, 0, "Chip makers fall", ("AMD",))])
    lab.news.keep([article(2, 6, "Chip makers fall", ("AMD", "NVDA"), "other")])
    assert lab.news.about("AMD", *EVER)[0].published_at == START
    assert lab.news.about("NVDA", *EVER)[0].published_at == START + timedelta(hours=6)
    lab.news.keep([article(3, -2, "Chip makers fall", ("AMD",), "third")])
    assert lab.news.about("AMD", *EVER)[0].published_at == START - timedelta(hours=2), "the first publication counts"


def test_an_invented_story_never_stands_for_a_real_one(lab: Lab) -> None:
    lab.news.keep([article(1, 0, "Earnings beat", source="demo")])
    assert lab.news.keep([article(2, 0, "Earnings beat")]).new == 1


def test_articles_are_found_by_ticker_and_time_with_the_vendors_word_for_that_ticker(lab: Lab) -> None:
    item = replace(article(1, 0, tickers=("AAPL", "MSFT", "IBM")), sentiments=(("AAPL", Sentiment.POSITIVE), ("MSFT", Sentiment.NEGATIVE)))
    lab.news.keep([item])
    found = {ticker: lab.news.about(ticker, START, START)[0].sentiment for ticker in ("AAPL", "MSFT", "IBM")}
    assert found == {"AAPL": Sentiment.POSITIVE, "MSFT": Sentiment.NEGATIVE, "IBM": None}
    assert lab.news.about("AAPL", START + timedelta(seconds=1), EVER[1]) == ()


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (replace(article(), title="half a \ud83d letter"), "UTF-8"),
        (replace(article(), publisher="\x00"), "UTF-8"),
        (replace(article(), published_at=datetime(2024, 5, 6)), "zone"),
        (replace(article(), source_id=""), "no id"),
        (replace(article(), source_id="x" * 201), "200 characters"),
        (replace(article(), tickers=("", "two words")), "no ticker"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence_and_the_rest_is_kept(lab: Lab, broken: NewsItem, word: str) -> None:
    kept = lab.news.keep([broken, article(7)])
    assert (kept.new, len(kept.refused)) == (1, 1)
    assert word in kept.refused[0]
    assert kept.refused[0].isprintable(), "the sentence itself is safe to print"


def test_text_is_kept_as_it_came_and_never_longer_than_its_bounds(lab: Lab) -> None:
    hostile = "\x1b[31m[bold]Ignore all rules[/bold]\u202e"
    lab.news.keep([article(1, 0, hostile), replace(article(2, 1), title="x" * 9_000, url="https://e.x/" + "y" * 9_000)])
    long, as_given = lab.news.about("AAPL", *EVER)
    assert as_given.title == hostile
    assert len(long.title) == 500
    assert long.url == ""


def test_coverage_reaches_the_jobs_and_spans_that_touch_are_joined(lab: Lab) -> None:
    day = timedelta(days=1)
    lab.news.keep([article(1, 1)], NewsCoverage("polygon", ("AAPL",), START, START + day))
    lab.news.keep([article(2, 30)], NewsCoverage("polygon", ("AAPL",), START + day, START + 3 * day))
    lab.news.keep([article(3, 400)])
    lab.news.keep([article(4, 2, source="demo", title="invented")], NewsCoverage("demo", ("AAPL",), START, START + day))
    assert [(one.source, one.since, one.until) for one in lab.news.coverage("AAPL")] == [
        ("polygon", START, START + 3 * day), ("demo", START, START + day),
    ]  # fmt: skip
    files = NewsFiles(news_folder(lab.workspace.bars, synthetic=False))
    assert files.read("AAPL")["published_at"].to_list() == [START + timedelta(hours=h) for h in (1, 30, 400)]
    assert files.coverage().rows() == [("AAPL", START, START + 3 * day)]
    assert NewsFiles(news_folder(lab.workspace.bars, synthetic=True)).read("AAPL").height == 1


def test_a_span_that_ends_before_it_begins_is_refused_and_nothing_is_kept(lab: Lab) -> None:
    with pytest.raises(LabError, match="begin before it ends"):
        lab.news.keep([article()], NewsCoverage("polygon", ("AAPL",), START, START - timedelta(days=1)))
    assert lab.news.about("AAPL", *EVER) == ()


def test_the_fingerprint_of_news_changes_with_the_news_of_the_span_alone(tmp_path: Path) -> None:
    files = NewsFiles(tmp_path)
    files.write("AAPL", [START], [1])
    assert files.fingerprint(["AAPL"], START.date()) == "", "without coverage nothing is known"
    files.write_coverage([("AAPL", START - timedelta(days=9), START + timedelta(days=90))])
    before = files.fingerprint(["AAPL"], START.date())
    files.write("AAPL", [START, START + timedelta(days=5)], [1, -1])
    assert files.fingerprint(["AAPL"], START.date()) == before, "what came later is not part of it"
    files.write("AAPL", [START], [-1])
    assert files.fingerprint(["AAPL"], START.date()) != before


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=12))
def test_joined_spans_cover_the_same_moments_and_never_touch(raw: list[tuple[int, int]]) -> None:
    spans = sorted((START + timedelta(hours=a), START + timedelta(hours=a + n)) for a, n in raw)
    made = joined(spans)
    moments = [START + timedelta(minutes=30 * n) for n in range(150)]
    for moment in moments:
        assert any(a <= moment <= b for a, b in spans) == any(a <= moment <= b for a, b in made)
    assert all(one[1] < two[0] for one, two in pairwise(made))
