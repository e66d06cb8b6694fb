"""Bars from a real HTTP server: whole series or none, the plan's rate, sentences, and a key that is never shown."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from lab.market import BarsCache, trading_sessions
from lab.market.polygon.aggregates import Span, fetch_series
from lab.market.polygon.line import Clock, Limits, PolygonError, PolygonLine
from lab.market.polygon.pages import Listing, next_path
from lab.market.polygon.spool import Spool
from lab.market.polygon.storing import Stored, checked_tickers, missing_spans, settled, store_bars
from tests.market.polygon_server import KEY, Fault, Polygon, Reply, serving, some_bars

FIRST, LAST = date(2024, 7, 1), date(2024, 7, 5)
"""Four sessions, one of them the half day before the fourth of July."""
LIMITS = Limits(connect_seconds=2.0, read_seconds=0.3, call_seconds=0.8)


class FastClock:
    """A clock whose sleeps take no time, and which remembers when calls were made."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.notes: list[str] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def polygon() -> Iterator[Polygon]:
    bars = {"AAPL": some_bars(FIRST, LAST, 1), "MSFT": some_bars(FIRST, LAST, 1, price=400.0)}
    with serving(Polygon(bars)) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> BarsCache:
    return BarsCache(tmp_path / "bars")


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


Fetch = Callable[..., list[Stored]]


@pytest.fixture
def fetch(polygon: Polygon, cache: BarsCache, clock: FastClock, tmp_path: Path) -> Fetch:
    def run(
        *tickers: str,
        timeframe: str = "1m",
        first: date = FIRST,
        last: date = LAST,
        key: str = KEY,
        calls: int = 0,
        url: str = "",
        now: datetime | None = None,
    ) -> list[Stored]:
        line = PolygonLine(SecretStr(key), url or polygon.url, calls, Clock(clock.now, clock.sleep), LIMITS)
        span = settled(first, last, now or datetime.now(UTC))
        done = []
        for ticker in checked_tickers(tickers or ("AAPL",)):
            for number, part in enumerate(missing_spans(cache, ticker, timeframe, span)):
                spool = Spool(tmp_path / f"{ticker}-{number}")
                raw = fetch_series(line, ticker, timeframe, part, spool, lambda share, note: clock.notes.append(note))
                spool.clear()
                done.append(store_bars(cache, ticker, timeframe, raw, (), part))
        return done

    return run


def stored(cache: BarsCache, ticker: str) -> pl.DataFrame:
    """All cached 1-minute bars of a ticker, extended hours too."""
    bars, lost = cache.read_undamaged(ticker, "1m")
    assert not lost
    return bars


