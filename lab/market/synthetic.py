"""Prices and volumes of the synthetic market: what the demo market is made of, as plain arrays.

Everything random is drawn first, in one fixed order; then the sessions are played one after another, because whether a
planted edge acts depends on prices and levels that earlier sessions made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.bars import VALUES
from lab.market.levels import MIN_TOUCHES, RANGE_SESSIONS, SIDE, cluster, level_rule, nearest, swings
from lab.market.noise import SESSION_MINUTES, Floats, autoregressive, fat_tailed, volatility_shape, volume_shape, volumes
from lab.market.regime import market_regime

Flags = NDArray[np.bool_]

RSI_BARS = 14
LOUD_BARS = 20
QUIET_END = 45
"""No edge starts in the last minutes of a session, so that each has the time to show."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """When the planted edges act and how hard they push, in basis points of the price, spread over so many bars."""

    bounce_bps: float = 26.0
    """In a market that is flat or rising."""
    break_bps: float = -18.0
    """The same dip in a falling market."""
    bounce_bars: int = 30
    bounce_volume: float = 2.5
    """Volume of the bar against the mean of the last 20 bars, itself included."""
    bounce_touch: float = 0.001
    """How far above the session VWAP the bar's low may be, as a share."""
    gap_up: float = 0.02
    gap_volume: float = 2.0
    """Volume of the first five bars against what is usual at that hour."""
    gap_strong_bps: float = 110.0
    gap_weak_bps: float = -80.0
    gap_bars: int = 55
    level_bps: float = 22.0
    """Up from a support; as much down from a resistance."""
    level_bars: int = 30
    level_rsi: float = 24.0
    """RSI below this at a support, above 100 minus this at a resistance."""
    level_near: float = 0.002
    """How far from the level the close may be, as a share."""


@dataclass(frozen=True, slots=True)
class Path:
    """Prices and volumes by ticker and bar, prices rounded to cents and volumes to shares."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class DailyPath:
    """Daily prices of the market or the VIX, by session."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(slots=True)
class EdgeCounts:
    """How often each planted edge acted."""

    bounces: int = 0
    breaks: int = 0
    strong_gaps: int = 0
    weak_gaps: int = 0
    supports: int = 0
    resistances: int = 0


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """One simulated market: `stocks` by ticker and bar, `market` as its single row, and what is known day by day."""

    stocks: Path
    market: Path
    market_history: DailyPath
    """Daily bars of the sessions before the first minute bar."""
    vix: DailyPath
    """Daily, history first, then the simulated sessions."""
    counts: EdgeCounts


@dataclass(frozen=True, slots=True)
class Stock:
    """What sets one synthetic stock apart from the next."""

    ticker: str
    price: float
    beta: float
    daily_volatility: float
    """Standard deviation of its own return within a session, without the market's part."""
    daily_shares: float


@dataclass(slots=True)
class _State:
    """What one session hands to the next."""

    close: Floats
    gain: Floats
    loss: Floats
    volumes: Floats
    """The last bars' volumes, for the mean that reaches back over the open."""
    block_high: list[Floats] = field(default_factory=list)
    block_low: list[Floats] = field(default_factory=list)
    block_session: list[int] = field(default_factory=list)
    ranges: list[Floats] = field(default_factory=list)


