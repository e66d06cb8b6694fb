"""Scripts that look at tickers outside their universe, or at news: what they see, what is traded, and when they are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lab.agents import jobs, loading
from lab.agents.context_rows import keep_context, levels_before, regimes_of
from lab.agents.enrich import CONTEXT_COLUMNS, KNOWN_AT
from lab.agents.outputs import SIGNALS, folder_of, read_output
from lab.agents.sampling import count_signals, signal_sample
from lab.agents.service import Lab
from lab.agents.span import bars_folder, context_problems, learning_slice
from lab.agents.strategist import Variant
from lab.agents.sweeps import SweepRequest, run_sweep, subject_of_scripts
from lab.agents.views import IterationView
from lab.errors import LabError
from lab.market import BarsCache
from lab.market.news import NewsCoverage, NewsItem, Sentiment
from lab.script import add_condition, compile_strategy, truncation_check
from lab.store.models import Universe
from tests.agents.conftest import AlwaysProposes
from tests.agents.made import EXECUTION, SCAN

Learn = Callable[..., IterationView]
LOOKING = SCAN + 'calm = of("SPY", close) > of("SPY", close * 0.5) and of("UVXY", high) > 0\n'
SEEING = LOOKING.replace(
    'time_between("10:00", "15:00")', 'time_between("10:00", "15:00") and of("SPY", close) > 0 and of("UVXY", close) > 0'
)
BLIND = SCAN + 'x = of("TSLA", close)\n'


@pytest.fixture
def universe(lab: Lab) -> Universe:
    """The demo universe, beside which UVXY is cached: the bars of one of its stocks upside down."""
    with lab.store.read() as session:
        universe = session.get_one(Universe, 1)
    cache = BarsCache(bars_folder(lab.workspace.bars, synthetic=True))
    bars = cache.read(universe.tickers[:1], "1m")
    bars = bars.select("timestamp", "volume", *((2000 - pl.col(name)).alias(name) for name in ("open", "close")))
    bars = bars.with_columns(high=pl.max_horizontal("open", "close"), low=pl.min_horizontal("open", "close"))
    cache.write("UVXY", "1m", bars, "demo")
    return universe


def slice_of(lab: Lab, universe: Universe) -> jobs.BarsSlice:
    return learning_slice(universe, lab.workspace.bars)


def test_a_ticker_looked_at_is_seen_and_never_traded(lab: Lab, universe: Universe, threads: Executor) -> None:
    assert "SPY" not in universe.tickers
    plain = lab.try_scripts(SCAN, EXECUTION, 1, threads).result
    seeing = lab.try_scripts(SEEING, EXECUTION, 1, threads).result
    assert seeing.signals == plain.signals > 100
    assert (seeing.trades, seeing.final_equity, seeing.benchmarks) == (plain.trades, plain.final_equity, plain.benchmarks)
    bars = slice_of(lab, universe)
    evaluated = loading.evaluated_bars(bars, compile_strategy(SEEING, EXECUTION))
    assert set(evaluated["ticker"]) == set(universe.tickers)
    assert "traded" not in evaluated.columns


def test_its_values_are_those_of_its_last_bar_until_then(lab: Lab, universe: Universe) -> None:
    scan = 'seen = of("UVXY", close)\nlong = close > seen * 0\n'
    bars = slice_of(lab, universe)
    evaluated = loading.evaluated_bars(bars, compile_strategy(scan, EXECUTION))
    cache = BarsCache(Path(bars.folder))
    other = cache.read(["UVXY"], "1m", bars.first, bars.last).select("timestamp", expected="close")
    mine = evaluated.filter(ticker=universe.tickers[3]).sort("timestamp").join_asof(other, on="timestamp")
    assert mine["scan.seen"].equals(mine["expected"], check_names=False)


def test_ranks_do_not_count_what_is_only_looked_at(lab: Lab, universe: Universe) -> None:
    bars = slice_of(lab, universe)
    ranked = "place = rank_across(volume)\nabove = percent_above(close, 0)\nlong = place > 0.5\n"
    alone = loading.evaluated_bars(bars, compile_strategy(ranked, EXECUTION))
    beside = loading.evaluated_bars(bars, compile_strategy(ranked + 'x = of("UVXY", volume)\ny = of("SPY", close)\n', EXECUTION))
    assert beside.select(alone.columns).equals(alone)


def test_looking_at_others_is_no_looking_ahead_and_stops_before_the_vault(lab: Lab, universe: Universe) -> None:
    bars = slice_of(lab, universe)
    strategy = compile_strategy(SEEING, EXECUTION)
    frame = loading.market_bars(bars, strategy)
    assert frame["session"].max() == universe.learning_until
    jobs._refuse_look_ahead(strategy, frame)
    few = frame.filter(pl.col("ticker").is_in([universe.tickers[0], "SPY", "UVXY"])).group_by("ticker", maintain_order=True).head(900)
    moments = few["timestamp"].unique().sort()
    assert truncation_check(strategy, few, [moments[1], moments[400], moments[-2]]) == ()


def test_a_sweep_and_the_bench_and_the_editors_count_see_it_too(
    lab: Lab, universe: Universe, threads: Executor, agent_id: int, learn: Learn
) -> None:
    request = SweepRequest("latin", 3, seed=3, parameters=("loud",))

    def quiet(share: float, note: str) -> None:
        return None

    plain = run_sweep(
        lab.workspace, lab.store, threads, subject_of_scripts(SCAN, EXECUTION, 1, "balanced"), request, lambda share, note: None
    )
    seeing = run_sweep(lab.workspace, lab.store, threads, subject_of_scripts(SEEING, EXECUTION, 1, "balanced"), request, quiet)
    assert [p.measured.total_return for p in seeing.points] == [p.measured.total_return for p in plain.points]
    sample = signal_sample(universe, lab.workspace.bars)
    assert count_signals(sample, SEEING, EXECUTION) == count_signals(sample, SCAN, EXECUTION)

    class Looks(AlwaysProposes):
        async def propose(self, request, bench):  # type: ignore[no-untyped-def]  # as its parent's
            scan = add_condition(request.subject.scan_script, 'of("UVXY", close) > 0')
            self.results = await bench.test([Variant(s, request.subject.execution_script, "t", "w") for s in (scan, BLIND)])
            return await super().propose(request, bench)

    looks = Looks()
    learn(lab, agent_id, looks)
    seen, blind = looks.results
    assert seen.error == ""
    assert seen.results is not None
    assert "No 1m bars of TSLA are cached" in blind.error


def test_an_iteration_that_looks_at_others_replays_and_notices_when_they_change(
    lab: Lab, universe: Universe, agent_id: int, learn: Learn
) -> None:
    proposal = learn(lab, agent_id).proposal
    lab.apply_edited(proposal.id, add_condition(proposal.new_scan, 'of("UVXY", close) > 0'), proposal.new_execution)
    view = learn(lab, agent_id)
    assert view.row.trades
    assert lab.replay(view.row.id).changed == ()
    cache = BarsCache(bars_folder(lab.workspace.bars, synthetic=True))
    bars = cache.read(["UVXY"], "1m").select("timestamp", *(pl.col(c) * 2 for c in ("open", "high", "low", "close")), "volume")
    cache.write("UVXY", "1m", bars, "demo")
    again = lab.replay(view.row.id)
    assert again.same, "twice a positive price is still positive"
    assert len(again.changed) == 1
    assert "only look at" in again.changed[0]


def test_what_can_not_be_seen_is_refused_where_it_is_typed(lab: Lab, universe: Universe, agent_id: int, threads: Executor) -> None:
    (problem,) = lab.check_scripts(BLIND, EXECUTION, agent_id)
    assert (problem.script, problem.line, problem.column) == ("scan", BLIND.count("\n"), 8)
    assert "No 1m bars of TSLA are cached: import or fetch them first." in problem.suggestion
    assert lab.check_scripts(BLIND, EXECUTION) == (), "without an agent there is no universe to lack anything"
    (news,) = lab.check_scripts(SCAN.replace("long  = near", "long  = news.count_1d > 0 and near"), EXECUTION, agent_id)
    assert (news.line, news.column, news.message) == (5, 9, "news.count_1d is unknown for this agent's universe")
    with pytest.raises(LabError, match=r"read TSLA, of which the universe 'Demo market' knows nothing. No 1m bars of TSLA"):
        lab.try_scripts(BLIND, EXECUTION, 1, threads)
    with pytest.raises(LabError, match="news"):
        count_signals(signal_sample(universe, lab.workspace.bars), "long = news.count_1d > 0\n", EXECUTION)


def test_bars_shorter_than_the_universes_own_are_refused_where_they_are_named(lab: Lab, universe: Universe, agent_id: int) -> None:
    with lab.store.write() as session:
        kept = session.get_one(Universe, universe.id)
        kept.timeframe = "1h"
        session.add(kept)
    assert lab.check_scripts('long = close > on("1h", close) and close > on("1d", close)\n', EXECUTION, agent_id) == ()
    (problem,) = lab.check_scripts('near = close > vwap()\nlong = near and on("5m", close > open)\n', EXECUTION, agent_id)
    assert (problem.script, problem.line, problem.column) == ("scan", 2, 20)
    assert problem.message == "5m bars are unknown for this agent's universe"
    assert problem.suggestion == "It has 1h bars: longer ones are made of those, shorter ones can't be."


def keep_news(lab: Lab, universe: Universe) -> None:
    """An article a day about each ticker, good before noon and bad after."""
    start = datetime(universe.first_session.year, universe.first_session.month, universe.first_session.day, 14, 31, tzinfo=UTC)
    items = []
    for number, ticker in enumerate(universe.tickers):
        for day in range((universe.last_session - universe.first_session).days):
            at = start + timedelta(days=day, minutes=(day * 37 + number * 11) % 360)
            sign = Sentiment.POSITIVE if at.hour < 17 else Sentiment.NEGATIVE
            items.append(NewsItem("demo", f"{ticker}-{day}", at, (ticker,), f"{ticker} on day {day}", sentiments=((ticker, sign),)))
    until = datetime(universe.last_session.year, universe.last_session.month, universe.last_session.day, 23, tzinfo=UTC)
    lab.news.keep(items, NewsCoverage("demo", tuple(universe.tickers), start - timedelta(days=9), until))


def test_news_comes_into_scripts_evidence_and_fingerprints_once_it_is_kept(
    lab: Lab, agent_id: int, learn: Learn, threads: Executor
) -> None:
    with lab.store.read() as session:
        universe = session.get_one(Universe, 1)
    scan = SCAN.replace("long  = near", "long  = news.count_1d >= 1 and news.sentiment > 0 and news.hours_since < 2 and near")
    with pytest.raises(LabError, match=r"read news\.count_1d and news\.hours_since and news\.sentiment, .* No news is kept"):
        lab.try_scripts(scan, EXECUTION, 1, threads)
    before = slice_of(lab, universe).fingerprint
    keep_news(lab, universe)
    with lab.store.read() as session:
        universe = session.get_one(Universe, 1)
    assert slice_of(lab, universe).fingerprint != before
    assert not [sentence for sentence in lab.state().universes[0].missing_context if "news" in sentence]
    shutil.rmtree(lab.workspace.home / "news")
    loading.forget_bars()
    with pytest.raises(LabError, match="lab universes show NAME"):
        lab.try_scripts(scan, EXECUTION, 1, threads)
    lab.universes.missing_context(1)
    told = lab.try_scripts(scan, EXECUTION, 1, threads).result
    assert 0 < told.signals < lab.try_scripts(SCAN, EXECUTION, 1, threads).result.signals
    view = learn(lab, agent_id)
    assert [row for row in view.evidence if row.label.startswith(("articles of the last session", "sentiment of the news"))]


def test_every_signal_is_enriched_with_all_context_and_none_of_it_is_later_than_the_signal(lab: Lab, agent_id: int, learn: Learn) -> None:
    with lab.store.read() as session:
        universe = session.get_one(Universe, 1)
    keep_news(lab, universe)
    with lab.store.read() as session:
        bars = slice_of(lab, session.get_one(Universe, 1))
    folder, scripts = lab.workspace.home / "whole", jobs.Scripts(SCAN, EXECUTION)
    count = jobs.enrich_job(bars, scripts, str(folder))
    signals = read_output(folder, SIGNALS)
    assert signals.height == count == jobs.scan_job(bars, scripts).signals
    assert set(CONTEXT_COLUMNS) | set(KNOWN_AT) <= set(signals.columns)
    for column in CONTEXT_COLUMNS:
        assert signals[column].null_count() < signals.height, f"{column} is known of no signal at all"
    for column in KNOWN_AT:
        late = signals.filter(pl.col(column) > pl.col("known_at.bar"))
        assert late.is_empty(), f"{column} came after the signal"
    assert (signals["known_at.bar"] == signals["timestamp"] + timedelta(minutes=1)).all()
    # The same with the future cut off: nothing that a signal knew then has changed.
    sessions = signals["timestamp"].dt.date().unique().sort().to_list()
    until = sessions[len(sessions) // 2]
    jobs.enrich_job(replace(bars, last=until), scripts, str(folder))
    cut = read_output(folder, SIGNALS)
    assert 20 < cut.height < signals.height
    assert cut.equals(signals.filter(pl.col("timestamp").dt.date() <= until))


def test_levels_and_regimes_are_kept_for_the_screens_and_of_the_learning_span_alone(lab: Lab, agent_id: int, learn: Learn) -> None:
    view = learn(lab, agent_id)
    universe = lab.universes.show(1).view
    regimes = regimes_of(lab.store, 1, universe.first_session, universe.last_session)
    assert regimes[-1].session == universe.learning_until, "the vault stays closed"
    assert regimes[-1].known_at.date() == universe.learning_until
    assert regimes[-1].trend is not None
    assert regimes[-1].breadth_percent is not None
    trade = lab.trades(view.row.id)[-1]
    levels = levels_before(lab.store, trade.ticker, trade.entry_at.date(), "1m", synthetic=True)
    assert levels
    assert all(level.known_at < trade.entry_at for level in levels)
    assert [level.price for level in levels] == sorted((level.price for level in levels), reverse=True)
    with lab.store.write() as session:
        keep_context(session, session.get_one(Universe, 1), folder_of(lab.workspace.results, view.row.id))
    assert levels_before(lab.store, trade.ticker, trade.entry_at.date(), "1m", synthetic=True) == levels, "kept once"


def test_what_another_span_lacks_is_said_with_its_dates(lab: Lab, universe: Universe) -> None:
    strategy = compile_strategy('long = of("UVXY", close) > 0\n', EXECUTION)
    assert context_problems(strategy, universe, lab.workspace.bars) == ()
    early = universe.model_copy(update={"first_session": universe.first_session - timedelta(days=900)})
    early.learning_until = early.last_session = early.first_session + timedelta(days=90)
    ((ticker, reason),) = context_problems(strategy, early, lab.workspace.bars)
    assert ticker == "UVXY"
    assert "outside the learning span" in reason
