"""The function catalogue: one entry a function, which is its documentation, its completion and its formula."""

from __future__ import annotations

from lab.script import functions
from lab.script.entries import Category, Function
from lab.script.fields import FIELDS, Field

SYNONYMS: dict[str, str] = {
    "average": "sma",
    "mean": "sma",
    "ma": "sma",
    "avg": "sma",
    "moving_average": "sma",
    "rolling_mean": "sma",
    "std": "stdev",
    "stddev": "stdev",
    "rolling_std": "stdev",
    "sd": "stdev",
    "shift": "ago",
    "lag": "ago",
    "prev": "ago",
    "previous": "ago",
    "ref": "ago",
    "delay": "ago",
    "offset": "ago",
    "nth": "ago",
    "crossover": "crosses_above",
    "cross_above": "crosses_above",
    "crossed_above": "crosses_above",
    "cross": "crosses_above",
    "crossunder": "crosses_below",
    "cross_below": "crosses_below",
    "crossed_below": "crosses_below",
    "hhv": "highest",
    "rolling_max": "highest",
    "ts_max": "highest",
    "max_high": "highest",
    "llv": "lowest",
    "rolling_min": "lowest",
    "ts_min": "lowest",
    "min_low": "lowest",
    "bbands": "bollinger_upper",
    "bollinger": "bollinger_upper",
    "bb_upper": "bollinger_upper",
    "bb_lower": "bollinger_lower",
    "tr": "true_range",
    "hour": "time_between",
    "time": "time_between",
    "time_of_day": "time_between",
    "rvol": "relative_volume",
    "rel_volume": "relative_volume",
    "barssince": "bars_since",
    "bars_ago": "bars_since",
    "wilder": "rma",
    "smma": "rma",
    "lwma": "wma",
    "diff": "change",
    "delta": "change",
    "pct_change": "roc",
    "orb_high": "opening_range_high",
    "orb_low": "opening_range_low",
    "day_high": "session_high",
    "day_low": "session_low",
    "weekday": "day_of_week",
    "dayofweek": "day_of_week",
    "range": "range_",
    "fillna": "nz",
    "coalesce": "nz",
    "keltner": "keltner_upper",
    "donchian": "donchian_upper",
    "dc": "donchian_upper",
    "kc": "keltner_upper",
    "bb": "bollinger_upper",
    "log10": "log",
    "ln": "log",
    "sum": "total",
    "any": "was",
    "all": "all_true",
    "sign_of": "sign",
    "gap_percent": "gap",
    "market_order": "at_open",
    "market_open": "at_open",
    "stop_order": "stop_entry",
    "limit_order": "limit",
    "nth_in_session": "n_th_in_session",
    "parabolic_sar": "psar",
    "sar": "psar",
    "hull": "hma",
    "adaptive": "kama",
    "super_trend": "supertrend",
    "stochrsi": "stoch_rsi",
    "stochastic": "stoch",
    "slow_k": "stoch_d",
    "willr": "williams_r",
    "ultosc": "ultimate",
    "mom": "momentum",
    "macd_hist": "macd_histogram",
    "hist": "macd_histogram",
    "aroonosc": "aroon",
    "tenkan": "ichimoku_conversion",
    "kijun": "ichimoku_base",
    "senkou_a": "ichimoku_span_a",
    "senkou_b": "ichimoku_span_b",
    "linear_regression": "linreg",
    "linearreg": "linreg",
    "rsquared": "r2",
    "chop": "choppiness",
    "hv": "realised_volatility",
    "historical_volatility": "realised_volatility",
    "volatility": "realised_volatility",
    "percent_b": "bollinger_percent",
    "bbw": "bollinger_width",
    "poc": "point_of_control",
    "volume_profile": "point_of_control",
    "avwap": "anchored_vwap",
    "efi": "force_index",
    "chaikin": "cmf",
    "pivot": "pivot_classic",
    "camarilla": "pivot_camarilla",
    "fibonacci": "pivot_fibonacci",
    "last_week_high": "prev_week_high",
    "last_week_low": "prev_week_low",
    "pivothigh": "swing_high",
    "pivotlow": "swing_low",
    "percentrank": "percentile_rank",
    "ts_rank": "percentile_rank",
    "percentile": "quantile",
    "corr": "correlation",
    "ts_corr": "correlation",
    "rank": "rank_across",
    "security": "on",
    "resample": "on",
    "higher_timeframe": "on",
    "timeframe": "on",
    "ticker": "of",
    "symbol": "of",
    "nr7": "narrow_range",
    "bullish_engulfing": "engulfing_up",
    "bearish_engulfing": "engulfing_down",
    "valuewhen": "value_when",
    "ts_delay": "ago",
    "ts_delta": "change",
    "ts_mean": "sma",
    "ts_sum": "total",
    "ts_std_dev": "stdev",
    "ts_stddev": "stdev",
    "ts_median": "median",
    "ts_zscore": "zscore",
    "ts_quantile": "quantile",
    "ts_skewness": "skew",
    "ts_kurtosis": "kurtosis",
    "ts_arg_max": "bars_since_highest",
    "ts_argmax": "bars_since_highest",
    "highestbars": "bars_since_highest",
    "ts_arg_min": "bars_since_lowest",
    "ts_argmin": "bars_since_lowest",
    "lowestbars": "bars_since_lowest",
    "ts_decay_linear": "wma",
    "decay_linear": "wma",
    "returns": "roc",
    "percent_change": "roc",
    "signed_power": "sign",
    "signedpower": "sign",
    "group_rank": "rank_across",
    "csrank": "rank_across",
    "bar_index": "bar_of_session",
    "bar_number": "bar_of_session",
    "dmi": "adx",
    "isnan": "nz",
    "dayofmonth": "day_of_month",
    "pivot_high": "swing_high",
    "pivot_low": "swing_low",
    "opening_range": "opening_range_high",
    "minute": "minutes_since_open",
    "highest_high": "highest",
    "lowest_low": "lowest",
}
"""What other languages call a function -> what this one calls it."""