def simulate(stocks: list[Stock], session_minutes: list[int], history: int, seed: int, edges: EdgeSettings) -> SyntheticMarket:
    """Play the market: `history` daily sessions of the market alone, then sessions of so many minutes for every stock.

    The same arguments give the same market to the last bit.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    sessions, count = len(session_minutes), len(stocks)
    own_volatility = np.array([stock.daily_volatility for stock in stocks])
    beta = np.array([stock.beta for stock in stocks])

    # The market: a volatility that comes in spells, a daily path, and its minutes.
    spell = autoregressive(rng.standard_normal((1, history + sessions)), 0.95, 0.35)[0]
    daily_sigma = 0.0075 * np.exp(spell)
    night = 0.0045 * np.exp(spell) * fat_tailed(rng, (history + sessions,))
    past_day = daily_sigma[:history] * fat_tailed(rng, (history,))
    past_range = np.abs(rng.standard_normal((2, history))) * 0.4 * daily_sigma[:history]
    vix_noise = rng.standard_normal(history + sessions)
    minute_sigma = daily_sigma[history:, None] * volatility_shape() / np.sqrt(SESSION_MINUTES)
    market_minutes = minute_sigma * fat_tailed(rng, (sessions, SESSION_MINUTES))
    market_wicks = np.abs(rng.standard_normal((2, sessions, SESSION_MINUTES))) * 0.35 * minute_sigma
    market_volume = volumes(rng, np.array([60e6]), 1, sessions)

    # The stocks: their own spells, gaps, news and volumes.
    own_spell = autoregressive(rng.standard_normal((count, sessions)), 0.9, 0.25)
    hourly = autoregressive(rng.standard_normal((count, sessions * 13)), 0.8, 0.2).reshape(count, sessions, 13)
    sigma = own_volatility[:, None, None] * np.exp(own_spell)[:, :, None] * volatility_shape() / np.sqrt(SESSION_MINUTES)
    sigma *= np.exp(np.repeat(hourly, 30, axis=2))
    minutes = sigma * fat_tailed(rng, (count, sessions, SESSION_MINUTES))
    wicks = np.abs(rng.standard_normal((2, count, sessions, SESSION_MINUTES))) * (0.35 * sigma)
    gaps = 0.45 * own_volatility[:, None] * fat_tailed(rng, (count, sessions))
    news = rng.random((count, sessions)) < 0.17
    news_size = rng.choice([-1.0, 1.0], (count, sessions)) * (0.02 + 0.03 * rng.gamma(1.5, 0.5, (count, sessions)))
    crowded = news & (rng.random((count, sessions)) < 0.5)
    gaps = np.where(news, news_size, gaps) + beta[:, None] * night[history:]
    volume = volumes(rng, np.array([stock.daily_shares for stock in stocks]), count, sessions)
    rush = 1 + 2.6 * np.exp(-np.arange(SESSION_MINUTES) / 45)
    volume *= np.where(crowded[:, :, None], rush, 1.0)
    # Busy minutes are those in which the price moves.
    volume *= 0.65 + 0.35 * np.abs(minutes) / sigma

    past_close = 480.0 * np.exp(np.cumsum(night[:history] + past_day))
    past = _past(past_close, night[:history], past_range)
    market = _market_path(past_close[-1], night[history:], market_minutes, market_wicks, market_volume, session_minutes)
    day_close = _session_closes(market.close[0], session_minutes)
    closes = np.concatenate([past.close, day_close])
    trend = _trend_before(closes)[history:]
    vix = _vix(closes, daily_sigma, vix_noise)

    state = _State(
        close=np.array([stock.price for stock in stocks]),
        gain=np.full(count, 1.0),
        loss=np.full(count, 1.0),
        volumes=np.tile(np.array([stock.daily_shares for stock in stocks])[:, None] / SESSION_MINUTES, LOUD_BARS),
    )
    counts = EdgeCounts()
    usual = np.array([stock.daily_shares for stock in stocks])[:, None] * volume_shape()
    played = []
    for number, length in enumerate(session_minutes):
        returns = minutes[:, number, :length] + beta[:, None] * market_minutes[number, :length]
        session = _Session(
            returns=returns,
            gap=gaps[:, number],
            wick_up=wicks[0, :, number, :length],
            wick_down=wicks[1, :, number, :length],
            volume=np.round(volume[:, number, :length]) + 100,
            usual=usual[:, :length],
            trend=int(trend[number]),
            number=number,
        )
        played.append(_play(session, state, edges, counts))
    return SyntheticMarket(_joined(played), market, past, vix, counts)


@dataclass(frozen=True, slots=True)
class _Session:
    """What is drawn for one session of all stocks, before any edge acts."""

    returns: Floats
    gap: Floats
    wick_up: Floats
    wick_down: Floats
    volume: Floats
    usual: Floats
    trend: int
    number: int


def _play(session: _Session, state: _State, edges: EdgeSettings, counts: EdgeCounts) -> Path:
    """One session: the drawn returns plus what the edges push, found bar by bar as a script would find them."""
    count, length = session.returns.shape
    path = np.log(state.close)[:, None] + session.gap[:, None] + np.cumsum(session.returns, axis=1)
    start = np.log(state.close) + session.gap
    free_from = np.full(count, LOUD_BARS)

    opening = np.exp(start) / state.close - 1
    strong = session.volume[:, :5].sum(axis=1) >= edges.gap_volume * session.usual[:, :5].sum(axis=1)
    gapped = opening > edges.gap_up
    push = np.where(strong, edges.gap_strong_bps, edges.gap_weak_bps) * gapped
    path[:, 5:] += (push / 1e4)[:, None] * _push(edges.gap_bars, length - 5)
    free_from[gapped] = 5 + edges.gap_bars
    counts.strong_gaps += int((gapped & strong).sum())
    counts.weak_gaps += int((gapped & ~strong).sum())

    with_past = np.concatenate([state.volumes, session.volume], axis=1)
    total = np.cumsum(with_past, axis=1)
    recent = (total[:, LOUD_BARS:] - total[:, :-LOUD_BARS]) / LOUD_BARS
    loud = session.volume >= edges.bounce_volume * recent
    levels = _levels(state, session.number)
    index = np.arange(length)
    row = np.repeat(np.arange(count), length)
    while True:
        prices = _prices(path, start, session)
        typical = (prices.high + prices.low + prices.close) / 3
        vwap = np.cumsum(typical * session.volume, axis=1) / np.cumsum(session.volume, axis=1)
        dip = loud & (prices.low <= vwap * (1 + edges.bounce_touch)) & (prices.close > vwap)
        below, above = (level.reshape(count, length) for level in nearest(levels, row, prices.close.ravel()))
        gain, loss = _wilder(prices.close, state)
        rsi = gain / np.maximum(gain + loss, 1e-12) * 100
        support = (prices.close / below - 1 <= edges.level_near) & (rsi < edges.level_rsi)
        resistance = (above / prices.close - 1 <= edges.level_near) & (rsi > 100 - edges.level_rsi)
        allowed = (index >= free_from[:, None]) & (index < length - QUIET_END)
        event = (dip | support | resistance) & allowed
        if not event.any():
            break
        for ticker in np.flatnonzero(event.any(axis=1)):
            bar = int(event[ticker].argmax())
            if support[ticker, bar]:
                counts.supports += 1
                size, bars = edges.level_bps, edges.level_bars
            elif resistance[ticker, bar]:
                counts.resistances += 1
                size, bars = -edges.level_bps, edges.level_bars
            elif session.trend >= 0:
                counts.bounces += 1
                size, bars = edges.bounce_bps, edges.bounce_bars
            else:
                counts.breaks += 1
                size, bars = edges.break_bps, edges.bounce_bars
            path[ticker, bar + 1 :] += size / 1e4 * _push(bars, length - bar - 1)
            free_from[ticker] = bar + bars

    state.gain, state.loss = gain[:, -1], loss[:, -1]
    state.close = prices.close[:, -1]
    state.volumes = with_past[:, -LOUD_BARS:]
    _remember(state, prices, session.number)
    return prices


def _prices(path: Floats, start: Floats, session: _Session) -> Path:
    close = np.asarray(np.round(np.exp(path), 2), dtype=np.float64)
    first = np.round(np.exp(start), 2)[:, None]
    opens = np.concatenate([first, close[:, :-1]], axis=1)
    high = np.round(np.maximum(opens, close) * (1 + session.wick_up), 2)
    low = np.round(np.minimum(opens, close) * (1 - session.wick_down), 2)
    return Path(opens, high, low, close, session.volume)


def _push(bars: int, length: int) -> Floats:
    """The cumulated share of a push after each bar: most of it early, all of it after `bars`."""
    weights = np.zeros(max(length, bars))
    weights[:bars] = np.arange(bars, 0, -1)
    return np.asarray(np.cumsum(weights / weights.sum())[:length])


def _wilder(close: Floats, state: _State) -> tuple[Floats, Floats]:
    """Wilder's running means of gains and losses, going on from the session before (the two halves of the RSI)."""
    change = np.diff(np.concatenate([state.close[:, None], close], axis=1), axis=1)
    decay = 1 - 1 / RSI_BARS
    power = decay ** np.arange(1, change.shape[1] + 1)
    up = np.cumsum(np.maximum(change, 0) / power, axis=1) / RSI_BARS
    down = np.cumsum(np.maximum(-change, 0) / power, axis=1) / RSI_BARS
    return power * (state.gain[:, None] + up), power * (state.loss[:, None] + down)


