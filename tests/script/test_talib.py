"""Where TA-Lib has a function, this language's gives the same numbers: to 1e-9, on long random bars and on bars that hardly move."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import talib

from lab.script import CATALOGUE, Category, Kind
from tests.script.bars import column, make_bars

Columns = dict[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"]

UNROUNDED = 4
"""The seed of bars whose prices are no whole cents."""

AGREE: dict[str, Callable[[Columns], object]] = {
    "sma(close, 20)": lambda b: talib.SMA(b["close"], 20),
    "ema(close, 20)": lambda b: talib.EMA(b["close"], 20),
    "wma(close, 20)": lambda b: talib.WMA(b["close"], 20),
    "wma(close, 200)": lambda b: talib.WMA(b["close"], 200),
    "dema(close, 20)": lambda b: talib.DEMA(b["close"], 20),
    "tema(close, 20)": lambda b: talib.TEMA(b["close"], 20),
    "kama(close, 10)": lambda b: talib.KAMA(b["close"], 10),
    "kama(close, 30)": lambda b: talib.KAMA(b["close"], 30),
    "rsi(close, 14)": lambda b: talib.RSI(b["close"], 14),
    "rsi(close, 2)": lambda b: talib.RSI(b["close"], 2),
    "roc(close, 10)": lambda b: talib.ROC(b["close"], 10),
    "change(close, 3)": lambda b: talib.MOM(b["close"], 3),
    "momentum(close, 10)": lambda b: talib.MOM(b["close"], 10),
    "stoch(14)": lambda b: talib.STOCHF(b["high"], b["low"], b["close"], 14, 3)[0],
    "stoch_d(14, 3)": lambda b: talib.STOCHF(b["high"], b["low"], b["close"], 14, 3)[1],
    "stoch_rsi(close, 14, 10)": lambda b: talib.STOCHRSI(b["close"], 14, 10, 3)[0],
    "williams_r(14)": lambda b: talib.WILLR(b["high"], b["low"], b["close"], 14),
    "cci(20)": lambda b: talib.CCI(b["high"], b["low"], b["close"], 20),
    "ultimate(7, 14, 28)": lambda b: talib.ULTOSC(b["high"], b["low"], b["close"], 7, 14, 28),
    "aroon_up(14)": lambda b: talib.AROON(b["high"], b["low"], 14)[1],
    "aroon_down(14)": lambda b: talib.AROON(b["high"], b["low"], 14)[0],
    "aroon(14)": lambda b: talib.AROONOSC(b["high"], b["low"], 14),
    "psar(0.02, 0.2)": lambda b: talib.SAR(b["high"], b["low"], 0.02, 0.2),
    "psar(0.05, 0.1)": lambda b: talib.SAR(b["high"], b["low"], 0.05, 0.1),
    "linreg(close, 20)": lambda b: talib.LINEARREG(b["close"], 20),
    "slope(close, 20)": lambda b: talib.LINEARREG_SLOPE(b["close"], 20),
    "true_range()": lambda b: talib.TRANGE(b["high"], b["low"], b["close"]),
    "atr(14)": lambda b: talib.ATR(b["high"], b["low"], b["close"], 14),
    "natr(14)": lambda b: talib.NATR(b["high"], b["low"], b["close"], 14),
    "stdev(close, 20)": lambda b: talib.STDDEV(b["close"], 20),
    "bollinger_upper(close, 20, 2)": lambda b: talib.BBANDS(b["close"], 20, 2, 2)[0],
    "bollinger_lower(close, 20, 2)": lambda b: talib.BBANDS(b["close"], 20, 2, 2)[2],
    "ad()": lambda b: talib.AD(b["high"], b["low"], b["close"], b["volume"]),
    "typical()": lambda b: talib.TYPPRICE(b["high"], b["low"], b["close"]),
    "highest(high, 20)": lambda b: talib.MAX(b["high"], 20),
    "lowest(low, 20)": lambda b: talib.MIN(b["low"], 20),
    "total(volume, 20)": lambda b: talib.SUM(b["volume"], 20),
    "correlation(high, low, 20)": lambda b: talib.CORREL(b["high"], b["low"], 20),
    "rma(close, 14)": lambda b: talib.RMA(b["close"], 14),
    "hma(close, 20)": lambda b: talib.HMA(b["close"], 20),
    "hma(close, 9)": lambda b: talib.HMA(b["close"], 9),
    "vwma(close, 20)": lambda b: talib.VWMA(b["close"], b["volume"], 20),
    "tsi(close, 25, 13)": lambda b: talib.TSI(b["close"], 25, 13),
    "awesome(5, 34)": lambda b: talib.AO(b["high"], b["low"], 5, 34),
    "cmf(20)": lambda b: talib.CMF(b["high"], b["low"], b["close"], b["volume"], 20),
    "force_index(13)": lambda b: talib.EFI(b["close"], b["volume"], 13),
    "donchian_upper(20)": lambda b: talib.DONCHIAN(b["high"], b["low"], 20)[0],
    "donchian_middle(20)": lambda b: talib.DONCHIAN(b["high"], b["low"], 20)[1],
    "donchian_lower(20)": lambda b: talib.DONCHIAN(b["high"], b["low"], 20)[2],
    "beta(roc(high), roc(low), 20)": lambda b: talib.BETA(b["low"], b["high"], 20),
}
"""The same from the first value to the last."""

SETTLES: dict[str, tuple[Callable[[Columns], object], int]] = {
    "plus_di(14)": (lambda b: talib.PLUS_DI(b["high"], b["low"], b["close"], 14), 400),
    "minus_di(14)": (lambda b: talib.MINUS_DI(b["high"], b["low"], b["close"], 14), 400),
    "adx(14)": (lambda b: talib.ADX(b["high"], b["low"], b["close"], 14), 800),
    "macd(close, 12, 26)": (lambda b: talib.MACD(b["close"], 12, 26, 9)[0], 400),
    "macd_signal(close, 12, 26, 9)": (lambda b: talib.MACD(b["close"], 12, 26, 9)[1], 400),
    "macd_histogram(close, 12, 26, 9)": (lambda b: talib.MACD(b["close"], 12, 26, 9)[2], 400),
    "supertrend(10, 3)": (lambda b: talib.SUPERTREND(b["high"], b["low"], b["close"], 10, 3)[0], 100),
    "ppo(close, 12, 26)": (lambda b: talib.PPO(b["close"], 12, 26, 1), 400),
}
"""Averages that start a little differently, as each function's source says: the same after so many bars."""


