"""Bars put together while they are read are what putting the whole frames together gives, nothing known included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lab.market.bars import BARS_SCHEMA
from lab.market.gathering import joined

PART = st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=4)


def bars(ticker: str, volumes: list[float | None], extended: bool) -> pl.DataFrame:
    at = [datetime(2024, 1, 2, 15, tzinfo=UTC) + timedelta(minutes=i) for i in range(len(volumes))]
    columns = {"ticker": [ticker] * len(at), "timestamp": at, "session": [moment.date() for moment in at], "volume": volumes}
    columns |= {name: [10.0 + i for i in range(len(at))] for name in ("open", "high", "low", "close")}
    columns |= {name: list(range(len(at))) for name in ("minute", "close_minute")}
    frame = pl.DataFrame(columns, schema=dict(BARS_SCHEMA))
    return frame.with_columns(pl.lit(True).alias("regular")) if extended else frame


@given(st.lists(PART, max_size=5), st.booleans(), st.integers(0, 3))
def test_bars_of_many_files_are_the_same_as_put_together_whole(volumes: list[list[float | None]], extended: bool, more: int) -> None:
    schema = {**BARS_SCHEMA, "regular": pl.Boolean()} if extended else dict(BARS_SCHEMA)
    parts = [bars(f"T{place}", one, extended) for place, one in enumerate(volumes)]
    found = joined(iter(parts), schema, sum(part.height for part in parts) + more)
    whole = pl.concat([pl.DataFrame(schema=schema), *(part.select(*schema) for part in parts)])
    assert found.schema == whole.schema
    assert found.equals(whole)
