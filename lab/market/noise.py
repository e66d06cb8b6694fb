"""The random ingredients of the synthetic market: fat tails, spells, and the shapes of a trading day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SESSION_MINUTES = 390


def volatility_shape() -> Floats:
    """Relative volatility by minute of the session: high at the open, low at noon, up again at the close; mean square 1."""
    minute = np.arange(SESSION_MINUTES)
    shape = 0.75 + 1.3 * np.exp(-minute / 22) + 0.35 * np.exp(-(SESSION_MINUTES - minute) / 35)
    return np.asarray(shape / np.sqrt(np.mean(shape**2)))


def volume_shape() -> Floats:
    """Share of the day's volume by minute: a U."""
    minute = np.arange(SESSION_MINUTES)
    shape = 0.6 + 1.9 * np.exp(-minute / 28) + 1.6 * np.exp(-(SESSION_MINUTES - minute) / 30)
    return np.asarray(shape / shape.sum())


def fat_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Fat-tailed draws (Student's t with 5 degrees of freedom), variance 1, cut at eight standard deviations."""
    draws = rng.standard_t(5, shape) / np.sqrt(5 / 3)
    return np.asarray(np.clip(draws, -8, 8))


def autoregressive(draws: Floats, memory: float, spread: float) -> Floats:
    """Each row a series that remembers, x[t] = memory * x[t-1] + shock; `spread` is its standard deviation, given unit draws."""
    out = np.empty_like(draws)
    scale = spread * np.sqrt(1 - memory**2)
    value = spread * draws[:, 0]
    for step in range(draws.shape[1]):
        value = memory * value + scale * draws[:, step] if step else value
        out[:, step] = value
    return out


def volumes(rng: np.random.Generator, daily_shares: Floats, count: int, sessions: int) -> Floats:
    """Shares by minute: a U over the session, busy spells, noise, and now and then a block trade."""
    day = autoregressive(rng.standard_normal((count, sessions)), 0.6, 0.25)
    spell = autoregressive(rng.standard_normal((count, sessions * 39)), 0.8, 0.25).reshape(count, sessions, 39)
    noise = rng.standard_normal((count, sessions, SESSION_MINUTES)) * 0.35
    block = np.where(rng.random((count, sessions, SESSION_MINUTES)) < 0.02, 0.9, 0.0)
    level = day[:, :, None] + np.repeat(spell, 10, axis=2) + noise + block
    return np.asarray(daily_shares[:, None, None] * volume_shape() * np.exp(level - 0.12))
