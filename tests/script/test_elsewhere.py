"""Other timeframes, other tickers, and ranks among all: only what had been over, or was there at the same moment."""

from __future__ import annotations

import random

import polars as pl
import pytest

from lab.errors import LabError
from lab.script import check, compile_strategy, truncation_check
from tests.script.bars import EXECUTION, column, make_bars, strategy_of


def _longer(frame: pl.DataFrame, minutes: int | None) -> tuple[list[tuple[object, int]], dict[tuple[object, int], list[dict[str, float]]]]:
    """For each bar the longer bar it is in, and the bars of each longer bar."""
    keys: list[tuple[object, int]] = []
    bars: dict[tuple[object, int], list[dict[str, float]]] = {}
    for row in frame.iter_rows(named=True):
        if minutes is None:
            year, week, _ = row["session"].isocalendar()
            key: tuple[object, int] = (year, week)
        else:
            key = (row["session"], (row["minute"] - 570) // minutes)
        keys.append(key)
        bars.setdefault(key, []).append(row)
    return keys, bars


@pytest.mark.parametrize(("timeframe", "minutes"), [("15m", 15), ("30m", 30), ("1h", 60), ("1d", 390), ("1w", None)])
def test_a_longer_bar_is_read_only_once_the_next_has_begun(timeframe: str, minutes: int | None) -> None:
    frame = make_bars(5, tickers=1, sessions=17, per_session=30)
    keys, bars = _longer(frame, minutes)
    order = list(bars)
    values = {
        "open": lambda part: part[0]["open"],
        "high": lambda part: max(bar["high"] for bar in part),
        "low": lambda part: min(bar["low"] for bar in part),
        "close": lambda part: part[-1]["close"],
        "volume": lambda part: sum(bar["volume"] for bar in part),
        "levels.support": lambda part: part[-1]["levels.support"],
    }
    for name, of_bars in values.items():
        by_key = {key: of_bars(part) for key, part in bars.items()}
        before = {key: by_key[order[place - 1]] if place else None for place, key in enumerate(order)}
        assert column(frame, f'x = on("{timeframe}", {name})') == [before[key] for key in keys]
    means = {
        key: sum(bars[part][-1]["close"] for part in order[place - 2 : place]) / 2 if place > 1 else None for place, key in enumerate(order)
    }
    for found, key in zip(column(frame, f'x = on("{timeframe}", sma(close, 2))'), keys, strict=True):
        assert found == pytest.approx(means[key]) if found is not None else means[key] is None


def test_the_days_own_extremes_are_not_read_before_the_day_is_over() -> None:
    frame = make_bars(5, tickers=2, sessions=4)
    last = frame["session"].max()
    shocked = frame.with_columns(
        high=pl.when((pl.col("session") == last) & (pl.col("minute") >= 630)).then(pl.col("high") * 2).otherwise(pl.col("high"))
    )
    for timeframe in ("1d", "1w"):
        assert column(shocked, f'x = on("{timeframe}", high)') == column(frame, f'x = on("{timeframe}", high)')
    hourly = strategy_of('x = on("1h", high)')
    untouched = (pl.col("minute") < 690) | (pl.col("session") < last)
    assert hourly.evaluate(shocked).filter(untouched)["scan.x"].equals(hourly.evaluate(frame).filter(untouched)["scan.x"])


def test_a_history_that_begins_within_a_longer_bar_does_not_take_it_for_whole() -> None:
    frame = make_bars(5, tickers=1, sessions=4, per_session=40).filter(pl.int_range(pl.len()) >= 5)
    highs = column(frame, 'x = on("1d", high)')
    first = frame.group_by("session", maintain_order=True).len()["len"].to_list()
    assert set(highs[: first[0] + first[1]]) == {None}
    assert None not in highs[first[0] + first[1] :]
    assert set(column(frame, "x = prev_week_high()")) == {None}


def test_conditions_and_formulas_work_on_longer_bars() -> None:
    frame = make_bars(5, tickers=2, sessions=6)
    assert column(frame, 'x = on("1h", close > open)') == column(frame, 'x = on("1h", close) > on("1h", open)')
    assert column(frame, "def up(n): return close > ago(close, n)", 'x = on("15m", up(1))') == column(
        frame, 'x = on("15m", close) > on("15m", ago(close, 1))'
    )
    assert column(frame, 'x = on("1d", atr(2)) + atr(2)') == column(frame, "y = atr(2)", 'x = on("1d", atr(2)) + y')
    assert column(frame, "x = prev_week_high()") == column(frame, 'x = on("1w", high)')


def test_another_ticker_is_read_at_its_bar_of_the_same_moment_or_the_last_before() -> None:
    frame = make_bars(6, tickers=3, sessions=2, damaged=True)
    chance = random.Random(1)
    frame = frame.filter(pl.Series([ticker != "T01" or chance.random() > 0.3 for ticker in frame["ticker"]]))
    other = frame.filter(pl.col("ticker") == "T01").select("timestamp", "close").rows()
    strategy = strategy_of('x = of("T01", close)', 'y = of("T01", sma(close, 2))', 'z = of("T01", close > open)')
    evaluated = strategy.evaluate(frame)
    expected = []
    for moment in frame["timestamp"]:
        before = [close for at, close in other if at <= moment]
        value = before[-1] if before else None
        expected.append(value if value is not None and abs(value) < 1e15 else None)
    assert evaluated["scan.x"].to_list() == expected
    assert evaluated["scan.z"].null_count() == 0
    assert strategy.required_tickers == ("T01",)
    assert strategy.across_tickers
    assert not strategy_of("x = close").across_tickers


def test_a_ticker_the_bars_do_not_hold_is_named() -> None:
    strategy = strategy_of('x = of("SPY", of("QQQ", close))')
    assert strategy.required_tickers == ("QQQ", "SPY")
    with pytest.raises(LabError, match=r"^The strategy reads QQQ, SPY by `of`, and the bars hold none of it\."):
        strategy.evaluate(make_bars())
    assert strategy.evaluate(make_bars().clear()).columns == [*make_bars().columns, *strategy.evaluate(make_bars().clear()).columns[-4:]]


def test_ranks_are_among_the_bars_of_the_same_moment() -> None:
    frame = make_bars(8, tickers=5, sessions=2, damaged=True)
    evaluated = strategy_of(
        "r = rank_across(volume)", "p = place_across(volume)", "b = breadth(close > open)", "a = percent_above(close, 100)"
    ).evaluate(frame)
    for moment in evaluated.partition_by("timestamp"):
        values = {row["ticker"]: row["volume"] for row in moment.iter_rows(named=True) if row["volume"] is not None}
        for row in moment.iter_rows(named=True):
            now = row["volume"]
            if now is None or len(values) < 2:
                assert row["scan.r"] is None
                continue
            below = sum(value < now for value in values.values()) + 0.5 * (sum(value == now for value in values.values()) - 1)
            assert row["scan.r"] == pytest.approx(100 * below / (len(values) - 1))
            assert row["scan.p"] == 1 + sum(value > now for value in values.values())
        usable = moment.filter(pl.col("close").is_finite())
        known = usable.filter(pl.col("open").is_not_null())
        share = 100 * (known["close"] > known["open"]).sum() / len(known) if len(known) else None
        assert moment["scan.b"][0] == (pytest.approx(share) if share is not None else None)
        above = 100 * (usable["close"] > 100).sum() / len(usable) if len(usable) else None
        assert moment["scan.a"][0] == (pytest.approx(above) if above is not None else None)


def test_what_looks_across_may_stand_in_anything_and_anything_in_it() -> None:
    frame = make_bars(2, tickers=4, sessions=4)
    lines = (
        "strong = rank_across(roc(close, 3)) > 60",
        "was_strong = was(strong, 3)",
        'relative = roc(close, 3) - of("T00", roc(close, 3))',
        "leader = place_across(sma(relative, 2)) <= 2",
        'calm = of("T00", breadth(close > on("1d", close))) > 20',
        'tied = correlation(roc(close, 1), of("T00", roc(close, 1)), 10)',
        "long = strong and leader or calm or was_strong",
    )
    strategy = strategy_of(*lines)
    evaluated = strategy.evaluate(frame)
    own = evaluated.filter(pl.col("ticker") == "T00")["scan.tied"].drop_nulls()
    assert own.to_list() == pytest.approx([1.0] * len(own))
    cuts = [0, 1, 2, 3, 10, 31, 33, 60, frame["timestamp"][40], frame["timestamp"][100]]
    assert truncation_check(strategy, frame, cuts) == ()
    assert evaluated.select(frame.columns).equals(frame)


def test_wrong_uses_are_refused_with_the_way_out() -> None:
    refused = {
        'on("1d", on("1w", close))': "`on` can't stand inside on. Write each timeframe from this ticker's bars.",
        'on("1d", of("SPY", close))': '`of` can\'t stand inside on. Put on inside of. Example: of("SPY", on("1d", close))',
        'on("1d", percent_above(close, open))': "`breadth` can't stand inside on. Put on inside breadth.",
        'on("4h", close)': '`timeframe` of on can\'t be "4h". It may be 5m, 15m, 30m, 1h, 1d, 1w.',
        'of("spy", close)': '`ticker` of of can\'t be "spy". Did you mean "SPY"?',
        'of("SPY", 5)': "`x` of of must be a number per bar or a condition, not a fixed number.",
    }
    for expression, words in refused.items():
        errors = check(f"long = {expression} > 0", EXECUTION)
        assert len(errors) == 1
        assert words in str(errors[0]), str(errors[0])


def test_a_hash_tells_timeframes_and_tickers_apart() -> None:
    texts = ("close", 'on("1d", close)', 'on("1w", close)', 'of("SPY", close)', 'of("QQQ", close)')
    assert len({compile_strategy(f"long = open > {text}", EXECUTION).script_hash for text in texts}) == len(texts)
