"""Forty strategies on demo and real bars: a change that moves one bit of one trade is seen here.

Where the change is meant (and then raises the engine's VERSION), `python -m tests.backtest.test_fingerprint` writes fingerprints.json anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lab.backtest import ENGINE_VERSION, Account, Costs, run_backtest
from lab.backtest.finer import FinerBars
from lab.backtest.result import fingerprint
from lab.market import MarketFrames, make_market_frames
from lab.market.bars import place_in_sessions
from lab.market.demo import EdgeSettings
from lab.script import compile_strategy

STORED = Path(__file__).parent / "fingerprints.json"
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"

SCANS = {
    "bounce": "long = low <= vwap() * 1.001 and close > vwap() and volume > 1.2 * sma(volume, 20)\nscore = volume / sma(volume, 20)",
    "bands": "long = close < bollinger_lower(close, 20, 2)\nshort = close > bollinger_upper(close, 20, 2)\nscore = abs(zscore(close, 20))",
    "crossing": "long = crosses_above(ema(close, 9), ema(close, 30))\nshort = crosses_below(ema(close, 9), ema(close, 30))",
    "breakout": "long = close > ago(highest(high, 40), 1)\nshort = close < ago(lowest(low, 40), 1)\nscore = rsi(close, 14)",
    "higher": 'day = on("15m", sma(close, 8))\nlong = crosses_above(close, day) and rank_across(roc(close, 20)) > 40\n'
    "short = gap() > 0.4 and close < day",
}
STOP = "stop = close - side * 2.5 * atr(14)\n"
EXECUTIONS = {
    "plain": "entry = at_open()\n" + STOP,
    "target": "entry = at_open()\n" + STOP + 'target = close + side * 3 * atr(14)\nmax_bars = 60\nflat_by = "15:55"',
    "limit": "entry = limit(close - side * 0.3 * atr(14), bars=5)\n" + STOP + "target = close + side * 2 * atr(14)\nrisk = 0.3",
    "stop entry": "entry = stop_entry(close + side * 0.3 * atr(14), bars=5)\n" + STOP + 'flat_by = "15:30"',
    "trailing": "entry = at_open()\n" + STOP + "trail = 3 * atr(14)\nbreak_even = 1.0\ncooldown = 20",
    "in thirds": "entry = at_open()\n"
    + STOP
    + "target = close + side * 1.5 * atr(14)\nfraction = 0.33\ntarget_2 = close + side * 3 * atr(14)\n"
    "fraction_2 = 0.33\ntarget_3 = close + side * 6 * atr(14)\nbreak_even = 1.5",
    "half and rule": "entry = at_open()\n" + STOP + "target = close + side * 2 * atr(14)\nfraction = 0.5\n"
    "exit = crosses_below(close, ema(close, 20)) if side > 0 else crosses_above(close, ema(close, 20))\n"
    "risk = 0.4\nrisk_move = 2 * atr(20)",
    "dollars": "entry = limit(close - side * 0.2 * atr(14), bars=3)\n" + STOP + "trail = 2 * atr(14)\nsize = 9000\nmax_bars = 90",
}
ACCOUNTS = (
    (Account(), Costs()),
    (
        Account(max_positions=3, max_position=0.8, max_exposure=1.6, buying_power=1.6, whole_shares=False, min_position=0.002),
        Costs(commission_bps=0.0, commission_per_share=0.005, slippage_atr=0.05, participation_cap=0.2),
    ),
)


def made_demo() -> MarketFrames:
    """With edges of its own sizes: what a strength plants may change, these bars may not."""
    sizes = EdgeSettings(
        bounce_bps=8, break_bps=-8, lukewarm_bps=-3, gap_strong_bps=60, gap_weak_bps=-45, level_bps=9, knife_bps=-3, trend_bps=4
    )
    return make_market_frames(seed=5, sessions=25, tickers=4, edges=sizes)


def demo_bars() -> pl.DataFrame:
    return made_demo().with_context()


def real_bars() -> pl.DataFrame:
    raw = pl.read_parquet(REAL / "minute" / "blaizard_1m.parquet").filter(pl.col("timestamp").dt.month().is_in([3, 4]))
    placed = []
    for ticker in ("AZO", "LII", "SW", "TDG"):
        series = place_in_sessions(raw.filter(pl.col("ticker") == ticker), "1m")
        placed.append(series.filter(pl.col("regular")).with_columns(pl.lit(ticker).alias("ticker")))
    return pl.concat(placed)


def five_minutes(bars: pl.DataFrame) -> pl.DataFrame:
    """The same bars, five at a time."""
    first = (pl.col("minute") - 570) // 5
    return (
        bars.with_columns(first.alias("part"))
        .group_by("ticker", "session", "part", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in ("timestamp", "open", "minute")),
            *(pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum(), pl.col("close_minute").last()),
        )
        .drop("part")
    )


MARKETS: dict[str, Callable[[], pl.DataFrame]] = {"demo": demo_bars, "real": real_bars}


def fingerprint_of(bars: pl.DataFrame) -> str:
    return fingerprint(bars.select("ticker", "timestamp", "open", "high", "low", "close", "volume"))[:16]


def found_on(bars: pl.DataFrame) -> dict[str, str]:
    """Strategy -> the beginning of the fingerprint of all its trades, fills, skips and equity; "bars" -> that of the bars."""
    found = {"bars": fingerprint_of(bars)}
    longer = five_minutes(bars)
    for i, (scan, scan_text) in enumerate(SCANS.items()):
        for k, (execution, execution_text) in enumerate(EXECUTIONS.items()):
            strategy = compile_strategy(scan_text, execution_text)
            account, costs = ACCOUNTS[(i + k) % 2]
            # Every third on longer bars, with the bars themselves to decide what came first within one.
            own, finer = (longer, FinerBars(bars, 5)) if (i + k) % 3 == 0 else (bars, None)
            result = run_backtest(strategy, strategy.evaluate(own), account, costs, finer=finer)
            found[f"{scan}, {execution}"] = f"{result.fingerprint[:16]} {result.metrics.trades}"
    return found


@pytest.mark.parametrize("market", MARKETS)
def test_no_change_moves_a_trade_unseen(market: str) -> None:
    if market == "real" and not REAL.is_dir():
        pytest.skip(f"no real market data at {REAL}")
    stored = json.loads(STORED.read_text())
    assert stored["engine"] == ENGINE_VERSION, "the rules have changed: write the fingerprints anew"
    bars = MARKETS[market]()
    if fingerprint_of(bars) != stored[market]["bars"]:
        assert market == "demo", "the bars have changed: write the fingerprints anew"
        assert made_demo().outcome.version == stored["demo market"], "the demo market has changed: write the fingerprints anew"
        pytest.skip("this machine's exponential function gives other bars of the demo market")
    found = found_on(bars)
    assert {name: value for name, value in found.items() if stored[market].get(name) != value} == {}
    assert len(found) == 41
    assert sum(int(value.split()[1]) for name, value in found.items() if name != "bars") > 5_000


if __name__ == "__main__":
    everything = {"engine": ENGINE_VERSION, "demo market": made_demo().outcome.version} | {
        name: found_on(make()) for name, make in MARKETS.items()
    }
    STORED.write_text(json.dumps(everything, indent=1) + "\n")