def _remember(state: _State, prices: Path, number: int) -> None:
    block = level_rule("1m").block_minutes
    length = prices.close.shape[1]
    for begin in range(0, length, block):
        state.block_high.append(prices.high[:, begin : begin + block].max(axis=1))
        state.block_low.append(prices.low[:, begin : begin + block].min(axis=1))
        state.block_session.append(number)
    state.ranges.append((prices.high.max(axis=1) - prices.low.min(axis=1)) / prices.close[:, -1])


def _levels(state: _State, number: int) -> Floats:
    """The levels each stock's traders see in this session: the same as `levels.support` has them."""
    rule = level_rule("1m")
    count = state.close.size
    oldest = number - rule.sessions
    # Blocks before the first remembered swing's neighbours can't matter.
    begin = max(int(np.searchsorted(state.block_session, oldest)) - 2 * SIDE, 0)
    if len(state.block_session) - begin < 2 * SIDE + MIN_TOUCHES:
        return np.full((count, 1), np.nan)
    high = np.stack(state.block_high[begin:], axis=1)
    low = np.stack(state.block_low[begin:], axis=1)
    sessions = np.array(state.block_session[begin:])
    tops, bottoms = swings(high, low)
    recent = np.zeros(sessions.size, dtype=bool)
    recent[:-SIDE] = sessions[SIDE:] >= oldest
    prices = np.concatenate([np.where(tops & recent, high, np.inf), np.where(bottoms & recent, low, np.inf)], axis=1)
    prices = np.sort(prices, axis=1)[:, : int(np.isfinite(prices).sum(axis=1).max())]
    tolerance = rule.tolerance * np.mean(state.ranges[-RANGE_SESSIONS:], axis=0)
    return cluster(prices, tolerance)


