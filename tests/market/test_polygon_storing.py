"""What is fetched and what is cached on one share count: splits applied once, on record, however the fetches fall around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from lab.market import BarsCache
from lab.market.polygon.actions import fetch_splits
from lab.market.polygon.aggregates import Span, fetch_series
from lab.market.polygon.line import PolygonLine
from lab.market.polygon.spool import Spool
from lab.market.polygon.storing import OtherShares, apply_listed_splits, missing_spans, settled, store_bars
from lab.market.splits import Split
from tests.market.polygon_server import KEY, Bar, Polygon, serving, some_bars, split_bars

FIRST, LAST = date(2024, 6, 3), date(2024, 6, 21)
SPLIT = date(2024, 6, 10)
LONG_AGO = date(2000, 1, 1)

Fetch = Callable[..., None]


@pytest.fixture(scope="module")
def server() -> Iterator[Polygon]:
    with serving(Polygon(page_size=5000)) as polygon:
        yield polygon


@pytest.fixture
def polygon(server: Polygon) -> Polygon:
    server.bars, server.splits, server.asked = {"NVDA": split_bars(some_bars(FIRST, LAST, 30, price=1200.0), SPLIT, 10)}, {}, []
    server.splits["NVDA"] = [(SPLIT, 10)]
    return server


@pytest.fixture
def cache(tmp_path: Path) -> BarsCache:
    return BarsCache(tmp_path / "bars")


def fetch(
    polygon: Polygon, cache: BarsCache, first: date, last: date, timeframe: str = "30m", listed: bool = True, anew: bool = False
) -> None:
    """As a fetch does it: the list of splits up to the last session, the missing bars, the cache."""
    line = PolygonLine(SecretStr(KEY), polygon.url, 0)
    span = settled(first, last, datetime(2024, 7, 1, tzinfo=UTC))
    found = fetch_splits(line, "NVDA", LONG_AGO, span.last, lambda _: None) if listed else ()
    splits = [one.split for one in found]
    apply_listed_splits(cache, "NVDA", splits)
    for part in missing_spans(cache, "NVDA", timeframe, span, anew):
        spool = Spool(cache.folder.parent / "pages")
        raw = fetch_series(line, "NVDA", timeframe, part, spool, lambda share, note: None)
        spool.clear()
        store_bars(cache, "NVDA", timeframe, raw, splits, part)


def adjusted(bars: list[Bar], splits: list[tuple[date, float]]) -> list[tuple[float, float]]:
    """Close and volume of every bar in today's shares, by hand."""
    found = []
    for bar in bars:
        day = datetime.fromtimestamp(bar["t"] / 1000, UTC).date()
        factor = 1.0
        for session, ratio in splits:
            factor *= ratio if day < session else 1.0
        found.append((bar["c"] / factor, bar["v"] * factor))
    return found


def cached(cache: BarsCache, timeframe: str = "30m") -> list[tuple[float, float]]:
    bars, lost = cache.read_undamaged("NVDA", timeframe)
    assert not lost
    return bars.sort("timestamp").select("close", "volume").rows()


def same(cache: BarsCache, polygon: Polygon, splits: list[tuple[date, float]], timeframe: str = "30m") -> bool:
    pairs = zip(cached(cache, timeframe), adjusted(polygon.bars["NVDA"], splits), strict=True)
    return all(ours == pytest.approx(theirs, rel=1e-12) for ours, theirs in pairs)


def test_bars_on_both_sides_of_a_split_are_cached_in_todays_shares(polygon: Polygon, cache: BarsCache) -> None:
    fetch(polygon, cache, FIRST, LAST)
    assert same(cache, polygon, [(SPLIT, 10)])
    covered = cache.covered("NVDA", "30m")
    assert covered is not None
    assert covered.splits == (Split(SPLIT, 10.0),)


def test_a_split_after_the_cached_bars_adjusts_them_once_and_is_on_record(polygon: Polygon, cache: BarsCache) -> None:
    fetch(polygon, cache, FIRST, date(2024, 6, 7))
    assert cached(cache)[0][0] > 1000
    fetch(polygon, cache, FIRST, date(2024, 6, 12))
    fetch(polygon, cache, FIRST, LAST)
    fetch(polygon, cache, FIRST, LAST)
    assert same(cache, polygon, [(SPLIT, 10)])
    covered = cache.covered("NVDA", "30m")
    assert covered is not None
    assert covered.splits == (Split(SPLIT, 10.0),)


def test_only_what_is_missing_is_asked_for(polygon: Polygon, cache: BarsCache) -> None:
    fetch(polygon, cache, date(2024, 6, 10), date(2024, 6, 12))
    fetch(polygon, cache, date(2024, 6, 11), date(2024, 6, 12))
    fetch(polygon, cache, FIRST, LAST)
    asked = [path.rsplit("/", 2)[1:] for path in polygon.pages]
    # One session that is there is asked for again on each side: it says whether both parts are on one share count.
    assert asked == [["2024-06-10", "2024-06-12"], ["2024-06-03", "2024-06-10"], ["2024-06-12", "2024-06-21"]]
    assert same(cache, polygon, [(SPLIT, 10)])


def test_a_split_announced_for_later_changes_nothing_yet(polygon: Polygon, cache: BarsCache) -> None:
    line = PolygonLine(SecretStr(KEY), polygon.url, 0)
    splits = [one.split for one in fetch_splits(line, "NVDA", LONG_AGO, LAST, lambda _: None)]
    span = Span(FIRST, date(2024, 6, 7))
    raw = fetch_series(line, "NVDA", "30m", span, Spool(cache.folder.parent / "pages"), lambda share, note: None)
    store_bars(cache, "NVDA", "30m", raw, splits, span)
    assert cached(cache)[0][0] > 1000


