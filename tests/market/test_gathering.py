"""Bars put together while they are read are what putting the whole frames together gives, nothing known included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lab.arrow import repeated_text
from lab.market.bars import BARS_SCHEMA
from lab.market.gathering import Part, gathered, one_by_one

PART = st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=4)
KNOWN_PART = st.lists(st.floats(allow_nan=False), max_size=4)


def bars(volumes: list[float | None], extended: bool) -> pl.DataFrame:
    at = [datetime(2024, 1, 2, 15, tzinfo=UTC) + timedelta(minutes=i) for i in range(len(volumes))]
    columns = {"timestamp": at, "session": [moment.date() for moment in at], "volume": volumes}
    columns |= {name: [10.0 + i for i in range(len(at))] for name in ("open", "high", "low", "close")}
    columns |= {name: list(range(len(at))) for name in ("minute", "close_minute")}
    frame = pl.DataFrame(columns, schema={name: kind for name, kind in BARS_SCHEMA.items() if name != "ticker"})
    return frame.with_columns((pl.col("minute") % 2 == 0).alias("regular")) if extended else frame


@given(
    st.one_of(st.lists(PART, max_size=5), st.lists(KNOWN_PART, max_size=5)),
    st.booleans(),
    st.lists(st.integers(0, 3), min_size=5, max_size=5),
)
def test_bars_of_many_files_are_the_same_as_put_together_whole(volumes: list[list[float | None]], extended: bool, more: list[int]) -> None:
    schema = {**BARS_SCHEMA, "regular": pl.Boolean()} if extended else dict(BARS_SCHEMA)
    frames = [bars(one, extended) for one in volumes]
    parts = [Part(f"T{place // 2}", frame.height + more[place], lambda frame=frame: frame.clone()) for place, frame in enumerate(frames)]
    whole = pl.concat(
        [
            pl.DataFrame(schema=schema),
            *(frame.with_columns(pl.lit(f"T{place // 2}").alias("ticker")).select(*schema) for place, frame in enumerate(frames)),
        ]
    )
    for way in (gathered, one_by_one):
        found = way(parts, schema)
        assert found.schema == whole.schema
        assert found.equals(whole)


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=20), st.integers(0, 5)), max_size=8))
def test_a_column_of_tickers_is_like_any_other_column_of_text(runs: list[tuple[str, int]]) -> None:
    whole = [text for text, count in runs for _ in range(count)]
    counts = np.array([count for _, count in runs], dtype=np.int64)
    made = pl.Series(repeated_text([text.encode() for text, _ in runs], counts, np.empty((len(whole), 2), dtype=np.uint64)))
    like = pl.Series(whole, dtype=pl.String)
    assert made.dtype == pl.String
    assert made.equals(like)
    assert made.to_list() == whole
    assert pl.concat([made, like]).sort().equals(pl.concat([like, like]).sort())
    assert made[1:].rle().equals(like[1:].rle())
    assert made.str.to_uppercase().equals(like.str.to_uppercase())
