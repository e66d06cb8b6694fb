"""The demo market played session by session: drawn returns, plus what the planted edges push, found bar by bar as a script would.

Sessions come one after another because whether an edge acts depends on prices and levels that earlier sessions made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.bars import VALUES
from lab.market.demo.draws import Halt, MarketDraws, StockDraws, draw_market, draw_sector, draw_stock
from lab.market.demo.edges import LOUD_BARS, QUIET_END, EdgeSettings
from lab.market.demo.noise import SESSION_MINUTES, Floats, autoregressive
from lab.market.demo.stocks import DEMO_STOCKS, SPLIT_RATIO, SPLIT_TICKER, Stock
from lab.market.levels import MIN_TOUCHES, RANGE_SESSIONS, SIDE, cluster, level_rule, nearest, swings
from lab.market.regime import market_regime

Flags = NDArray[np.bool_]

RSI_BARS = 14
SPLIT_SHARE = 0.4
"""How far into the played sessions the split comes."""
SPLIT_SESSIONS = 20
"""A market of fewer sessions has no split."""
MARKET_PRICE = 480.0
MARKET_SHARES = 60e6


@dataclass(frozen=True, slots=True)
class Path:
    """Prices and volumes by ticker and bar (or, of one ticker, by bar), prices rounded to cents and volumes to shares."""

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
    lukewarm: int = 0
    knives: int = 0


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """One simulated market."""

    stocks: Path
    """By ticker and minute."""
    traded: Flags
    """By ticker and minute: False where the stock was halted, which leaves no bar."""
    market: Path
    """By minute."""
    stocks_daily: tuple[Path, ...]
    """By ticker: daily bars, history first."""
    market_daily: Path
    vix: Path
    """Daily, as the market's."""
    counts: EdgeCounts
    draws: tuple[StockDraws, ...]
    split_session: int | None
    """Number of the first session after the split, None where there is none."""


@dataclass(slots=True)
class _State:
    """What one session hands to the next."""

    close: Floats
    gain: Floats
    loss: Floats
    volumes: Floats
    """The last bars' volumes, for the mean that reaches back over the open."""
    pushed: float = 0.0
    """What the edges pushed so far in all sessions, as the mean over the stocks, in log price."""
    block_high: list[Floats] = field(default_factory=list)
    block_low: list[Floats] = field(default_factory=list)
    block_session: list[int] = field(default_factory=list)
    ranges: list[Floats] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Session:
    """What is drawn for one session of all stocks, before any edge acts."""

    returns: Floats
    gap: Floats
    wick_up: Floats
    wick_down: Floats
    volume: Floats
    usual: Floats
    traded: Flags
    parts: Floats
    """Into how many of today's shares each stock's share of that day was split later: its cents are that much finer."""
    trend: int
    number: int


def simulate(stocks: Sequence[Stock], session_minutes: Sequence[int], history: int, seed: int, edges: EdgeSettings) -> SyntheticMarket:
    """Play the market: `history` daily sessions, then sessions of so many minutes for every stock.

    The same arguments give the same market to the last bit, and a stock is the same whatever stocks are beside it.
    """
    lengths = list(session_minutes)
    market = draw_market(seed, lengths, history, edges.trend_bps)
    sectors = {sector: draw_sector(seed, sector, market, lengths) for sector in dict.fromkeys(stock.sector for stock in stocks)}
    draws = tuple(draw_stock(seed, DEMO_STOCKS.index(stock), stock, market, sectors[stock.sector], lengths) for stock in stocks)

    past_close = MARKET_PRICE * np.exp(np.cumsum(market.night[:history] + market.past_day))
    past = _past(past_close, market.night[:history], market.past_range, np.full(history, MARKET_SHARES), 1.0)
    spy = _market_path(float(past_close[-1]) if history else MARKET_PRICE, market, history, lengths)
    spy_daily = _joined([past, daily_path(spy, lengths)])
    trend = _trend_before(spy_daily.close)[history:]

    count, sessions = len(stocks), len(lengths)
    split_session = _split_session(stocks, sessions)
    splitting = np.array([stock.ticker == SPLIT_TICKER and split_session is not None for stock in stocks])
    traded = _traded([one.halts for one in draws], lengths)
    shares = np.array([stock.daily_shares for stock in stocks])
    state = _State(
        close=np.array([stock.price for stock in stocks]),
        gain=np.full(count, 1.0),
        loss=np.full(count, 1.0),
        volumes=np.tile(shares[:, None] / SESSION_MINUTES, LOUD_BARS),
    )
    counts = EdgeCounts()
    played = []
    for number, length in enumerate(lengths):
        open_for_trade = traded[:, number, :length]
        session = _Session(
            returns=np.stack([one.returns[number, :length] for one in draws]),
            gap=np.array([one.gap[number] for one in draws]),
            wick_up=np.stack([one.wick_up[number, :length] for one in draws]),
            wick_down=np.stack([one.wick_down[number, :length] for one in draws]),
            volume=np.where(open_for_trade, np.round(np.stack([one.volume[number, :length] for one in draws])) + 100, 0.0),
            usual=np.stack([one.usual[number, :length] for one in draws]),
            traded=open_for_trade,
            parts=np.where(splitting & (number < (split_session or 0)), float(SPLIT_RATIO), 1.0),
            trend=int(trend[number]),
            number=number,
        )
        played.append(_play(session, state, edges, counts))
    path = _joined(played)
    flat = np.concatenate([traded[:, number, :length] for number, length in enumerate(lengths)], axis=1)
    return SyntheticMarket(
        stocks=path,
        traded=flat,
        market=spy,
        stocks_daily=tuple(
            _stock_daily(stock, draws[row], Path(*(getattr(path, name)[row] for name in VALUES)), flat[row], lengths, splitting[row])
            for row, stock in enumerate(stocks)
        ),
        market_daily=spy_daily,
        vix=_vix(spy_daily.close, market.daily_sigma, market.vix_noise),
        counts=counts,
        draws=draws,
        split_session=split_session,
    )


