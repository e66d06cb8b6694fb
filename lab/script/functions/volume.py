"""Volume, alone and against its own past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import column, quotient
from lab.script.entries import Category, Function, Scope, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def _relative_volume(n: int) -> pl.Expr:
    usual = column("volume").shift(1).rolling_mean(n, min_samples=n)
    return quotient(column("volume"), usual).over("minute")


def _obv() -> pl.Expr:
    return (column("close").diff().sign() * column("volume")).cum_sum()


FUNCTIONS = (
    Function(
        "relative_volume",
        Category.VOLUME,
        (whole("n", "how many earlier sessions", 20, 1, 250),),
        Kind.NUMBER,
        "volume divided by its mean at the same time of day over the last n sessions that had it: 2 is twice the usual",
        "definition",
        "relative_volume(10) > 2",
        build=_relative_volume,
        sessions=lambda n: int(n),
    ),
    Function(
        "session_volume",
        Category.VOLUME,
        (),
        Kind.NUMBER,
        "shares traded so far in the session",
        "definition",
        "session_volume() > prev_day.volume * 0.3",
        build=lambda: column("volume").cum_sum(),
        scope=Scope.SESSION,
    ),
    Function(
        "obv",
        Category.VOLUME,
        (),
        Kind.NUMBER,
        "on-balance volume: volume added on rising and subtracted on falling closes",
        "J. Granville; as in TA-Lib OBV without its first bar",
        "rising(obv(), 3)",
        build=_obv,
        bars=lambda: 1,
    ),
)
