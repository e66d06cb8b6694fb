"""What it costs to enrich ten thousand signals with all context, against loading the bars they came from, and against a tenth of them.

Run: pytest tests/benchmarks/test_enrich_speed.py -n0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lab.agents import loading
from lab.agents.enrich import CONTEXT_COLUMNS, KNOWN_AT, enrich_signals
from lab.agents.jobs import BarsSlice
from lab.agents.loading import beside_bars, evaluated_bars, market_bars
from lab.market import CONTEXT_SCHEMA, BarsCache, make_demo_market
from lab.market.news import NewsFiles
from lab.script import compile_strategy
from tests.benchmarks.measuring import medians, say

EXECUTION = "entry = at_open()\nstop = close - atr(14)\n"
SIGNALS = 10_000
MOST_SECONDS = 5.0
MOST_TIMES_LOADING = 4.0
MOST_TIMES_A_TENTH = 1.5
"""One pass for all signals: ten times as many may not cost twice as much."""


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> BarsSlice:
    """The demo market with news, in one-minute bars."""
    folder = tmp_path_factory.mktemp("enrich")
    made = make_demo_market(BarsCache(folder / "bars"), lambda share, note: None, sessions=120)
    files = NewsFiles(folder / "news")
    start = datetime(made.first_session.year, made.first_session.month, made.first_session.day, tzinfo=UTC)
    for ticker in made.tickers:
        files.write(ticker, [start + timedelta(hours=7 * n) for n in range(500)], [(n % 3) - 1 for n in range(500)])
    files.write_coverage([(ticker, start - timedelta(days=9), start + timedelta(days=400)) for ticker in made.tickers])
    return BarsSlice(
        folder=str(folder / "bars"),
        tickers=made.tickers,
        timeframe="1m",
        first=made.first_session,
        last=made.last_session,
        market_ticker=made.market_ticker,
        vix_ticker=made.vix_ticker,
        fingerprint="",
        synthetic=True,
        learning_until=made.last_session,
        news=str(Path(files.folder)),
    )


def test_ten_thousand_signals_are_enriched_in_one_pass(bars: BarsSlice, capsys: pytest.CaptureFixture[str]) -> None:
    def signalled(count: int) -> pl.DataFrame:
        frame = evaluated_bars(bars, compile_strategy("long = close > 0\n", EXECUTION))
        every = frame.height // count
        return frame.with_columns(pl.Series("signal.long", pl.int_range(frame.height, eager=True) % every == 0))

    many, few = signalled(SIGNALS), signalled(SIGNALS // 10)
    names = [name for name in (*CONTEXT_COLUMNS, *KNOWN_AT) if name in KNOWN_AT or (name in CONTEXT_SCHEMA and name not in many.columns)]

    def load() -> pl.DataFrame:
        loading.forget_bars()
        return market_bars(bars)

    def enrich(evaluated: pl.DataFrame) -> pl.DataFrame:
        return enrich_signals(evaluated, beside_bars(bars, names))

    found = enrich(many)
    assert found.height >= SIGNALS
    assert found.select(pl.col(CONTEXT_COLUMNS).null_count() < found.height).row(0) == (True,) * len(CONTEXT_COLUMNS)
    loaded, all_of_them, a_tenth = medians(load, lambda: enrich(many), lambda: enrich(few))
    say(
        capsys,
        f"enriching {found.height:,} signals of {many.height:,} bars with {len(CONTEXT_COLUMNS)} columns: {all_of_them:.2f} s, "
        f"{all_of_them / loaded:.2f}x loading the bars with their usual context ({loaded:.2f} s), "
        f"{all_of_them / a_tenth:.2f}x a tenth of the signals ({a_tenth:.2f} s)",
    )
    assert all_of_them < MOST_SECONDS
    assert all_of_them < MOST_TIMES_LOADING * loaded
    assert all_of_them < MOST_TIMES_A_TENTH * a_tenth