def test_a_split_listed_late_is_applied_to_what_is_cached(polygon: Polygon, cache: BarsCache) -> None:
    fetch(polygon, cache, FIRST, LAST, listed=False)
    covered = cache.covered("NVDA", "30m")
    assert covered is not None
    assert any("jump on 2024-06-10 as in a 10:1 split" in sentence for sentence in covered.problems), "said, not guessed at"
    assert cached(cache)[0][0] > 1000
    for _ in range(2):
        fetch(polygon, cache, FIRST, LAST)
    assert same(cache, polygon, [(SPLIT, 10)])


def test_the_other_timeframes_of_the_ticker_follow(polygon: Polygon, cache: BarsCache) -> None:
    minutes = polygon.bars["NVDA"]
    polygon.bars["NVDA"] = days = split_bars(some_bars(FIRST, LAST, 1440, price=1200.0), SPLIT, 10)
    fetch(polygon, cache, FIRST, date(2024, 6, 7), "1d")
    polygon.bars["NVDA"] = minutes
    fetch(polygon, cache, FIRST, LAST, "30m")
    polygon.bars["NVDA"] = days[:5]
    assert same(cache, polygon, [(SPLIT, 10)], "1d")
    polygon.bars["NVDA"] = days
    fetch(polygon, cache, FIRST, LAST, "1d")
    assert same(cache, polygon, [(SPLIT, 10)], "1d")


def test_a_listed_split_that_the_prices_do_not_show_is_not_applied_but_told(polygon: Polygon, cache: BarsCache) -> None:
    polygon.splits["NVDA"] = [(date(2024, 6, 5), 10), (SPLIT, 10)]  # as the vendor listed SHOP's split of 2022 for two days
    fetch(polygon, cache, FIRST, LAST)
    assert same(cache, polygon, [(SPLIT, 10)])
    covered = cache.covered("NVDA", "30m")
    assert covered is not None
    assert any("listed for 2024-06-05, and the prices don't show it" in sentence for sentence in covered.problems)


def test_bars_that_an_earlier_version_fetched_adjusted_are_never_adjusted_twice(polygon: Polygon, cache: BarsCache) -> None:
    """They were on the share count of the day they were fetched: here after the split, though they end before it."""
    old = [(bar["t"], *(bar[name] / 10 for name in "ohlc"), bar["v"] * 10) for bar in polygon.bars["NVDA"][:85]]
    frame = pl.DataFrame(old, schema=["t", "open", "high", "low", "close", "volume"], orient="row")
    stamps = (pl.col("t").cast(pl.Int64) * 1000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("timestamp")
    cache.write("NVDA", "30m", frame.with_columns(stamps).drop("t"), "polygon")
    before = cached(cache)
    with pytest.raises(OtherShares, match="not on the share count"):
        fetch(polygon, cache, FIRST, LAST)
    assert cached(cache) == before
    fetch(polygon, cache, FIRST, LAST, anew=True)
    assert same(cache, polygon, [(SPLIT, 10)])


def test_a_damaged_year_is_fetched_again(polygon: Polygon, cache: BarsCache) -> None:
    fetch(polygon, cache, FIRST, LAST)
    (path,) = (cache.folder / "30m" / "NVDA").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    assert cache.verify()
    fetch(polygon, cache, FIRST, LAST)
    assert same(cache, polygon, [(SPLIT, 10)])


def test_a_damaged_year_between_others_is_fetched_with_a_few_days_beside_it(polygon: Polygon, cache: BarsCache) -> None:
    first, split = date(2022, 11, 1), date(2024, 2, 5)
    polygon.bars["NVDA"], polygon.splits["NVDA"] = (
        split_bars(some_bars(first, date(2024, 3, 1), 1440, price=900.0), split, 10),
        [(split, 10)],
    )
    fetch(polygon, cache, first, date(2024, 3, 1), "1d")
    (path,) = (cache.folder / "1d" / "NVDA").glob("2023-*.parquet")
    path.unlink()
    assert cache.verify()
    polygon.asked.clear()
    fetch(polygon, cache, first, date(2024, 3, 1), "1d")
    assert polygon.pages == ["/v2/aggs/ticker/NVDA/range/1/day/2022-12-25/2024-01-07"]
    assert same(cache, polygon, [(split, 10)], "1d")


SESSIONS = [date(2024, 6, day) for day in (3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 17, 18, 20, 21)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    spans=st.lists(st.tuples(st.sampled_from(SESSIONS), st.sampled_from(SESSIONS)).map(sorted), min_size=1, max_size=4),
    splits=st.lists(
        st.tuples(st.sampled_from(SESSIONS[1:]), st.sampled_from([2.0, 10.0, 0.05, 1.05])), max_size=2, unique_by=lambda one: one[0]
    ),
)
def test_however_the_fetches_fall_around_the_splits_the_cache_is_the_same(
    polygon: Polygon, tmp_path_factory: pytest.TempPathFactory, spans: list[list[date]], splits: list[tuple[date, float]]
) -> None:
    traded = some_bars(FIRST, LAST, 1440, price=1200.0)
    for day, ratio in splits:
        traded = split_bars(traded, day, ratio)
    polygon.bars["NVDA"], polygon.splits["NVDA"] = traded, splits
    cache = BarsCache(tmp_path_factory.mktemp("some") / "bars")
    for first, last in spans:
        fetch(polygon, cache, first, last, "1d")
    fetch(polygon, cache, FIRST, LAST, "1d")
    assert same(cache, polygon, splits, "1d")
