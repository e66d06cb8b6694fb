"""The few Polars building blocks formulas share; Polars itself is loaded only when the first formula is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

LARGEST = 1e100
"""A computed number beyond this counts as missing, so infinities never arise."""


def column(name: str) -> pl.Expr:
    """A column of the bars frame."""
    import polars as pl

    return pl.col(name)


def where(condition: pl.Expr, value: pl.Expr | float, otherwise: pl.Expr | float | None = None) -> pl.Expr:
    """`value` where the condition is true, else `otherwise` (missing if not given)."""
    import polars as pl

    return pl.when(condition).then(value).otherwise(otherwise)


def row_number() -> pl.Expr:
    """0, 1, 2 … within the rows at hand (a ticker, or a session under `over`)."""
    import polars as pl

    return pl.int_range(pl.len(), dtype=pl.Int64)


def bounded(value: pl.Expr) -> pl.Expr:
    """The value where it is a usable number; missing where a division by zero or an overflow made it none."""
    return where(value.is_between(-LARGEST, LARGEST), value)


def shared(value: pl.Expr, by: float) -> pl.Expr:
    """`value / by` for a fixed number other than zero."""
    # Polars divides by a fixed number through its reciprocal, but a single row by true division: the last bit would depend
    # on how many bars there are. Multiplying is the same on any number of rows.
    return value * (1.0 / by)


def quotient(top: pl.Expr, bottom: pl.Expr) -> pl.Expr:
    """`top / bottom`, missing where the bottom is zero."""
    return bounded(top / bottom)


def known(*values: pl.Expr) -> pl.Expr:
    """True where none of the values is missing."""
    result = values[0].is_not_null()
    for value in values[1:]:
        result = result & value.is_not_null()
    return result


def as_number(condition: pl.Expr) -> pl.Expr:
    """1 where true, 0 where false, missing where unknown."""
    import polars as pl

    return condition.cast(pl.Float64)


def past(value: pl.Expr | float, bars: int = 1) -> pl.Expr | float:
    """The value some bars earlier; a fixed number is the same then as now."""
    return value if isinstance(value, (int, float)) else value.shift(bars)


def over_each(pick: str, first: pl.Expr | float, second: pl.Expr | float) -> pl.Expr:
    """The smaller ("min") or larger ("max") of two values, missing where either is."""
    import polars as pl

    fixed, moving = (first, second) if isinstance(first, (int, float)) else (second, first)
    if isinstance(fixed, (int, float)) and not isinstance(moving, (int, float)):
        return moving.clip(lower_bound=float(fixed)) if pick == "max" else moving.clip(upper_bound=float(fixed))
    left = first if isinstance(first, pl.Expr) else pl.lit(float(first))
    right = second if isinstance(second, pl.Expr) else pl.lit(float(second))
    chosen = left > right if pick == "max" else left < right
    # A missing side makes `chosen` unknown, and the first branch only then would be wrong: both sides are asked for.
    return where(left.is_not_null() & right.is_not_null(), pl.when(chosen).then(left).otherwise(right))