CATALOGUE: dict[str, Function] = {function.name: function for function in functions.ALL}
"""Every function by name, those of extensions last."""


def meant(word: str) -> Function | None:
    """The function that is called so here or in another language, and no merely similar one."""
    lowered = word.lower()
    return CATALOGUE.get(lowered) or CATALOGUE.get(SYNONYMS.get(lowered, ""))


def nearest(word: str, names: list[str]) -> str:
    """The valid name most like a mistaken one, or empty."""
    lowered = word.lower()
    if lowered in names:
        return lowered
    if SYNONYMS.get(lowered) in names:
        return SYNONYMS[lowered]
    if len(lowered) < 3:
        return ""
    import difflib

    close = difflib.get_close_matches(lowered, names, n=1, cutoff=0.6)
    return close[0] if close else ""


def search_catalogue(word: str) -> tuple[Function | Field, ...]:
    """Functions and fields a word may mean, best first: by name, by another language's name, by category, then by what they say."""
    wanted = " ".join(word.lower().replace("_", " ").split())
    if not wanted:
        return (*CATALOGUE.values(), *FIELDS.values())
    synonyms = {SYNONYMS[known] for known in SYNONYMS if known.replace("_", " ").startswith(wanted)}
    ranked: list[tuple[int, Function | Field]] = []
    entries: list[Function | Field] = [*CATALOGUE.values(), *FIELDS.values()]
    for entry in entries:
        name = entry.name.replace("_", " ").replace(".", " ")
        category = entry.category.value if isinstance(entry, Function) else "fields"
        tests = (
            name == wanted,
            name.startswith(wanted),
            entry.name in synonyms,
            wanted in name,
            category.startswith(wanted),
            all(part in entry.meaning.lower() for part in wanted.split()),
        )
        if any(tests):
            ranked.append((tests.index(True), entry))
    ranked.sort(key=lambda pair: pair[0])
    return tuple(entry for _, entry in ranked)


def catalogue_text() -> str:
    """The whole catalogue as plain text, by category: what a prompt or a help page shows."""
    lines = ["Fields (one value per bar, known at its close)"]
    lines += [f"  {field.name}: {field.meaning}" for field in FIELDS.values()]
    for category in Category:
        lines.append(category.value.capitalize())
        lines += [
            f"  {function.signature}: {function.meaning}. Example: {function.example}"
            for function in CATALOGUE.values()
            if function.category is category
        ]
    return "\n".join(lines)
