"""The random ingredients of the synthetic market: fat tails, spells, states that last, and the shapes of a trading day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SESSION_MINUTES = 390
TAIL = 0.75
"""How much fatter than normal the tails are: kurtosis 9, as what is left of real minutes once spells and the hour are taken out."""
_LARGEST = 9.0
"""Standard deviations beyond which a draw is cut, so that no single bar can be absurd."""


def volatility_shape(minutes: int = SESSION_MINUTES) -> Floats:
    """Relative volatility by minute of the session: high at the open, low at noon, a little up at the close; mean square 1."""
    minute = np.arange(minutes)
    shape = 0.78 + 2.0 * np.exp(-minute / 16) + 0.25 * np.exp(-(minutes - minute) / 25)
    return np.asarray(shape / np.sqrt(np.mean(shape**2)))


def volume_shape(minutes: int = SESSION_MINUTES) -> Floats:
    """Share of the day's volume by minute: a U, with the closing rush in the last minutes."""
    minute = np.arange(minutes)
    shape = 0.62 + 1.6 * np.exp(-minute / 24) + 1.5 * np.exp(-(minutes - minute) / 30) + 3.0 * np.exp(-(minutes - minute) / 4)
    return np.asarray(shape / shape.sum())


def by_session(shape_of: Sequence[Floats], lengths: Sequence[int]) -> Floats:
    """One row a session of the shape that fits its length, padded with zeros to a full session."""
    known = {shape.size: shape for shape in shape_of}
    rows = np.zeros((len(lengths), SESSION_MINUTES))
    for number, length in enumerate(lengths):
        rows[number, :length] = known[length]
    return rows


def fat_tailed(rng: np.random.Generator, shape: tuple[int, ...], tail: float = TAIL) -> Floats:
    """Fat-tailed draws, mean 0 and variance 1: the hyperbolic sine of normal ones (Johnson's SU), cut far out."""
    draws = np.sinh(tail * rng.standard_normal(shape))
    draws /= np.sqrt(np.expm1(2 * tail**2) / 2)
    return np.clip(draws, -_LARGEST, _LARGEST, out=draws)


def autoregressive(draws: Floats, memory: float, spread: float) -> Floats:
    """Each row a series that remembers, x[t] = memory * x[t-1] + shock; `spread` is its standard deviation, given unit draws."""
    out = np.empty_like(draws)
    scale = spread * np.sqrt(1 - memory**2)
    value = spread * draws[:, 0]
    for step in range(draws.shape[1]):
        value = memory * value + scale * draws[:, step] if step else value
        out[:, step] = value
    return out


def lasting_states(rng: np.random.Generator, count: int, lengths: Sequence[float], start: int) -> Ints:
    """`count` steps of a chain that stays in state i for `lengths[i]` steps on average, then goes to a neighbour."""
    draws, side = rng.random(count), rng.random(count) < 0.5
    states = np.empty(count, dtype=np.int64)
    state, last = start, len(lengths) - 1
    for step in range(count):
        if draws[step] < 1 / lengths[state]:
            state = 1 if state == 0 else last - 1 if state == last else state + (1 if side[step] else -1)
        states[step] = state
    return states


def volumes(rng: np.random.Generator, daily_shares: float, shape: Floats, busy: Floats) -> Floats:
    """Shares by session and minute of one ticker: its shape over the session, busy spells, noise, and now and then a block trade.

    `shape` is the share of the day's volume by session and minute; `busy` the log of how busy each session is.
    """
    sessions, minutes = shape.shape
    day = autoregressive(rng.standard_normal((1, sessions)), 0.6, 0.22)[0] + busy
    spell = autoregressive(rng.standard_normal((1, sessions * 39)), 0.8, 0.25).reshape(sessions, 39)
    level = rng.standard_normal((sessions, minutes))
    level *= 0.35
    level += np.where(rng.random((sessions, minutes)) < 0.02, 0.9, 0.0)
    level += np.repeat(spell, minutes // 39, axis=1)
    level += day[:, None] - 0.12
    return np.asarray(daily_shares * shape * np.exp(level, out=level))
