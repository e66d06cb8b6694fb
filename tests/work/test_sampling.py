"""Counting signals in a process of its own: right, from the learning span alone, and gone when its editor is."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from lab.agents.jobs import AccountRules, BarsSlice
from lab.agents.sampling import MAX_ROWS, SESSIONS, SHOWN_SIGNALS, SampleSignal, bars_in_a_session, end_of, signal_sample
from lab.agents.span import bars_folder
from lab.market import BarsCache, make_demo_market
from lab.script import compile_strategy
from lab.store.models import Universe
from lab.work.errors import TaskFailed
from lab.work.processes import alive
from lab.work.sampling import SignalCounter

SCAN = "loud = volume > 2 * sma(volume, 20)\nlong = loud and close > vwap()\n"
EXECUTION = "entry = at_open()\nstop = low - atr(14)\n"
TICKERS = 4


@pytest.fixture(scope="module")
def universe(tmp_path_factory: pytest.TempPathFactory) -> tuple[Universe, Path]:
    bars = tmp_path_factory.mktemp("bars")
    made = make_demo_market(BarsCache(bars_folder(bars, True)), lambda share, note: None, sessions=40)
    frame = BarsCache(bars_folder(bars, True)).read([made.tickers[0]], "1m")
    until = frame["session"].unique().sort()[29]
    return (
        Universe(
            name="Demo",
            tickers=list(made.tickers[:TICKERS]),
            timeframe="1m",
            source="demo",
            synthetic=True,
            first_session=made.first_session,
            learning_until=until,
            last_session=made.last_session,
        ),
        bars,
    )


async def test_a_run_accounts_for_every_signal_of_the_sample_and_shows_no_outcome(universe: tuple[Universe, Path]) -> None:
    sample = signal_sample(*universe, AccountRules(2, 1.0, 0.5))
    counter = SignalCounter(sample)
    try:
        counted, ran = await counter.count(SCAN, EXECUTION), await counter.run(SCAN, EXECUTION)
        with pytest.raises(TaskFailed, match="vwop"):
            await counter.run("long = vwop() > 1\n", EXECUTION)
    finally:
        await counter.close()
    assert ran.counted == counted
    assert ran.funnel["signals"] == counted.signals == sum(n for name, n in ran.funnel.items() if name != "signals")
    assert len(ran.signals) == min(SHOWN_SIGNALS, counted.signals)
    assert [one.signal_at for one in ran.signals] == sorted((one.signal_at for one in ran.signals), reverse=True)
    assert ran.signals[0].signal_at.date() <= universe[0].learning_until
    for one in ran.signals:
        assert bool(one.skipped) == (one.entry_at is None)
        assert one.entry_at is None or one.entry_at > one.signal_at
    assert not {"exit_at", "pnl", "r_multiple"} & set(SampleSignal.__dataclass_fields__)


async def test_the_count_is_that_of_the_whole_evaluation_and_stops_before_the_vault(universe: tuple[Universe, Path]) -> None:
    sample = signal_sample(*universe)
    counter = SignalCounter(sample)
    try:
        found = await counter.count(SCAN, EXECUTION)
    finally:
        await counter.close()
    frame = BarsCache(Path(sample.bars.folder)).read(sample.bars.tickers, "1m")
    evaluated = compile_strategy(SCAN, EXECUTION).evaluate(frame)
    last = frame.filter(pl.col("session") <= universe[0].learning_until)["session"].unique().sort().tail(SESSIONS)
    expected = evaluated.filter(pl.col("session").is_between(last[0], last[-1]))["signal.long"].sum()
    assert found.signals == expected > 0
    assert (found.sessions, found.tickers, found.all_tickers) == (SESSIONS, TICKERS, TICKERS)


@pytest.mark.slow
async def test_errors_are_sentences_and_a_killed_or_cancelled_count_does_no_harm(universe: tuple[Universe, Path]) -> None:
    counter = SignalCounter(signal_sample(*universe))
    try:
        with pytest.raises(TaskFailed, match="vwop"):
            await counter.count("long = close > vwop()", EXECUTION)
        with pytest.raises(TaskFailed, match=r"market\.trend is unknown here\. No SPY bars"):
            await counter.count("long = market.trend > 0", EXECUTION)
        right = (await counter.count(SCAN, EXECUTION)).signals
        asked = asyncio.ensure_future(counter.count("long = close > open", EXECUTION))
        await asyncio.sleep(0)
        asked.cancel()
        assert (await counter.count(SCAN, EXECUTION)).signals == right
        process = counter._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert (await counter.count(SCAN, EXECUTION)).signals == right
    finally:
        await counter.close()


@pytest.mark.slow
async def test_its_process_ends_with_the_editor_and_with_the_program(universe: tuple[Universe, Path]) -> None:
    counter = SignalCounter(signal_sample(*universe))
    await counter.count(SCAN, EXECUTION)
    process = counter._process
    assert process is not None
    assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
    assert process.stdin is not None
    process.stdin.close()  # what a dying program does
    await asyncio.wait_for(process.wait(), 10)
    await counter.count(SCAN, EXECUTION)
    process = counter._process
    assert process is not None
    await counter.close()
    assert not alive(process.pid)


def test_a_sample_stays_small_and_within_its_span() -> None:
    whole = BarsSlice(
        "x", tuple(f"T{n}" for n in range(500)), "1m", date(2020, 1, 2), date(2024, 1, 5), None, None, "", False, date(2024, 1, 5)
    )
    part = end_of(whole, 0)
    assert (part.last, part.timeframe) == (whole.last, "1m")
    assert part.first >= whole.last - timedelta(days=40)
    assert 0 < len(part.tickers) * 22 * 390 <= MAX_ROWS
    assert set(part.tickers) < set(whole.tickers)
    daily = end_of(BarsSlice("x", ("A", "B"), "1d", date(2000, 1, 3), date(2024, 1, 5), None, None, "", False, date(2024, 1, 5)), 200)
    assert daily.tickers == ("A", "B")
    assert (date(2024, 1, 5) - daily.first).days >= (200 + SESSIONS) * 365 / 253
    assert end_of(
        BarsSlice("x", ("A",), "1d", date(2023, 12, 1), date(2024, 1, 5), None, None, "", False, date(2024, 1, 5)), 200
    ).first == date(2023, 12, 1)
    assert [bars_in_a_session(name) for name in ("1m", "5m", "1h", "1d")] == [390, 78, 7, 1]