def refusal(fetch: Fetch, cache: BarsCache, *tickers: str, **options: object) -> PolygonError:
    """The error of a fetch that must fail, after which nothing may be cached and the key may stand nowhere."""
    with pytest.raises(PolygonError) as caught:
        fetch(*tickers, **options)
    assert cache.coverage() == []
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_every_bar_of_every_page_is_cached_as_it_was_sent(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    outcome = fetch("AAPL", "MSFT")
    assert len(polygon.asked) == 2 * 5
    for ticker in ("AAPL", "MSFT"):
        sent = polygon.bars[ticker]
        kept = stored(cache, ticker)
        assert kept["timestamp"].dt.epoch("ms").to_list() == [bar["t"] for bar in sent]
        for ours, theirs in zip(("open", "high", "low", "close", "volume"), "ohlcv", strict=True):
            assert kept[ours].to_list() == [bar[theirs] for bar in sent]
    assert sum(one.rows for one in outcome) == sum(len(bars) for bars in polygon.bars.values())
    assert {row.source for row in cache.coverage()} == {"polygon"}
    assert polygon.queries[0] == {"adjusted": ["false"], "sort": ["asc"], "limit": ["50000"]}


@pytest.mark.parametrize(
    ("timeframe", "minutes", "asked"),
    [("5m", 5, "5/minute"), ("15m", 15, "15/minute"), ("30m", 30, "30/minute"), ("1d", 1440, "1/day")],
)
def test_each_timeframe_asks_for_its_own_bars(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, timeframe: str, minutes: int, asked: str
) -> None:
    polygon.bars["AAPL"] = some_bars(FIRST, LAST, minutes)
    fetch(timeframe=timeframe)
    assert polygon.asked[0] == f"/v2/aggs/ticker/AAPL/range/{asked}/{FIRST}/{LAST}"
    expected = {"5m": 78, "15m": 26, "30m": 13, "1d": 1}[timeframe]
    assert cache.read(["AAPL"], timeframe).filter(pl.col("session") == FIRST).height == expected


def test_hours_hold_nothing_traded_before_the_open(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    polygon.bars["AAPL"] = some_bars(FIRST, LAST, 30)
    early = next(bar for bar in polygon.bars["AAPL"] if datetime.fromtimestamp(bar["t"] / 1000, UTC).hour == 13)
    early["h"] = early["o"] + 20
    fetch(timeframe="1h")
    day = cache.read(["AAPL"], "1h").filter(pl.col("session") == FIRST)
    halves = [bar for bar in polygon.bars["AAPL"] if bar["t"] > early["t"]]
    assert day["minute"].to_list() == [570, 600, 660, 720, 780, 840, 900]
    assert day["open"][0] == halves[0]["o"]
    assert day["high"][0] == halves[0]["h"]
    assert day["close"][1] == halves[2]["c"]
    assert day["volume"][1] == halves[1]["v"] + halves[2]["v"]


def test_recorded_replies_of_the_vendor_are_understood(fetch: Fetch, polygon: Polygon, cache: BarsCache, shared_data: Path) -> None:
    folder = shared_data / "polygon_json" / "test_rest" / "mocks" / "v2" / "aggs" / "ticker" / "AAPL" / "range" / "1" / "day"
    recorded = json.loads((folder / "2005-04-01" / "2005-04-04.json").read_text())
    polygon.every = lambda reply: reply.document.update(recorded, adjusted=False)  # it was asked for with adjusted=true
    fetch(timeframe="1d", first=date(2005, 4, 1), last=date(2005, 4, 4))
    kept = cache.read(["AAPL"], "1d")
    assert kept["session"].to_list() == [date(2005, 4, 1), date(2005, 4, 4)]
    assert kept["close"].to_list() == [1.4604, 1.4675]


def test_a_session_that_is_not_over_is_left_out(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    close = trading_sessions(LAST, LAST)["close_at"].to_list()[0]
    fetch(now=close + timedelta(minutes=5))
    assert stored(cache, "AAPL")["session"].max() == date(2024, 7, 3)
    error = refusal_after(fetch, first=LAST, now=close - timedelta(hours=1))
    assert error.field == "span"


def refusal_after(fetch: Fetch, *tickers: str, **options: object) -> PolygonError:
    with pytest.raises(PolygonError) as caught:
        fetch(*tickers, **options)
    return caught.value


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"first": date(2024, 7, 6), "last": date(2024, 7, 7)}, "span", "No trading session between 2024-07-06 and 2024-07-07"),
        ({"first": LAST, "last": FIRST}, "span", "ends before it begins"),
        ({"key": " "}, "key", "Enter your Polygon key"),
        ({"key": "two\nlines"}, "key", "can't be a Polygon key"),
        ({"url": "http://api.polygon.io"}, "", "must begin with https"),
        ({"url": "https://me:pw@api.polygon.io"}, "", "LAB_POLYGON_URL must be like"),
        ({"url": "nonsense"}, "", "LAB_POLYGON_URL must be like"),
        ({"url": "https://[::1"}, "", "LAB_POLYGON_URL must be like"),
    ],
)
def test_what_can_be_known_beforehand_is_said_without_a_call(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, options: dict[str, object], field: str, words: str
) -> None:
    error = refusal(fetch, cache, **options)
    assert error.field == field
    assert words in str(error)
    assert polygon.asked == []


@pytest.mark.parametrize(
    ("tickers", "words"), [((" ",), "at least one ticker"), (("../x",), "can't be a ticker"), (("I:VIX",), "not a stock")]
)
def test_a_ticker_that_can_not_be_one_is_refused(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, tickers: tuple[str, ...], words: str
) -> None:
    error = refusal(fetch, cache, *tickers)
    assert error.field == "tickers"
    assert words in str(error)
    assert polygon.asked == []


def test_small_letters_are_read_as_capitals_and_repeats_once() -> None:
    assert checked_tickers(["aapl", "AAPL ", "msft", "BACpB"]) == ("AAPL", "MSFT", "BACpB")


def _document(**changes: object) -> Fault:
    def change(reply: Reply) -> None:
        reply.document.update(changes)

    return change


def _without(name: str) -> Fault:
    return lambda reply: reply.document.pop(name) and None


def _bar(number: int, **changes: object) -> Fault:
    def change(reply: Reply) -> None:
        reply.document["results"][number].update(changes)

    return change


def _raw(body: bytes) -> Fault:
    def change(reply: Reply) -> None:
        reply.raw = body

    return change


def _swapped(reply: Reply) -> None:
    results = reply.document["results"]
    results[10], results[11] = results[11], results[10]


