"""Everything random of the demo market, drawn before anything is played: what each session does if no edge acts.

The market has a volatility that comes in spells and in states that last for weeks (calm, normal, stormy), and a trend that
rises, rests and falls in turn. A sector has its own part on top, each stock its own, its nights, its earnings days, its
news and, rarely, a halt. Each ticker has a random stream of its own, so that it is the same in a smaller and a larger market.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.market.demo.noise import (
    SESSION_MINUTES,
    Floats,
    autoregressive,
    by_session,
    fat_tailed,
    lasting_states,
    volatility_shape,
    volume_shape,
    volumes,
)
from lab.market.demo.stocks import Sector, Stock

Flags = NDArray[np.bool_]

EARNINGS_EVERY = 63
"""Sessions between a stock's earnings: a quarter."""
NEWS_SHARE = 0.03
"""Of sessions that open on news about the stock."""
HALT_SHARE = 0.004
"""Of sessions in which trading in the stock is halted for a while."""
HALT_MINUTES = (5, 10, 15, 25)
_MARKET, _STOCK, _SECTOR = 0, 1, 2
_STATE_SESSIONS = (45.0, 60.0, 22.0)
_STATE_LEVELS = np.array([-0.30, 0.0, 0.50])
_TREND_SESSIONS = (30.0, 22.0, 40.0)
_NIGHT = 0.72
"""Volatility of a night against that of a session."""
_WICK = 0.35
_RUSH = 1 + 2.6 * np.exp(-np.arange(SESSION_MINUTES) / 45)
"""How much busier than usual a session begins that the crowd has woken up to."""


@dataclass(frozen=True, slots=True)
class Halt:
    """A pause in the trading of one stock: these minutes of the session have no bars."""

    session_number: int
    begin: int
    """Minutes after the open."""
    minutes: int


@dataclass(frozen=True, slots=True)
class MarketDraws:
    """The market's own path, by session (history first) and by minute of the sessions that are played."""

    daily_sigma: Floats
    trend_state: NDArray[np.int64]
    """-1, 0 or 1 in each session."""
    busy: Floats
    night: Floats
    past_day: Floats
    past_range: Floats
    vix_noise: Floats
    minute_sigma: Floats
    minutes: Floats
    wicks: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class SectorDraws:
    """What the stocks of one sector have in common beyond the market."""

    night: Floats
    past_day: Floats
    minute_variance: Floats
    minutes: Floats


@dataclass(frozen=True, slots=True)
class StockDraws:
    """One stock: `returns` and the like by session and minute, market and sector included."""

    returns: Floats
    gap: Floats
    """Log of open over last close, by session."""
    wick_up: Floats
    wick_down: Floats
    volume: Floats
    usual: Floats
    """What volume is usual in each minute."""
    earnings: Flags
    news: Flags
    halts: tuple[Halt, ...]
    past_night: Floats
    past_day: Floats
    past_range: Floats
    past_volume: Floats


def draw_market(seed: int, lengths: Sequence[int], history: int, trend_bps: float) -> MarketDraws:
    """The market over `history` sessions and then sessions of so many minutes."""
    rng = _stream(seed, _MARKET, 0)
    sessions = len(lengths)
    count = history + sessions
    state = lasting_states(rng, count, _STATE_SESSIONS, 1)
    trend_state = lasting_states(rng, count, _TREND_SESSIONS, 1) - 1
    slow = autoregressive(rng.standard_normal((1, count)), 0.988, 0.42)[0]
    quick = autoregressive(rng.standard_normal((1, count)), 0.8, 0.20)[0]
    busy = _STATE_LEVELS[state] + slow + quick
    daily_sigma = 0.0064 * np.exp(busy)
    drift = trend_state * trend_bps / 1e4
    night = _NIGHT * daily_sigma * fat_tailed(rng, (count,)) - _half_variance(_NIGHT * daily_sigma)
    past_day = daily_sigma[:history] * fat_tailed(rng, (history,)) + drift[:history] - _half_variance(daily_sigma[:history])
    past_range = np.abs(rng.standard_normal((2, history))) * 0.4 * daily_sigma[:history]
    vix_noise = rng.standard_normal(count)
    minute_sigma = daily_sigma[history:, None] * _shapes(lengths)
    minutes = minute_sigma * fat_tailed(rng, (sessions, SESSION_MINUTES), 0.45)
    minutes += drift[history:, None] / SESSION_MINUTES - _half_variance(minute_sigma)
    wicks = np.abs(rng.standard_normal((2, sessions, SESSION_MINUTES))) * _WICK * minute_sigma
    volume = volumes(rng, 60e6, _volume_shapes(lengths), 0.5 * busy[history:])
    return MarketDraws(
        daily_sigma, trend_state, busy, night, past_day, past_range, vix_noise, minute_sigma, minutes, wicks, volume
    )  # fmt: skip


def draw_sector(seed: int, sector: Sector, market: MarketDraws, lengths: Sequence[int]) -> SectorDraws:
    """A sector's own part."""
    rng = _stream(seed, _SECTOR, list(Sector).index(sector))
    sessions, count = len(lengths), market.night.size
    history = count - sessions
    own = autoregressive(rng.standard_normal((1, count)), 0.97, 0.25)[0] + 0.65 * market.busy
    sigma = 0.0046 * np.exp(own)
    night = _NIGHT * sigma * fat_tailed(rng, (count,)) - _half_variance(_NIGHT * sigma)
    past_day = sigma[:history] * fat_tailed(rng, (history,)) - _half_variance(sigma[:history])
    minute_sigma = sigma[history:, None] * _shapes(lengths)
    minutes = minute_sigma * fat_tailed(rng, (sessions, SESSION_MINUTES), 0.45)
    variance = minute_sigma**2
    minutes -= variance / 2
    return SectorDraws(night, past_day, variance, minutes)