def _play(session: _Session, state: _State, edges: EdgeSettings, counts: EdgeCounts) -> Path:
    """One session: prices are worked out, the first edge that acts in each stock pushes what follows, and again until none does."""
    path = np.log(state.close)[:, None] + session.gap[:, None] + np.cumsum(session.returns, axis=1)
    start = np.log(state.close) + session.gap
    if edges.silent:
        prices = _prices(path, start, session, slice(None))
        state.close = prices.close[:, -1]
        return prices
    count, length = path.shape
    # What they push on average is taken off evenly: by what is known from the sessions before.
    path -= state.pushed / (session.number + 10) * np.arange(1, length + 1) / length
    before = path[:, -1].copy()
    free_from = np.full((2, count), LOUD_BARS)
    _push_gaps(path, start, session, state, edges, counts, free_from)

    with_past = np.concatenate([state.volumes, session.volume], axis=1)
    total = np.cumsum(with_past, axis=1)
    burst = session.volume * LOUD_BARS / np.maximum(total[:, LOUD_BARS:] - total[:, :-LOUD_BARS], 1.0)
    so_far = np.maximum(np.cumsum(session.volume, axis=1), 1.0)
    levels = _levels(state, session.number)
    blank = np.empty((4, count, length))
    prices = Path(blank[0], blank[1], blank[2], blank[3], session.volume)
    gain, loss = np.empty((count, length)), np.empty((count, length))
    index = np.arange(length)
    rows = np.arange(count)
    while rows.size:
        now = _prices(path[rows], start[rows], session, rows)
        for name in VALUES[:4]:
            getattr(prices, name)[rows] = getattr(now, name)
        gain[rows], loss[rows] = _wilder(now.close, state, rows)
        typical = (now.high + now.low + now.close) / 3
        vwap = np.cumsum(typical * session.volume[rows], axis=1) / so_far[rows]
        dip = (now.low <= vwap * (1 + edges.bounce_touch)) & (now.close > vwap)
        loud = burst[rows] >= edges.bounce_volume
        lukewarm = ~loud & (burst[rows] >= edges.lukewarm_volume)
        rsi = gain[rows] / np.maximum(gain[rows] + loss[rows], 1e-12) * 100
        owner = np.repeat(np.arange(rows.size), length)
        below, above = (level.reshape(rows.size, length) for level in nearest(levels[rows], owner, now.close.ravel()))
        from_below, from_above = now.close / below - 1, above / now.close - 1
        support = (from_below <= edges.level_near) & (rsi < edges.level_rsi)
        resistance = (from_above <= edges.level_near) & (rsi > 100 - edges.level_rsi)
        falling = (from_below <= edges.knife_far) & (rsi < edges.knife_rsi)
        rising = (from_above <= edges.knife_far) & (rsi > 100 - edges.knife_rsi)
        open_for = (index < length - QUIET_END) & session.traded[rows]
        kept = (dip & loud | support | resistance) & open_for & (index >= free_from[0, rows, None])
        broken = (dip & lukewarm | falling | rising) & open_for & (index >= free_from[1, rows, None])
        event = kept | broken
        rows_with = np.flatnonzero(event.any(axis=1))
        for place in rows_with:
            row, bar = int(rows[place]), int(event[place].argmax())
            bars = edges.level_bars
            if not kept[place, bar]:
                if falling[place, bar] or rising[place, bar]:
                    counts.knives += 1
                    size = edges.knife_bps if falling[place, bar] else -edges.knife_bps
                else:
                    counts.lukewarm += 1
                    size, bars = edges.lukewarm_bps, edges.bounce_bars
            elif support[place, bar]:
                counts.supports += 1
                size = edges.level_bps
            elif resistance[place, bar]:
                counts.resistances += 1
                size = -edges.level_bps
            elif session.trend >= 0:
                counts.bounces += 1
                size, bars = edges.bounce_bps, edges.bounce_bars
            else:
                counts.breaks += 1
                size, bars = edges.break_bps, edges.bounce_bars
            path[row, bar + 1 :] += size / 1e4 * _push(bars, length - bar - 1)
            free_from[:, row] = np.where(kept[place, bar], bar + bars, np.maximum(free_from[:, row], [bar + 1, bar + bars]))
        rows = rows[rows_with]

    state.pushed += float((path[:, -1] - before).mean())
    state.gain, state.loss = gain[:, -1], loss[:, -1]
    state.close = prices.close[:, -1]
    state.volumes = with_past[:, -LOUD_BARS:]
    _remember(state, prices, session)
    return prices


