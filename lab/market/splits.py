"""Unadjusted share splits: finding them in a series of bars, and adjusting the bars before them.

A split shows as a jump between one session's close and the next one's open that is close to a ratio companies use, far outside
what the stock does otherwise, that stays, and that changes the number of shares traded but not their worth. A crash of the
same size (Apple lost 52 % on 2000-09-29) comes with many times the usual dollar volume, or in a storm of other large moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np
import polars as pl
from numpy.typing import NDArray

_FORWARD = (5 / 4, 4 / 3, 3 / 2, 2, 5 / 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)
_REVERSE = (1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 8, 1 / 10, 1 / 15, 1 / 20, 1 / 25, 1 / 30, 1 / 40, 1 / 50, 1 / 100)
_RATIOS = np.array([*_FORWARD, *_REVERSE])

_USUAL_SESSIONS = 20
"""Sessions before the jump that say what is usual."""
_NEIGHBOURS = 3
"""Sessions on each side that must be free of other large moves, and over which the new price must stay."""
_LEAST_SIGMAS = 6.0
_MISS_SIGMAS = 4.0
_LEAST_MISS = 0.05
_LARGEST_MISS_SHARE = 0.4
_LEAST_DOLLARS = 0.1
_MOST_DOLLARS = 3.5
_MOST_DOLLARS_SMALL = 2.0
"""For ratios below 2:1, whose jumps a bad day can make too."""
_MOST_DOLLARS_REVERSE = 15.0
"""For reverse splits: no stock rises to a multiple overnight on a volume like this."""
_LONGEST_PAUSE_DAYS = 14
"""After a longer pause the ticker may belong to another company: no split is read into it."""


@dataclass(frozen=True, slots=True)
class Split:
    """A split found in a series."""

    session: date
    """The first session at the new price."""
    ratio: float
    """New shares for one old share: 2 for 2:1, 0.05 for a reverse split 1:20."""

    @property
    def name(self) -> str:
        """The ratio as people write it, such as "7:1" or "1:20"."""
        ratio = Fraction(self.ratio).limit_denominator(100)
        return f"{ratio.numerator}:{ratio.denominator}"

    @property
    def sentence(self) -> str:
        """What was found and done, for the quality report."""
        kind = "split" if self.ratio > 1 else "reverse split"
        return f"Unadjusted {self.name} {kind} on {self.session}: the prices and volumes before it were adjusted."

    @property
    def doubt(self) -> str:
        """What is said of a jump that looks like a split and is none that the source lists."""
        return f"The prices jump on {self.session} as in a {self.name} split, and none is listed: kept as they are; check it."


def find_splits(bars: pl.DataFrame) -> tuple[Split, ...]:
    """The unadjusted splits in one ticker's bars (columns of `SERIES_SCHEMA`), oldest first."""
    days = (
        bars.filter("regular")
        .group_by("session", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("close").last(),
            (pl.col("close") * pl.col("volume")).sum().alias("dollars"),
        )
    )
    if days.height < 2:
        return ()
    opens, close, dollars = (days[name].to_numpy() for name in ("open", "close", "dollars"))
    session = days["session"].to_list()
    # Found splits are taken out of the moves at once, so that two splits within weeks don't hide one another.
    jump = np.log(opens[1:] / close[:-1])
    move = np.log(close[1:] / close[:-1])
    found = []
    for place in np.flatnonzero(np.abs(jump) > np.log(1.2)):
        ratio = _ratio_at(int(place), jump, move, dollars)
        pause = (session[place + 1] - session[place]).days
        if ratio is not None and pause <= _LONGEST_PAUSE_DAYS:
            found.append(Split(session[place + 1], ratio))
            move[place] += np.log(ratio)
            jump[place] += np.log(ratio)
    return tuple(found)


def _ratio_at(place: int, jump: NDArray[np.float64], move: NDArray[np.float64], dollars: NDArray[np.float64]) -> float | None:
    """The ratio of the split between session `place` and the next, None where there is none."""
    size = abs(jump[place])
    miss = np.abs(jump[place] + np.log(_RATIOS))
    best = int(miss.argmin())
    ratio = float(_RATIOS[best])
    usual_moves = move[max(place - _USUAL_SESSIONS, 0) : place]
    sigma = 1.4826 * float(np.median(np.abs(usual_moves))) if usual_moves.size >= 3 else 0.02
    near = miss[best] <= min(max(_MISS_SIGMAS * sigma, _LEAST_MISS), _LARGEST_MISS_SHARE * size)
    outside = size >= _LEAST_SIGMAS * max(sigma, 0.005)
    around = np.concatenate([move[max(place - _NEIGHBOURS, 0) : place], move[place + 1 : place + 1 + _NEIGHBOURS]])
    calm = around.size == 0 or float(np.abs(around).max()) <= 0.5 * size
    after = move[place : place + 1 + _NEIGHBOURS].cumsum()
    stays = float(np.abs(after - jump[place]).max()) <= 0.5 * size
    usual_dollars = float(np.median(dollars[max(place + 1 - _USUAL_SESSIONS, 0) : place + 1]))
    most = _MOST_DOLLARS_REVERSE if ratio < 1 else _MOST_DOLLARS_SMALL if ratio < 2 else _MOST_DOLLARS
    same_worth = usual_dollars <= 0 or _LEAST_DOLLARS <= float(dollars[place + 1]) / usual_dollars <= most
    return ratio if near and outside and calm and stays and same_worth else None


def adjust_for_splits(bars: pl.DataFrame, splits: Sequence[Split]) -> pl.DataFrame:
    """The bars in today's shares: before each split, prices divided by its ratio and volumes multiplied."""
    factor = pl.lit(1.0)
    for split in splits:
        factor = factor * pl.when(pl.col("session") < split.session).then(split.ratio).otherwise(1.0)
    return bars.with_columns(pl.col("open", "high", "low", "close") / factor, pl.col("volume") * factor)