def _twice(reply: Reply) -> None:
    reply.document["results"][10] = dict(reply.document["results"][9])


def _shorter(reply: Reply) -> None:
    del reply.document["results"][-3:]


def _without_price(reply: Reply) -> None:
    del reply.document["results"][4]["c"]


def _cut(reply: Reply) -> None:
    reply.cut_after = 5_000


BROKEN: dict[str, tuple[Fault, str]] = {
    "bad JSON": (_raw(b'{"status": "OK", "results": ['), "not JSON"),
    "NaN in JSON": (_raw(b'{"status": "OK", "x": NaN}'), "not JSON"),
    "nested without end": (_raw(b"[" * 100_000), "not JSON"),
    "not an object": (_raw(b"[1, 2]"), "no reply of Polygon's"),
    "no results": (_without("results"), "no results"),
    "results null": (_document(results=None), "no results"),
    "status error": (_document(status="ERROR", error="internal"), "status is ERROR internal"),
    "no status": (_without("status"), "status is None"),
    "fewer bars than announced": (_shorter, "announces"),
    "out of order": (_swapped, "not in order of time"),
    "duplicate": (_twice, "not in order of time"),
    "another ticker": (_document(ticker="MSFT"), "bars of MSFT"),
    "adjusted": (_document(adjusted=True), "adjusted for splits"),
    "no close": (_without_price, "lacks"),
    "a price in words": (_bar(3, o="12.5"), "not a number"),
    "a price true": (_bar(3, o=True), "not a number"),
    "a price beyond measure": (_bar(3, o=10**400), "beyond all measure"),
    "a time in words": (_bar(3, t="now"), "milliseconds"),
    "next page elsewhere": (_document(next_url="https://evil.example/v2/aggs/x?cursor=1"), "another host"),
    "next page on another port": (_document(next_url="http://127.0.0.1:1/v2/aggs/x?cursor=1"), "another host"),
}


@pytest.mark.parametrize("call", [1, 2], ids=["first page", "second page"])
@pytest.mark.parametrize("fault", list(BROKEN))
def test_a_broken_page_is_said_and_never_gives_a_short_series(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, fault: str, call: int
) -> None:
    change, words = BROKEN[fault]
    polygon.faults[call] = change
    error = refusal(fetch, cache, "MSFT" if fault != "another ticker" else "AAPL")
    assert words in str(error)
    assert "It was not taken" in str(error) or "LAB_POLYGON_URL" in str(error)
    assert len(polygon.asked) == call, "no further call after a page that can't be trusted"