def _push_gaps(
    path: Floats, start: Floats, session: _Session, state: _State, edges: EdgeSettings, counts: EdgeCounts, free_from: NDArray[np.int64]
) -> None:
    strong = session.volume[:, :5].sum(axis=1) >= edges.gap_volume * session.usual[:, :5].sum(axis=1)
    gapped = np.exp(start) / state.close - 1 > edges.gap_up
    push = np.where(strong, edges.gap_strong_bps, edges.gap_weak_bps) * gapped
    path[:, 5:] += (push / 1e4)[:, None] * _push(edges.gap_bars, path.shape[1] - 5)
    free_from[:, gapped] = 5 + edges.gap_bars
    counts.strong_gaps += int((gapped & strong).sum())
    counts.weak_gaps += int((gapped & ~strong).sum())


def _prices(path: Floats, start: Floats, session: _Session, rows: NDArray[np.int64] | slice) -> Path:
    parts = session.parts[rows]
    close = _to_cents(np.exp(path), parts)
    opens = np.empty_like(close)
    opens[:, 1:] = close[:, :-1]
    opens[:, 0] = _to_cents(np.exp(start)[:, None], parts)[:, 0]
    high = _to_cents(np.maximum(opens, close) * (1 + session.wick_up[rows]), parts)
    low = _to_cents(np.minimum(opens, close) * (1 - session.wick_down[rows]), parts)
    return Path(opens, high, low, close, session.volume[rows])


def _to_cents(prices: Floats, parts: Floats) -> Floats:
    """To the cents of the shares of that day, and never to nothing."""
    if (parts == 1.0).all():
        return np.asarray(np.maximum(np.round(prices, 2), 0.01))
    return np.asarray(np.maximum(np.round(prices * parts[:, None], 2), 0.01) / parts[:, None])


def _push(bars: int, length: int) -> Floats:
    """The cumulated share of a push after each bar: most of it early, all of it after `bars`."""
    weights = np.zeros(max(length, bars))
    weights[:bars] = np.arange(bars, 0, -1)
    return np.asarray(np.cumsum(weights / weights.sum())[:length])