def _columns(seed: int) -> tuple[pl.DataFrame, Columns]:
    frame = make_bars(seed, tickers=1, sessions=8, per_session=390, step=1)
    if seed == UNROUNDED:
        factor = pl.Series(1 + np.random.default_rng(seed).uniform(0, 1e-4, len(frame)))
        frame = frame.with_columns(pl.col("open", "high", "low", "close") * factor)
    return frame, {name: frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}


def _compare(expression: str, expected: object, skip: int, seed: int) -> None:
    frame, _ = _columns(seed)
    found = np.array(column(frame, f"x = {expression}"), dtype=float)
    wanted = np.array(expected, dtype=float)
    start = max(skip, int(np.argmax(~np.isnan(wanted))))
    assert len(found) - start > 1000
    assert not np.isnan(found[start:]).any()
    np.testing.assert_allclose(found[start:], wanted[start:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("expression", AGREE)
def test_a_function_gives_what_talib_gives(expression: str) -> None:
    for seed in (3, UNROUNDED):
        _compare(expression, AGREE[expression](_columns(seed)[1]), 0, seed)


@pytest.mark.parametrize("expression", SETTLES)
def test_a_function_that_starts_differently_soon_gives_what_talib_gives(expression: str) -> None:
    work, skip = SETTLES[expression]
    _compare(expression, work(_columns(3)[1]), skip, 3)


def test_money_flow_gives_what_talib_gives_where_rounding_decides_no_direction() -> None:
    bars = _columns(UNROUNDED)[1]
    _compare("mfi(14)", talib.MFI(bars["high"], bars["low"], bars["close"], bars["volume"], 14), 0, UNROUNDED)


def test_the_volume_weighted_average_gives_what_talib_gives_within_a_session() -> None:
    frame = make_bars(3, tickers=1, sessions=1, per_session=390, step=1)
    expected = talib.VWAP(*(frame[name].to_numpy() for name in ("high", "low", "close", "volume")))
    np.testing.assert_allclose(np.array(column(frame, "x = vwap()"), dtype=float), expected, rtol=1e-12)


def test_balance_volume_differs_from_talib_by_its_first_bar_only() -> None:
    frame, bars = _columns(3)
    found = np.array(column(frame, "x = obv()"), dtype=float)
    np.testing.assert_allclose(found[1:] + bars["volume"][0], talib.OBV(bars["close"], bars["volume"])[1:], rtol=1e-12)


def test_a_function_starts_no_later_than_talibs() -> None:
    frame, bars = _columns(3)
    for expression, work in AGREE.items():
        first = next(row for row, value in enumerate(column(frame, f"x = {expression}")) if value is not None)
        # TA-Lib holds back adaptive averages and money flow for a bar more than their definition asks.
        assert first <= int(np.argmax(~np.isnan(np.array(work(bars), dtype=float)))), expression


_SAME_NAME = {
    "aroon": "AROONOSC", "aroon_up": "AROON", "aroon_down": "AROON", "psar": "SAR", "momentum": "MOM", "change": "MOM", "stoch": "STOCHF",
    "stoch_d": "STOCHF", "stoch_rsi": "STOCHRSI", "williams_r": "WILLR", "ultimate": "ULTOSC", "linreg": "LINEARREG", "total": "SUM",
    "slope": "LINEARREG_SLOPE", "true_range": "TRANGE", "stdev": "STDDEV", "bollinger_upper": "BBANDS", "bollinger_lower": "BBANDS",
    "typical": "TYPPRICE", "highest": "MAX", "lowest": "MIN", "correlation": "CORREL", "macd_signal": "MACD", "macd_histogram": "MACD",
    "awesome": "AO", "force_index": "EFI", "donchian_upper": "DONCHIAN", "donchian_middle": "DONCHIAN", "donchian_lower": "DONCHIAN",
    "keltner_upper": "KC", "keltner_lower": "KC", "percentile_rank": "PERCENTRANK", "quantile": "PERCENTILE", "median": "PERCENTILE",
    "relative_volume": "RVOL", "swing_high": "FRACTAL", "swing_low": "FRACTAL",
}  # fmt: skip
_PER_BAR = {"abs", "min", "max", "sqrt", "log", "exp", "sign", "round"}
"""TA-Lib's functions of these names look over windows, or do plain arithmetic."""


def test_every_function_that_talib_has_is_compared_with_it_or_says_how_it_differs() -> None:
    theirs = set(talib.get_functions())
    compared = {expression.partition("(")[0] for expression in (*AGREE, *SETTLES, "mfi(", "obv(", "vwap(")}
    for function in CATALOGUE.values():
        name = _SAME_NAME.get(function.name, function.name.upper())
        if name in theirs and function.name not in _PER_BAR:
            assert function.name in compared or re.search("TA-Lib", function.source), function.name
    patterns = [name for name in CATALOGUE if CATALOGUE[name].category is Category.CANDLE and CATALOGUE[name].returns is Kind.CONDITION]
    said = [name for name in patterns if "not TA-Lib's" in CATALOGUE[name].source]
    assert set(patterns) - set(said) == {"inside_bar", "outside_bar", "narrow_range"}
