"""Fetches as jobs: parts stored as they come, paused, resumed and cancelled, failing with a sentence, brought up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from lab.agents.data_views import FetchView
from lab.agents.errors import BadFetch, NotThere
from lab.agents.fetch_run import Wire, run_fetches
from lab.agents.service import Lab
from lab.market import BarsCache
from lab.market.polygon.line import Clock, Limits
from lab.store.fetch_models import CorporateAction
from lab.store.fetch_states import FetchState
from tests.market.polygon_server import KEY, Polygon, Reply, serving, some_bars, split_bars

FIRST, MIDDLE, LAST = date(2024, 7, 1), date(2024, 7, 5), date(2024, 7, 12)
THEN = datetime(2024, 7, 6, 12, tzinfo=UTC)
"""A moment at which only the sessions up to MIDDLE are over."""
LIMITS = Limits(connect_seconds=2.0, read_seconds=0.4, call_seconds=1.0)


class FastClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def polygon() -> Iterator[Polygon]:
    bars = {
        "AAPL": some_bars(FIRST, LAST, 5),
        "MSFT": some_bars(FIRST, LAST, 5, price=400.0),
        "SPY": some_bars(FIRST, LAST, 5, price=550.0),
    }
    with serving(Polygon(bars, page_size=200)) as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    opened = Lab(tmp_path / "home")
    yield opened
    opened.close()


Work = Callable[..., FetchView]


@pytest.fixture
def work(lab: Lab, polygon: Polygon) -> Work:
    """Do what is queued, in this process; the newest fetch afterwards."""

    def run(key: str = KEY, stop: threading.Event | None = None) -> FetchView:
        clock = FastClock()
        run_fetches(lab.workspace, lab.store, Wire(SecretStr(key), polygon.url, Clock(clock.now, clock.sleep), LIMITS), stop)
        return lab.fetches.all()[0]

    return run


def start(lab: Lab, *tickers: str, last: date = LAST, **options: object) -> int:
    return lab.fetches.start(tickers or ("AAPL",), "5m", FIRST, last, **{"calls_per_minute": 5, **options})  # type: ignore[arg-type]


def stamps(lab: Lab, ticker: str) -> list[int]:
    bars, lost = BarsCache(lab.workspace.bars).read_undamaged(ticker, "5m")
    assert not lost
    return bars["timestamp"].sort().dt.epoch("ms").to_list()


def sent(polygon: Polygon, ticker: str, last: date = LAST) -> list[int]:
    return [int(bar["t"]) for bar in polygon.bars[ticker] if datetime.fromtimestamp(bar["t"] / 1000, UTC).date() <= last]


def broken(reply: Reply) -> None:
    reply.document.pop("results", None)


def test_a_fetch_of_several_tickers_ends_with_their_bars_and_a_universe(lab: Lab, polygon: Polygon, work: Work) -> None:
    fetch_id = start(lab, "AAPL", "MSFT", universe="tech")
    assert lab.fetches.get(fetch_id).interrupted, "queued, and no process is at it yet"
    view = work()
    assert (view.id, view.state, view.progress, view.interrupted) == (fetch_id, FetchState.FINISHED, 1.0, False)
    assert view.bars == sum(len(polygon.bars[ticker]) for ticker in ("AAPL", "MSFT"))
    assert view.calls == len(polygon.asked)
    assert "as the universe tech" in view.sentence
    (universe,) = lab.state().universes
    assert (universe.name, universe.tickers, universe.timeframe) == ("tech", ("AAPL", "MSFT"), "5m")
    assert all(stamps(lab, ticker) == sent(polygon, ticker) for ticker in ("AAPL", "MSFT"))
    assert not (lab.workspace.home / "fetches" / str(fetch_id)).exists()


def test_one_broken_ticker_fails_by_itself_and_is_all_that_is_fetched_again(lab: Lab, polygon: Polygon, work: Work) -> None:
    polygon.every_path["/v2/aggs/ticker/MSFT"] = broken
    fetch_id = start(lab, "AAPL", "MSFT", "SPY")
    view = work()
    assert view.state is FetchState.FAILED
    assert "MSFT: A page of MSFT" in view.sentence
    assert "the others are stored" in view.sentence
    assert stamps(lab, "SPY") == sent(polygon, "SPY")
    assert not BarsCache(lab.workspace.bars).has("MSFT", "5m")
    assert lab.state().universes == ()
    polygon.every_path.clear()
    polygon.asked.clear()
    lab.fetches.resume(fetch_id)
    assert work().state is FetchState.FINISHED
    assert {path.split("/")[4] for path in polygon.pages} == {"MSFT"}
    assert len(lab.state().universes) == 1


def test_an_unknown_ticker_is_named_and_the_known_one_is_kept(lab: Lab, polygon: Polygon, work: Work) -> None:
    start(lab, "AAPL", "APPL")
    view = work()
    assert view.state is FetchState.FAILED
    assert "Polygon has no bars of APPL" in view.sentence
    assert stamps(lab, "AAPL") == sent(polygon, "AAPL")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda reply: setattr(reply, "status", 500), "status 500"),
        (lambda reply: setattr(reply, "hang", True), "did not answer"),
        (lambda reply: reply.document.pop("results", None), "no results"),
    ],
    ids=["500", "hang", "no results"],
)
def test_trouble_midway_fails_with_a_sentence_and_resume_downloads_no_page_twice(
    lab: Lab, polygon: Polygon, work: Work, fault: Callable[[Reply], None], words: str
) -> None:
    polygon.faults = dict.fromkeys(range(3, 20), fault)
    fetch_id = start(lab)
    view = work()
    assert view.state is FetchState.FAILED
    assert words in view.sentence
    assert not BarsCache(lab.workspace.bars).has("AAPL", "5m"), "never a short series"
    polygon.faults = {}
    polygon.asked.clear()
    lab.fetches.resume(fetch_id)
    view = work()
    assert view.state is FetchState.FINISHED
    assert stamps(lab, "AAPL") == sent(polygon, "AAPL")
    assert len(polygon.pages) == -(-len(polygon.bars["AAPL"]) // polygon.page_size) - 2
    assert view.bars == len(polygon.bars["AAPL"])


def test_an_expired_key_stops_the_whole_fetch_at_its_first_call(lab: Lab, polygon: Polygon, work: Work) -> None:
    start(lab, "AAPL", "MSFT")
    view = work(key="expired")
    assert view.state is FetchState.FAILED
    assert "does not accept this key" in view.sentence
    assert len(polygon.asked) == 1
    assert all("expired" not in sentence for sentence in (view.sentence, *view.problems))


def test_without_a_key_it_says_so(lab: Lab, work: Work) -> None:
    start(lab)
    assert "Enter your Polygon key" in work(key="").sentence


def held(polygon: Polygon, page: int) -> tuple[threading.Event, threading.Event]:
    """The server waits before it answers that page, also when it is asked for anew: (it was asked for, let it go on)."""
    asked, go_on = threading.Event(), threading.Event()

    def hold(reply: Reply) -> None:
        asked.set()
        go_on.wait(10)

    polygon.faults |= dict.fromkeys(range(page, page + 20), hold)
    return asked, go_on


@pytest.mark.parametrize("by", ["pause", "cancel", pytest.param("stop", marks=pytest.mark.slow)])
def test_a_fetch_under_way_is_stopped_within_a_second(lab: Lab, polygon: Polygon, work: Work, by: str) -> None:
    fetch_id = start(lab, "AAPL", "MSFT")
    asked, go_on = held(polygon, 3)
    stop = threading.Event()
    runner = threading.Thread(target=work, kwargs={"stop": stop})
    runner.start()
    assert asked.wait(10)
    view = lab.fetches.get(fetch_id)
    assert (view.state, view.interrupted) == (FetchState.RUNNING, False)
    began = time.monotonic()
    {"pause": lambda: lab.fetches.pause(fetch_id), "cancel": lambda: lab.fetches.cancel(fetch_id), "stop": stop.set}[by]()
    runner.join(5)
    assert time.monotonic() - began < 3
    go_on.set()
    view = lab.fetches.get(fetch_id)
    spool = lab.workspace.home / "fetches" / str(fetch_id)
    if by == "cancel":
        assert view.state is FetchState.CANCELLED
        assert not spool.exists()
        with pytest.raises(BadFetch, match="nothing to resume"):
            lab.fetches.resume(fetch_id)
        return
    assert view.state is (FetchState.PAUSED if by == "pause" else FetchState.QUEUED)
    polygon.asked.clear()
    lab.fetches.resume(fetch_id)
    assert work().state is FetchState.FINISHED
    assert stamps(lab, "AAPL") == sent(polygon, "AAPL")
    pages = -(-len(polygon.bars["AAPL"]) // polygon.page_size)
    assert len(polygon.asked_for("/v2/aggs/ticker/AAPL")) == pages - 2


def test_the_same_fetch_asked_for_again_goes_on_instead_of_beginning_anew(lab: Lab, polygon: Polygon, work: Work) -> None:
    first = start(lab)
    lab.fetches.pause(first)
    assert start(lab) == first
    assert work().state is FetchState.FINISHED
    assert [view.id for view in lab.fetches.all()] == [first]


def test_an_update_fetches_the_new_days_alone_and_adjusts_for_a_split_since(lab: Lab, polygon: Polygon, work: Work) -> None:
    polygon.bars["AAPL"] = split_bars(polygon.bars["AAPL"], date(2024, 7, 9), 4)
    polygon.splits["AAPL"] = [(date(2024, 7, 9), 4)]
    start(lab, "AAPL", "MSFT", last=MIDDLE, now=THEN)
    work()
    (made,) = lab.state().universes
    before = BarsCache(lab.workspace.bars).read(["AAPL"], "5m")["close"].to_list()
    polygon.asked.clear()
    lab.fetches.update(calls_per_minute=0, now=datetime(2024, 7, 14, tzinfo=UTC))
    view = work()
    assert view.state is FetchState.FINISHED, view.sentence
    asked = [query_path.split("/", 3)[3] for query_path in polygon.pages]
    assert all(path.endswith("2024-07-05/2024-07-12") for path in asked), "one known session, to see that both fit, and the new ones"
    after = BarsCache(lab.workspace.bars).read(["AAPL"], "5m")["close"].to_list()
    assert after[: len(before)] == pytest.approx([price / 4 for price in before], rel=1e-12)
    assert stamps(lab, "AAPL") == sent(polygon, "AAPL")
    assert stamps(lab, "MSFT") == sent(polygon, "MSFT")
    covered = BarsCache(lab.workspace.bars).covered("AAPL", "5m")
    assert covered is not None
    assert [(split.session, split.ratio) for split in covered.splits] == [(date(2024, 7, 9), 4.0)]
    assert lab.fetches.splits("AAPL") == ((date(2024, 7, 9), 4.0),)
    (grown,) = lab.state().universes
    assert (grown.learning_until, grown.last_session) == (made.learning_until, date(2024, 7, 12)), "what is new joins the vault"
    assert "its vault has 5 more sessions" in view.sentence
    polygon.asked.clear()
    lab.fetches.update(calls_per_minute=0, now=datetime(2024, 7, 14, tzinfo=UTC))
    assert work().state is FetchState.FINISHED
    assert polygon.pages == [], "nothing is missing"
    assert BarsCache(lab.workspace.bars).read(["AAPL"], "5m")["close"].to_list() == after


def test_splits_of_many_tickers_are_asked_for_at_once(lab: Lab, polygon: Polygon, work: Work) -> None:
    names = [f"T{number}" for number in range(8)]
    polygon.bars = {name: some_bars(FIRST, MIDDLE, 30) for name in names}
    polygon.splits = {"T3": [(date(2024, 7, 3), 2)], "OTHER": [(date(2024, 7, 3), 2)]}
    polygon.bars["T3"] = split_bars(polygon.bars["T3"], date(2024, 7, 3), 2)
    lab.fetches.start(names, "30m", FIRST, MIDDLE, calls_per_minute=0)
    assert work().state is FetchState.FINISHED
    assert len(polygon.asked_for("/v3/reference/splits")) == 1
    with lab.store.read() as session:
        assert [action.ticker for action in session.exec(select(CorporateAction))] == ["T3"]
    closes = BarsCache(lab.workspace.bars).read(["T3"], "30m")["close"]
    assert closes.max() < 60, "all on the share count after the split"  # type: ignore[operator]


def test_news_dividends_and_the_vix_come_along(lab: Lab, polygon: Polygon, work: Work) -> None:
    at = datetime(2024, 7, 2, 12, tzinfo=UTC)
    polygon.news = [
        {
            "id": f"n{hour}",
            "title": f"Story {hour}",
            "published_utc": f"{at + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}",
            "tickers": ["AAPL"],
        }
        for hour in range(30)
    ]
    polygon.dividends["AAPL"] = [(date(2024, 7, 10), 0.25), (date(2024, 4, 10), 0.24)]
    polygon.bars["I:VIX"] = [{name: bar[name] for name in "ohlct"} for bar in some_bars(date(2024, 1, 2), LAST, 1440, price=14.0)]
    polygon.page_size = 12
    start(lab, news=True, dividends=True, vix=True, calls_per_minute=0)
    view = work()
    assert view.state is FetchState.FINISHED, view.sentence
    assert len(lab.news.about("AAPL", at, at + timedelta(days=5))) == 30
    assert lab.fetches.dividends("AAPL") == ((date(2024, 7, 10), 0.25),)
    assert BarsCache(lab.workspace.bars).read(["I:VIX"], "1d").height > 100
    polygon.asked.clear()
    lab.fetches.update(calls_per_minute=0, now=datetime(2024, 7, 14, tzinfo=UTC))
    assert work().state is FetchState.FINISHED
    assert all(query.get("published_utc.gte", ["2024-07-13"])[0] >= "2024-07-13" for query in polygon.queries[-len(polygon.asked) :])


def test_news_broken_off_go_on_where_they_were(lab: Lab, polygon: Polygon, work: Work) -> None:
    at = datetime(2024, 7, 2, tzinfo=UTC)
    polygon.news = [
        {
            "id": f"n{hour}",
            "title": f"Story {hour}",
            "published_utc": f"{at + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}",
            "tickers": ["AAPL"],
        }
        for hour in range(30)
    ]
    polygon.page_size = 10
    fetch_id = start(lab, news=True)

    def second(reply: Reply) -> None:
        if len(polygon.asked_for("/v2/reference/news")) == 2:
            broken(reply)

    polygon.every_path["/v2/reference/news"] = second
    assert work().state is FetchState.FAILED
    lab.fetches.resume(fetch_id)
    assert work().state is FetchState.FINISHED
    assert len(lab.news.about("AAPL", at, at + timedelta(days=5))) == 30
    assert polygon.queries[-2]["published_utc.gte"] == ["2024-07-02T09:00:00Z"]


def test_a_plan_without_indices_or_news_still_finishes_and_says_what_to_do(lab: Lab, polygon: Polygon, work: Work) -> None:
    def refuse(reply: Reply) -> None:
        reply.status, reply.document = 403, {"status": "NOT_AUTHORIZED", "message": "not entitled"}

    polygon.every_path = {"/v2/aggs/ticker/I:VIX": refuse, "/v2/reference/news": refuse}
    start(lab, news=True, vix=True)
    view = work()
    assert view.state is FetchState.FINISHED
    assert any("lab data import VIX.csv" in problem for problem in view.problems)
    assert any("does not include news" in problem for problem in view.problems)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tickers": ("",)}, "tickers"),
        ({"tickers": ("I:VIX",)}, "tickers"),
        ({"timeframe": "2m"}, "timeframe"),
        ({"last": date(2024, 6, 1)}, "span"),
        ({"universe": "taken"}, "universe"),
    ],
)
def test_what_can_be_known_beforehand_is_said_at_its_field(
    lab: Lab, polygon: Polygon, work: Work, change: dict[str, object], field: str
) -> None:
    start(lab, universe="taken", last=MIDDLE)
    work()
    polygon.asked.clear()
    asked = {"tickers": ("AAPL",), "timeframe": "5m", "first": FIRST, "last": LAST, **change}
    with pytest.raises(BadFetch) as caught:
        lab.fetches.start(**asked)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert polygon.asked == []
    assert len(lab.fetches.all()) == 1


def test_there_is_nothing_to_bring_up_to_date_and_no_such_fetch(lab: Lab) -> None:
    with pytest.raises(BadFetch, match="No bars here came from Polygon"):
        lab.fetches.update()
    with pytest.raises(NotThere):
        lab.fetches.pause(7)


def test_rate_and_time_left_are_there_while_it_runs(lab: Lab, polygon: Polygon, work: Work) -> None:
    fetch_id = start(lab)
    polygon.page_size = 60
    seen: list[FetchView] = []

    def look(reply: Reply) -> None:
        time.sleep(0.06)
        seen.append(lab.fetches.get(fetch_id))

    polygon.every = look
    work()
    with_rate = [view for view in seen if view.bars_per_second and view.seconds_left]
    assert with_rate
    assert all(0 < view.progress < 1 for view in with_rate)
    assert [view.progress for view in seen] == sorted(view.progress for view in seen)
    assert "AAPL: page" in with_rate[-1].note


def test_the_names_of_a_universes_companies_are_asked_for_once_and_hidden_from_models(lab: Lab, polygon: Polygon) -> None:
    from lab.agents.claude.config import ClaudeSettings
    from lab.agents.minds import veil_over
    from lab.agents.polygon_lookup import name_tickers
    from lab.store.models import Universe

    span = {"first_session": FIRST, "learning_until": LAST, "last_session": LAST}
    universe = Universe(name="Mine", tickers=["AAPL", "ZZTP"], timeframe="5m", source="polygon", **span)
    with lab.store.write() as session:
        session.add(universe)
        session.flush()
        session.expunge(universe)
    polygon.tickers = [{"ticker": "ZZTP", "name": "Zymotic Therapeutics, Inc. Common Stock", "market": "stocks", "active": True}]
    assert name_tickers(lab.workspace, lab.store, SecretStr(KEY), polygon.url, 0) == (1, ("AAPL",))
    veil = veil_over(lab.store, ClaudeSettings(lab.workspace.home), universe)
    assert veil.hide("Zymotic Therapeutics' shares") == f"{veil.ticker('ZZTP')}' shares"
    asked = len(polygon.asked)
    assert name_tickers(lab.workspace, lab.store, SecretStr(KEY), polygon.url, 0)[0] == 0
    assert len(polygon.asked) == asked + 1, "only what is not known yet is asked for"