def test_bars_outside_the_asked_span_are_refused(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    late = polygon.bars["AAPL"][-1]["t"] + 86_400_000
    polygon.faults[5] = _bar(-1, t=late)
    assert "outside 2024-07-01 to 2024-07-05" in str(refusal(fetch, cache))


def test_the_same_next_page_again_and_again_ends_with_a_sentence(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    def forever(reply: Reply) -> None:
        reply.document = {
            "status": "OK",
            "resultsCount": 0,
            "ticker": "AAPL",
            "next_url": f"{polygon.url}/v2/aggs/ticker/AAPL/range/1/minute/a/b",
        }

    polygon.every = forever
    assert "never end" in str(refusal(fetch, cache))
    assert len(polygon.asked) == 2


def test_empty_pages_with_ever_new_links_end_with_a_sentence(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    def forever(reply: Reply) -> None:
        link = f"{polygon.url}/v2/aggs/ticker/AAPL/range/1/minute/a/b?cursor={len(polygon.asked)}"
        reply.document = {"status": "OK", "resultsCount": 0, "ticker": "AAPL", "next_url": link}

    polygon.every = forever
    assert "never end" in str(refusal(fetch, cache))
    assert len(polygon.asked) < 10


def test_pages_that_begin_again_from_the_start_are_refused(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    first = some_bars(FIRST, FIRST, 1)[:500]
    polygon.faults[2] = lambda reply: reply.document.update(results=first)
    assert "not in order of time" in str(refusal(fetch, cache))


def test_a_link_to_the_vendors_other_name_is_followed_on_our_own_host() -> None:
    line, listing = PolygonLine(SecretStr(KEY), "https://api.polygon.io", 5), Listing("A", ("/v2/aggs/",), items="bars")

    def following(link: str) -> str | None:
        return next_path({"next_url": link}, listing, line)

    page = "/v2/aggs/ticker/A/range/1/day/1/2?cursor=x"
    assert following(f"https://api.massive.com{page}") == following(f"https://api.massive.com:443{page}") == page
    with pytest.raises(PolygonError, match="another host"):
        following("https://api.massive.com.evil.example/v2/aggs/x")
    with pytest.raises(PolygonError, match="not one of bars"):
        following("https://api.polygon.io/v1/account?x=1")


def _status(status: int, document: dict[str, object] | None = None, **headers: str) -> Fault:
    def change(reply: Reply) -> None:
        reply.status = status
        reply.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        reply.document = dict(document or {})

    return change


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_tried_again_without_a_gap(fetch: Fetch, polygon: Polygon, cache: BarsCache, status: int) -> None:
    polygon.faults[3] = _status(status)
    fetch()
    assert stored(cache, "AAPL").height == len(polygon.bars["AAPL"])
    assert len(polygon.asked) == 6


def test_a_reply_cut_off_in_the_middle_is_asked_for_again(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    polygon.faults[2] = _cut
    fetch()
    assert stored(cache, "AAPL").height == len(polygon.bars["AAPL"])
    assert polygon.asked[1] == polygon.asked[2]


def test_a_fault_that_stays_ends_after_a_bounded_number_of_tries(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    polygon.faults = dict.fromkeys(range(2, 30), _status(500))
    error = refusal(fetch, cache)
    assert "status 500" in str(error)
    assert "tried 5 times" in str(error)
    assert len(polygon.asked) == 6


@pytest.mark.parametrize("date_form", [False, True], ids=["seconds", "date"])
def test_retry_after_is_honoured(fetch: Fetch, polygon: Polygon, clock: FastClock, date_form: bool) -> None:
    wait = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True) if date_form else "40"
    polygon.faults[2] = _status(429, Retry_After=wait)
    fetch()
    assert 37 <= clock.seconds <= 41
    assert any("trying again in 3" in note and "429" in note for note in clock.notes)


def test_429_without_retry_after_waits_ever_longer_and_then_gives_up(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, clock: FastClock
) -> None:
    polygon.every = _status(429)
    error = refusal(fetch, cache)
    assert "429" in str(error)
    assert len(polygon.asked) == 5
    assert clock.seconds == pytest.approx(15 + 30 + 60 + 60, abs=1)


def test_a_wait_of_hours_is_left_to_the_person(fetch: Fetch, polygon: Polygon, cache: BarsCache, clock: FastClock) -> None:
    polygon.every = _status(429, Retry_After="7200")
    assert "wait 120 min" in str(refusal(fetch, cache))
    assert clock.seconds == 0


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "Thu, 99 Nov", "٣"])
def test_a_retry_after_that_can_not_be_read_is_passed_over(fetch: Fetch, polygon: Polygon, clock: FastClock, nonsense: str) -> None:
    polygon.faults[1] = lambda reply: None if not nonsense.isascii() else _status(429, Retry_After=nonsense)(reply)
    fetch()
    assert clock.seconds == pytest.approx(15 if nonsense.isascii() else 0, abs=0.2)


def test_never_more_calls_in_a_minute_than_the_plan_allows(fetch: Fetch, polygon: Polygon, clock: FastClock) -> None:
    times: list[float] = []
    polygon.page_size = 120
    polygon.every = lambda reply: times.append(clock.seconds)
    fetch("AAPL", "MSFT", calls=5)
    assert len(times) == 2 * 18
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] < 8 * 61
    assert any("for the plan's 5 calls a minute" in note for note in clock.notes)


def test_no_limit_means_no_waiting(fetch: Fetch, polygon: Polygon, clock: FastClock) -> None:
    polygon.page_size = 50
    fetch(calls=0)
    assert clock.seconds == 0


@pytest.mark.parametrize(
    ("status", "said", "field", "words"),
    [
        (401, {"status": "ERROR", "error": "Unknown API Key"}, "key", "does not accept this key"),
        (403, {"status": "ERROR", "error": "Your API Key was revoked"}, "key", "does not accept this key"),
        (
            403,
            {"status": "NOT_AUTHORIZED", "message": "Your plan doesn't include this data timeframe."},
            "span",
            "plan of this key does not include",
        ),
        (404, {"status": "NOT_FOUND", "message": "Data not found."}, "tickers", "check the ticker"),
        (400, {"status": "ERROR", "error": "bad range"}, "", "bad range"),
        (302, {}, "", "sends elsewhere"),
    ],
)
def test_a_refusal_is_said_at_its_field_with_the_vendors_words(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, status: int, said: dict[str, object], field: str, words: str
) -> None:
    polygon.every = _status(status, said, Location="http://127.0.0.1:1/")
    error = refusal(fetch, cache)
    assert error.field == field
    assert words in str(error)
    assert all(str(value) in str(error) for name, value in said.items() if name != "status")
    assert len(polygon.asked) == 1


def test_a_wrong_key_is_refused_by_the_server_and_said_at_the_key(fetch: Fetch, cache: BarsCache) -> None:
    error = refusal(fetch, cache, key="wrong")
    assert error.field == "key"
    assert "Unknown API Key" in str(error)


def test_the_key_is_never_shown_even_where_the_server_echoes_it(
    fetch: Fetch, polygon: Polygon, cache: BarsCache, clock: FastClock, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    polygon.faults[2] = _status(400, {"error": f"\x1b[31mkey {KEY} is bad"})
    error = refusal(fetch, cache)
    assert "key … is bad" in str(error)
    assert "\x1b" not in str(error)
    line = PolygonLine(SecretStr(KEY), polygon.url, 5)
    out, err = capfd.readouterr()
    assert KEY not in "".join([out, err, caplog.text, repr(error), repr(line), *clock.notes, *polygon.asked])


def test_no_network_is_said_soon(fetch: Fetch, polygon: Polygon, cache: BarsCache, clock: FastClock) -> None:
    error = refusal(fetch, cache, url="http://127.0.0.1:9")
    assert "can't be reached: check the network" in str(error)
    assert clock.seconds < 5


def test_a_server_that_hangs_is_given_up(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    def hang(reply: Reply) -> None:
        reply.hang = True

    polygon.every = hang
    began = time.monotonic()
    assert "did not answer" in str(refusal(fetch, cache))
    assert time.monotonic() - began < 3


def test_a_server_that_drips_is_given_up(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    def drip(reply: Reply) -> None:
        reply.drip = True

    polygon.every = drip
    began = time.monotonic()
    assert "too slowly" in str(refusal(fetch, cache))
    assert time.monotonic() - began < 4


class Left(Exception):
    """The person left."""


@pytest.mark.parametrize("during", ["call", "wait"])
def test_a_person_can_leave_while_it_hangs_or_waits(polygon: Polygon, cache: BarsCache, during: str) -> None:
    def hang(reply: Reply) -> None:
        reply.hang = True

    began = time.monotonic()
    polygon.every = hang if during == "call" else _status(429, Retry_After="60")

    def progress(share: float, note: str) -> None:
        if (during == "wait" and "trying again" in note) or (during == "call" and time.monotonic() - began > 0.3):
            raise Left

    line = PolygonLine(SecretStr(KEY), polygon.url, 0, limits=replace(LIMITS, read_seconds=NEVER_READ, call_seconds=30.0))
    with pytest.raises(Left):
        fetch_series(line, "AAPL", "1m", Span(FIRST, LAST), Spool(cache.folder / "pages"), progress)
    assert time.monotonic() - began < 2
    assert cache.coverage() == []


NEVER_READ = 30.0


def test_progress_rises_and_names_the_page(polygon: Polygon, tmp_path: Path) -> None:
    shares: list[float] = []
    notes: list[str] = []

    def progress(share: float, note: str) -> None:
        shares.append(share)
        notes.append(note)

    line = PolygonLine(SecretStr(KEY), polygon.url, 0, limits=LIMITS)
    fetch_series(line, "AAPL", "1m", Span(FIRST, LAST), Spool(tmp_path / "pages"), progress)
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert "page 2, 500 bars" in notes


def test_bars_of_another_source_are_not_replaced(fetch: Fetch, polygon: Polygon, cache: BarsCache) -> None:
    frame = pl.DataFrame(
        {"timestamp": [datetime(2024, 7, 1, 14, tzinfo=UTC)], "open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0], "volume": [1.0]}
    )
    cache.write("MSFT", "1m", frame, "demo")
    before = cache.coverage()
    error = refusal_after(fetch, "MSFT")
    assert error.field == "tickers"
    assert "MSFT" in str(error)
    assert cache.coverage() == before
    assert polygon.asked == []


def test_bars_that_begin_later_or_end_earlier_than_asked_are_reported(fetch: Fetch, polygon: Polygon) -> None:
    polygon.bars["AAPL"] = some_bars(date(2024, 7, 2), date(2024, 7, 3), 1)
    (outcome,) = fetch()
    found = " ".join(str(problem) for problem in outcome.problems)
    assert "begin on 2024-07-02" in found
    assert "end on 2024-07-03" in found


def test_impossible_bars_are_found_by_the_same_checks_as_in_an_import(fetch: Fetch, polygon: Polygon) -> None:
    polygon.bars["AAPL"][700] |= {"h": 1.0}
    polygon.bars["AAPL"][701] |= {"o": 0, "l": 0}
    found = " ".join(str(problem) for problem in fetch()[0].problems)
    assert "high or low" in found
    assert "zero or negative price" in found