def draw_stock(
    seed: int, number: int, stock: Stock, market: MarketDraws, sector: SectorDraws, lengths: Sequence[int]
) -> StockDraws:  # fmt: skip
    """One stock, `number` being its place in `DEMO_STOCKS`."""
    rng = _stream(seed, _STOCK, number)
    sessions, count = len(lengths), market.night.size
    history = count - sessions
    earnings = np.zeros(count, dtype=bool)
    earnings[int(rng.integers(EARNINGS_EVERY)) :: EARNINGS_EVERY] = True
    news = (rng.random(count) < NEWS_SHARE) & ~earnings
    told = earnings | news
    spell = autoregressive(rng.standard_normal((1, count)), 0.98, 0.30)[0] + 0.55 * market.busy
    spell = spell + np.where(earnings, 0.45, 0.0) + np.where(news, 0.2, 0.0)
    sigma = stock.daily_volatility * np.exp(spell)

    size = np.where(earnings, 0.018 + 0.035 * rng.gamma(1.5, 0.5, count), 0.012 + 0.018 * rng.gamma(1.5, 0.5, count))
    jump = size * np.where(rng.random(count) < 0.5, -1.0, 1.0)
    usual_gap = 0.55 * sigma * fat_tailed(rng, (count,))
    own_gap = np.where(told, jump, usual_gap)
    gap = own_gap + stock.beta * market.night + sector.night - _half_variance(0.55 * sigma)
    woken = rng.random(count) < np.where(told, 0.6, np.where(np.abs(gap) > 0.015, 0.35, 0.02))

    past_day = sigma[:history] * fat_tailed(rng, (history,)) - _half_variance(sigma[:history])
    past_day += stock.beta * market.past_day + sector.past_day
    past_range = np.abs(rng.standard_normal((2, history))) * 0.4 * sigma[:history]
    past_volume = stock.daily_shares * np.exp(0.25 * rng.standard_normal(history) + 0.4 * spell[:history])

    played = slice(history, None)
    shapes = _shapes(lengths)
    hourly = autoregressive(rng.standard_normal((1, sessions * 13)), 0.8, 0.30).reshape(sessions, 13)
    minute_sigma = sigma[played, None] * shapes
    minute_sigma *= np.repeat(np.exp(hourly), 30, axis=1)
    draws = fat_tailed(rng, (sessions, SESSION_MINUTES))
    volume = volumes(rng, stock.daily_shares, _volume_shapes(lengths), 0.4 * spell[played])
    volume *= np.where(woken[played, None], _RUSH, 1.0)
    # Busy minutes are those in which the price moves.
    volume *= 0.6 + 0.4 * np.abs(draws)
    halts = _halts(rng, lengths)
    for halt in halts:
        # What holds the trading up moves the price meanwhile.
        draws[halt.session_number, halt.begin : halt.begin + halt.minutes] *= 2.5
        volume[halt.session_number, halt.begin + halt.minutes] *= 4.0
    returns = minute_sigma * draws
    returns -= _half_variance(minute_sigma)
    returns += stock.beta * market.minutes
    returns += sector.minutes
    wide = np.sqrt(minute_sigma**2 + stock.beta**2 * market.minute_sigma**2 + sector.minute_variance)
    wicks = np.abs(rng.standard_normal((2, sessions, SESSION_MINUTES)))
    wicks *= _WICK * wide
    return StockDraws(
        returns=returns,
        gap=gap[played],
        wick_up=wicks[0],
        wick_down=wicks[1],
        volume=volume,
        usual=stock.daily_shares * _volume_shapes(lengths),
        earnings=earnings[played],
        news=news[played],
        halts=halts,
        past_night=gap[:history],
        past_day=past_day,
        past_range=past_range,
        past_volume=np.round(past_volume),
    )


def _stream(seed: int, kind: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, kind, number])))


def _half_variance(sigma: Floats) -> Floats:
    """What is taken off a log return so that the price itself expects to stay where it is."""
    return np.asarray(sigma**2 / 2)


def _shapes(lengths: Sequence[int]) -> Floats:
    """Volatility of each minute as a share of the session's."""
    sizes = sorted(set(lengths))
    return by_session([volatility_shape(size) * np.sqrt(1 / SESSION_MINUTES) for size in sizes], lengths)


def _volume_shapes(lengths: Sequence[int]) -> Floats:
    sizes = sorted(set(lengths))
    return by_session([volume_shape(size) * (size / SESSION_MINUTES) ** 0.5 for size in sizes], lengths)


def _halts(rng: np.random.Generator, lengths: Sequence[int]) -> tuple[Halt, ...]:
    halted = np.flatnonzero(rng.random(len(lengths)) < HALT_SHARE)
    return tuple(
        Halt(int(number), int(rng.integers(10, lengths[int(number)] - 60)), int(rng.choice(HALT_MINUTES))) for number in halted
    )  # fmt: skip