def _wilder(close: Floats, state: _State, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Wilder's running means of gains and losses, going on from the session before (the two halves of the RSI)."""
    change = np.diff(close, axis=1, prepend=state.close[rows, None])
    power = (1 - 1 / RSI_BARS) ** np.arange(1, change.shape[1] + 1)
    up = np.cumsum(np.maximum(change, 0) / power, axis=1) / RSI_BARS
    down = np.cumsum(np.maximum(-change, 0) / power, axis=1) / RSI_BARS
    return power * (state.gain[rows, None] + up), power * (state.loss[rows, None] + down)


def _remember(state: _State, prices: Path, session: _Session) -> None:
    block = level_rule("1m").block_minutes
    high = np.where(session.traded, prices.high, -np.inf)
    low = np.where(session.traded, prices.low, np.inf)
    for begin in range(0, high.shape[1], block):
        state.block_high.append(high[:, begin : begin + block].max(axis=1))
        state.block_low.append(low[:, begin : begin + block].min(axis=1))
        state.block_session.append(session.number)
    state.ranges.append((high.max(axis=1) - low.min(axis=1)) / prices.close[:, -1])


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


def _market_path(close: float, market: MarketDraws, history: int, lengths: list[int]) -> Path:
    played, last = [], np.array([close])
    whole = np.ones((1, SESSION_MINUTES), dtype=bool)
    for number, length in enumerate(lengths):
        one = slice(number, number + 1)
        session = _Session(
            returns=market.minutes[one, :length],
            gap=market.night[history + number : history + number + 1],
            wick_up=market.wicks[0, one, :length],
            wick_down=market.wicks[1, one, :length],
            volume=np.round(market.volume[one, :length]) + 100,
            usual=market.volume[one, :length],
            traded=whole[:, :length],
            parts=np.ones(1),
            trend=0,
            number=number,
        )
        start = np.log(last) + session.gap
        prices = _prices(start[:, None] + np.cumsum(session.returns, axis=1), start, session, slice(None))
        played.append(prices)
        last = prices.close[:, -1]
    joined = _joined(played)
    return Path(*(getattr(joined, name)[0] for name in VALUES))


def _joined(parts: Sequence[Path]) -> Path:
    return Path(*(np.concatenate([getattr(one, name) for one in parts], axis=-1) for name in VALUES))


def daily_path(minutes: Path, lengths: Sequence[int], traded: Flags | None = None) -> Path:
    """The daily bars that one ticker's minutes add up to."""
    ends = np.cumsum(lengths)
    starts = ends - np.array(lengths)
    high = minutes.high if traded is None else np.where(traded, minutes.high, -np.inf)
    low = minutes.low if traded is None else np.where(traded, minutes.low, np.inf)
    return Path(
        minutes.open[starts],
        np.maximum.reduceat(high, starts),
        np.minimum.reduceat(low, starts),
        minutes.close[ends - 1],
        np.add.reduceat(minutes.volume, starts),
    )


def _stock_daily(stock: Stock, draws: StockDraws, minutes: Path, traded: Flags, lengths: Sequence[int], splits: bool) -> Path:
    """Its history, which ends at the price its minutes start from, and the days of its minutes."""
    steps = np.cumsum(draws.past_night + draws.past_day)
    closes = stock.price * np.exp(steps - steps[-1]) if steps.size else steps
    parts = float(SPLIT_RATIO) if splits else 1.0
    past = _past(closes, draws.past_night, draws.past_range, draws.past_volume, parts)
    return _joined([past, daily_path(minutes, lengths, traded)])


def _past(close: Floats, night: Floats, spread: Floats, volume: Floats, parts: float) -> Path:
    close = np.round(close * parts, 2) / parts
    before = np.concatenate([close[:1], close[:-1]])
    opens = np.round(before * np.exp(night) * parts, 2) / parts
    high = np.round(np.maximum(opens, close) * (1 + spread[0]) * parts, 2) / parts
    low = np.round(np.minimum(opens, close) * (1 - spread[1]) * parts, 2) / parts
    return Path(opens, high, low, close, volume)


def _traded(halts: Sequence[tuple[Halt, ...]], lengths: Sequence[int]) -> Flags:
    traded = np.ones((len(halts), len(lengths), SESSION_MINUTES), dtype=bool)
    for row, of_stock in enumerate(halts):
        for halt in of_stock:
            traded[row, halt.session_number, halt.begin : halt.begin + halt.minutes] = False
    return traded


def _split_session(stocks: Sequence[Stock], sessions: int) -> int | None:
    there = any(stock.ticker == SPLIT_TICKER for stock in stocks)
    return int(sessions * SPLIT_SHARE) if there and sessions >= SPLIT_SESSIONS else None


def _vix(closes: Floats, daily_sigma: Floats, noise: Floats) -> Path:
    """Implied volatility follows what the market does: up with its volatility and its falls."""
    returns = np.diff(np.log(closes), prepend=np.log(closes[0]))
    shock = autoregressive((-6 * returns)[None, :], 0.85, 1.0)[0] + 0.03 * noise
    close = np.round(1.6 * 100 * np.sqrt(252) * daily_sigma**0.65 * 0.0064**0.35 * np.exp(shock), 2)
    opens = np.concatenate([close[:1], close[:-1]])
    high = np.round(np.maximum(opens, close) * 1.02, 2)
    low = np.round(np.minimum(opens, close) * 0.98, 2)
    return Path(opens, high, low, close, np.zeros(close.shape))


def _trend_before(closes: Floats) -> NDArray[np.int64]:
    """`market.trend` as it is known in each session."""
    regime = market_regime(pl.DataFrame({"session": np.arange(closes.size), "close": closes}))
    return np.asarray(regime["market.trend"].shift(1).fill_null(0).to_numpy().astype(np.int64))