def _market_path(close: float, night: Floats, minutes: Floats, wicks: Floats, volume: Floats, lengths: list[int]) -> Path:
    played, last = [], np.array([close])
    for number, length in enumerate(lengths):
        session = _Session(
            returns=minutes[number : number + 1, :length],
            gap=night[number : number + 1],
            wick_up=wicks[0, number : number + 1, :length],
            wick_down=wicks[1, number : number + 1, :length],
            volume=np.round(volume[:, number, :length]) + 100,
            usual=volume[:, number, :length],
            trend=0,
            number=number,
        )
        start = np.log(last) + session.gap
        prices = _prices(start[:, None] + np.cumsum(session.returns, axis=1), start, session)
        played.append(prices)
        last = prices.close[:, -1]
    return _joined(played)


def _joined(sessions: list[Path]) -> Path:
    return Path(*(np.concatenate([getattr(one, name) for one in sessions], axis=1) for name in VALUES))


def _past(close: Floats, night: Floats, spread: Floats) -> DailyPath:
    close = np.round(close, 2)
    before = np.concatenate([close[:1], close[:-1]])
    opens = np.round(before * np.exp(night), 2)
    high = np.round(np.maximum(opens, close) * (1 + spread[0]), 2)
    low = np.round(np.minimum(opens, close) * (1 - spread[1]), 2)
    return DailyPath(opens, high, low, close, np.full(close.shape, 60e6))


def _vix(closes: Floats, daily_sigma: Floats, noise: Floats) -> DailyPath:
    """Implied volatility follows what the market does: up with its volatility and its falls."""
    returns = np.diff(np.log(closes), prepend=np.log(closes[0]))
    shock = autoregressive((-6 * returns)[None, :], 0.85, 1.0)[0] + 0.03 * noise
    close = np.round(1.35 * 100 * np.sqrt(252) * daily_sigma * np.exp(shock), 2)
    opens = np.concatenate([close[:1], close[:-1]])
    high = np.round(np.maximum(opens, close) * 1.02, 2)
    low = np.round(np.minimum(opens, close) * 0.98, 2)
    return DailyPath(opens, high, low, close, np.zeros(close.shape))


def _trend_before(closes: Floats) -> NDArray[np.int64]:
    """`market.trend` as it is known in each session."""
    regime = market_regime(pl.DataFrame({"session": np.arange(closes.size), "close": closes}))
    return np.asarray(regime["market.trend"].shift(1).fill_null(0).to_numpy().astype(np.int64))


def _session_closes(close: Floats, lengths: list[int]) -> Floats:
    return np.asarray(close[np.cumsum(lengths) - 1])
