"""The common job as a vectorbt user writes it: bars as wide arrays (time x ticker), indicators by its compiled functions, one portfolio.

Long when low <= vwap * 1.001, close > vwap, volume > 2 x its 20-bar mean and RSI(14) < 60; next open; stop 1.5 ATR(14); target twice as
far; out after 60 bars (numba engine only: its rust engine takes no functions of one's own) or at the session's end; 1 bp fee and 1 bp
slippage a side. Averages over sessions and days are plain NumPy on sessions of equal length, which is kinder than what pandas would cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Wide:
    """Bars as vectorbt wants them: rows are moments, columns tickers; every session has the same number of bars."""

    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any
    per_session: int


@dataclass(frozen=True)
class Outcome:
    trades: int
    win_rate: float
    sharpe: float
    total_return: float


def signals(bars: Wide, loud: float = 2.0, atrs: float = 1.5) -> tuple[Any, Any, Any]:
    """Entries (on the bar after the signal), and stop and target as fractions of the entry price."""
    import vectorbt as vbt

    rows, tickers = bars.close.shape
    typical = (bars.high + bars.low + bars.close) / 3
    by_session = (rows // bars.per_session, bars.per_session, tickers)
    traded = np.cumsum((typical * bars.volume).reshape(by_session), axis=1).reshape(rows, tickers)
    vwap = traded / np.cumsum(bars.volume.reshape(by_session), axis=1).reshape(rows, tickers)
    usual = vbt.nb.rolling_mean_nb(bars.volume, 20, 20)
    move = np.diff(bars.close, axis=0, prepend=np.full((1, tickers), np.nan))
    # A span of 27 is Wilder's weight for 14 bars.
    up = vbt.nb.ewm_mean_nb(np.where(move > 0, move, 0.0), 27, 14, False)
    down = vbt.nb.ewm_mean_nb(np.where(move < 0, -move, 0.0), 27, 14, False)
    rsi = 100 * up / (up + down)
    before = np.vstack([np.full((1, tickers), np.nan), bars.close[:-1]])
    true_range = np.maximum(bars.high, before) - np.minimum(bars.low, before)
    atr = vbt.nb.ewm_mean_nb(true_range, 27, 14, False)
    long = (bars.low <= vwap * 1.001) & (bars.close > vwap) & (bars.volume > loud * usual) & (rsi < 60)
    entries = np.zeros_like(long)
    entries[1:] = long[:-1]
    stop, target = np.full_like(atr, np.nan), np.full_like(atr, np.nan)
    far = atrs * atr[:-1]
    stop[1:] = (bars.open[1:] - bars.close[:-1] + far) / bars.open[1:]
    target[1:] = (bars.close[:-1] + 2 * far - bars.open[1:]) / bars.open[1:]
    stop[stop <= 0], target[target <= 0] = np.nan, np.nan
    entries &= np.isfinite(stop) & np.isfinite(target)
    # A new session begins flat, and no position is opened on its last bar.
    entries[:: bars.per_session] = False
    entries[bars.per_session - 1 :: bars.per_session] = False
    return entries, stop, target


_TIMED: list[Any] = []


def timed_stop() -> Any:
    """A stop that closes the position after 60 bars, compiled once a process."""
    if not _TIMED:
        from numba import njit

        @njit(cache=True)
        def after_sixty(context: Any) -> Any:
            if context.i - context.init_i >= 60:
                return 0.0, context.curr_trail
            return context.curr_stop, context.curr_trail

        _TIMED.append(after_sixty)
    return _TIMED[0]


def portfolio(bars: Wide, entries: Any, stop: Any, target: Any, engine: str, timed: bool) -> Any:
    import vectorbt as vbt

    exits = np.zeros(bars.close.shape, dtype=bool)
    exits[bars.per_session - 1 :: bars.per_session] = True
    price = bars.open.copy()
    price[bars.per_session - 1 :: bars.per_session] = bars.close[bars.per_session - 1 :: bars.per_session]
    more = {"adjust_sl_func_nb": timed_stop()} if timed else {}
    return vbt.Portfolio.from_signals(
        bars.close, entries, exits, price=price, open=bars.open, high=bars.high, low=bars.low, sl_stop=stop, tp_stop=target,
        stop_entry_price="fillprice", stop_exit_price="stopmarket", size=50_000.0, size_type="value", init_cash=1e6, fees=1e-4,
        slippage=1e-4, freq="1min", engine=engine, **more,
    )  # fmt: skip


def outcome(bars: Wide, made: Any) -> Outcome:
    """Trades, win rate, daily Sharpe ratio and return of all tickers together."""
    records = made.trades.records_arr
    worth = made.value().to_numpy().sum(axis=1)[bars.per_session - 1 :: bars.per_session]
    returns = np.diff(worth, prepend=1e6 * bars.close.shape[1]) / np.concatenate(([1e6 * bars.close.shape[1]], worth[:-1]))
    sharpe = float(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    return Outcome(len(records), float((records["pnl"] > 0).mean()), sharpe, float(worth[-1] / (1e6 * bars.close.shape[1]) - 1))


def vectorbt_job(bars: Wide, engine: str = "numba") -> Outcome:
    """The whole job; `engine` is "numba", "numba without 60 bars" or "rust" (which has no exit after 60 bars)."""
    entries, stop, target = signals(bars)
    return outcome(bars, portfolio(bars, entries, stop, target, engine.split()[0], timed=engine == "numba"))


def vectorbt_sweep(bars: Wide, variants: list[tuple[float, float]], engine: str) -> list[Outcome]:
    """Many values of the volume's factor and the stop's distance; indicators are computed once, then a portfolio a variant."""
    import vectorbt as vbt

    entries, stop, target = signals(bars, loud=0.0, atrs=1.0)
    usual = vbt.nb.rolling_mean_nb(bars.volume, 20, 20)
    before = np.vstack([np.full((1, bars.close.shape[1]), np.nan), bars.close[:-1]])
    far = stop * bars.open - bars.open + before
    found = []
    for loud, atrs in variants:
        chosen = entries.copy()
        chosen[1:] &= (bars.volume > loud * usual)[:-1]
        stop = (bars.open - before + atrs * far) / bars.open
        target = (before + 2 * atrs * far - bars.open) / bars.open
        chosen &= (stop > 0) & (target > 0)
        found.append(outcome(bars, portfolio(bars, chosen, stop, target, engine, timed=engine == "numba")))
    return found


_FUSED: list[Any] = []


def fused_kernel() -> Any:
    """The whole job as one loop over each ticker's bars, written by hand and compiled by numba: about as fast as this machine can be."""
    if _FUSED:
        return _FUSED[0]
    from numba import njit, prange

    @njit(parallel=True, cache=True)
    def run(o: Any, h: Any, low: Any, c: Any, v: Any, per_session: int, loud: float, atrs: float) -> Any:
        tickers, rows = c.shape
        profits, trades = np.zeros(tickers), np.zeros(tickers)
        for t in prange(tickers):
            traded = shares = usual = up = down = atr = stop = target = price = 0.0
            entry, signal = -1, False
            for i in range(rows):
                place = i % per_session
                if signal and entry < 0 and place > 0 and stop < o[t, i] < target:
                    entry, price = i, o[t, i]
                signal = False
                if entry >= 0:
                    left = 0.0
                    if o[t, i] <= stop or (i - entry >= 60):
                        left = o[t, i]
                    elif low[t, i] <= stop:
                        left = stop
                    elif h[t, i] > target:
                        left = max(target, o[t, i])
                    elif place == per_session - 1:
                        left = c[t, i]
                    if left > 0.0:
                        profits[t] += left / price - 1 - 0.0004
                        trades[t] += 1
                        entry = -1
                if place == 0:
                    traded = shares = 0.0
                traded += (h[t, i] + low[t, i] + c[t, i]) / 3 * v[t, i]
                shares += v[t, i]
                usual += v[t, i] - (v[t, i - 20] if i >= 20 else 0.0)
                if i == 0:
                    continue
                move, before = c[t, i] - c[t, i - 1], c[t, i - 1]
                up += (max(move, 0.0) - up) / 14
                down += (max(-move, 0.0) - down) / 14
                atr += (max(h[t, i], before) - min(low[t, i], before) - atr) / 14
                vwap = traded / shares
                if (
                    entry < 0 and i > 30 and low[t, i] <= vwap * 1.001 and c[t, i] > vwap
                    and v[t, i] > loud * usual / 20 and 100 * up < 60 * (up + down)
                ):  # fmt: skip
                    signal, stop, target = True, c[t, i] - atrs * atr, c[t, i] + 2 * atrs * atr
        return profits, trades

    _FUSED.append(run)
    return run
