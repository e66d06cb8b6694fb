"""Null markets from real ones: bars whose returns are dealt out anew in blocks, so that nothing can be foretold from the past.

Whole sessions change places, or, with `block_minutes`, each part of the day by itself. Returns, ranges and volumes stay what
they were, at their time of day and in all tickers at once, so tails, the shape of the day and how the tickers move
together are kept; what one block says about the next is gone.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lab.market.errors import MarketError

_WHOLE_SESSION = 24 * 60


def block_shuffled(frame: pl.DataFrame, seed: int, *, block_sessions: int = 1, block_minutes: int | None = None) -> pl.DataFrame:
    """The bars of `frame` (columns of `BARS_SCHEMA`, sorted by ticker and time; any timeframe) with their returns shuffled.

    Runs of `block_sessions` sessions change places as wholes. With `block_minutes` so many minutes of the day are dealt out
    independently of the other parts of the day: a morning then goes with another day's noon, and rules within a session find
    nothing either, beyond the length of a block. Sessions shorter than the usual one (half days) stay where they are.

    Every ticker ends at the price it ended at; prices stay positive. Tickers with the same sessions are shuffled alike;
    one that has others is shuffled among its own. Columns, order and number of bars are those of `frame`; context must be
    computed anew from the result. Raises `MarketError` for blocks below 1.
    """
    if block_sessions < 1 or (block_minutes is not None and block_minutes < 1):
        raise MarketError("A block to shuffle has at least one session and at least one minute.")
    if frame.is_empty():
        return frame
    before = pl.col("close").shift(1).over("ticker")
    size = block_minutes or _WHOLE_SESSION
    moves = frame.select(
        "ticker",
        "session",
        "minute",
        "volume",
        slot=(pl.col("minute") - pl.col("minute").min()) // size,
        jump=(pl.col("open") / pl.coalesce(before, "open")).log(),
        up=(pl.col("high") / pl.col("open")).log(),
        down=(pl.col("low") / pl.col("open")).log(),
        move=(pl.col("close") / pl.col("open")).log(),
    )
    dealt = moves.join(_places(frame, moves, seed, block_sessions), on=["ticker", "session", "slot"], how="left", maintain_order="left")
    rebuilt = (
        dealt.with_columns(session="target")
        .sort("ticker", "session", "minute", maintain_order=True)
        .with_columns(total=(pl.col("jump") + pl.col("move")).cum_sum().over("ticker"))
    )
    starts = frame.group_by("ticker", maintain_order=True).agg(pl.col("open").first().alias("start"))
    rebuilt = rebuilt.join(starts, on="ticker", how="left", maintain_order="left")
    opening = pl.col("start") * (pl.col("total") - pl.col("move")).exp()
    prices = rebuilt.select(
        "ticker",
        "session",
        "minute",
        "volume",
        open=opening,
        high=opening * pl.col("up").exp(),
        low=opening * pl.col("down").exp(),
        close=pl.col("start") * pl.col("total").exp(),
    ).with_columns(high=pl.max_horizontal("open", "high", "close"), low=pl.min_horizontal("open", "low", "close"))
    return _dated(frame, prices)


def _places(frame: pl.DataFrame, moves: pl.DataFrame, seed: int, block_sessions: int) -> pl.DataFrame:
    """For every ticker, session and slot the session its bars move to, `target`."""
    days = frame.group_by("ticker", "session", maintain_order=True).agg(pl.col("close_minute").first())
    usual = frame["close_minute"].mode().max()
    parts = []
    known: dict[tuple[object, ...], pl.DataFrame] = {}
    slots = np.sort(moves["slot"].unique().to_numpy())
    for (ticker,), own in days.group_by("ticker", maintain_order=True):
        whole = own.filter(pl.col("close_minute") == usual)["session"]
        key = tuple(whole)
        if key not in known:
            known[key] = pl.concat([_permuted(whole, int(slot), seed, block_sessions) for slot in slots])
        rest = own.filter(pl.col("close_minute") != usual).select("session", target="session")
        still = rest.join(pl.DataFrame({"slot": slots}, schema={"slot": moves.schema["slot"]}), how="cross").select(
            "session", "target", "slot"
        )
        part = pl.concat([known[key].with_columns(pl.col("slot").cast(moves.schema["slot"])), still])
        parts.append(part.with_columns(ticker=pl.lit(ticker)))
    return pl.concat(parts)


def _permuted(sessions: pl.Series, slot: int, seed: int, block_sessions: int) -> pl.DataFrame:
    count = sessions.len()
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, slot])))
    blocks = rng.permutation(-(-count // block_sessions))
    order = np.concatenate(
        [np.arange(block * block_sessions, min((block + 1) * block_sessions, count)) for block in blocks] or [np.empty(0, int)]
    )
    return pl.DataFrame({"session": sessions.gather(order), "target": sessions}).with_columns(slot=pl.lit(slot))


def _dated(frame: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """The rebuilt bars with the times of the sessions they are in now."""
    opens = frame.group_by("session").agg(
        pl.col("close_minute").first(),
        midnight=(pl.col("timestamp") - pl.duration(minutes=pl.col("minute"))).first(),
    )
    dated = prices.join(opens, on="session", how="left", maintain_order="left").with_columns(
        timestamp=pl.col("midnight") + pl.duration(minutes=pl.col("minute"))
    )
    return dated.select(pl.col(name).cast(kind) for name, kind in frame.schema.items())
