"""Bars are computed a stretch at a time: what goes on from bar to bar goes on from stretch to stretch, and never from ticker to ticker."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.script import test_reference, test_reference_more
from tests.script.bars import make_bars, strategy_of
from tests.script.reference import Bars

STRETCH_BARS = 1024
"""As in lab/script/kernels/machine.pyx."""
_REFERENCES = {**test_reference.REFERENCES, **test_reference_more.REFERENCES}
_SETS = [list(_REFERENCES)[start : start + 40] for start in range(0, len(_REFERENCES), 40)]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    bars = make_bars(22, tickers=2, sessions=19, per_session=78, damaged=True)
    # The second ticker is the longer one, and is computed in what the first left behind.
    bars = bars.filter((pl.col("ticker") == "T01") | (pl.int_range(pl.len()).over("ticker") < 90))
    assert bars.filter(pl.col("ticker") == "T01").height > STRETCH_BARS + 20
    return bars


@pytest.mark.parametrize("expressions", _SETS, ids=range(len(_SETS)))
def test_a_function_gives_what_its_definition_says_beyond_the_first_stretch(expressions: list[str], frame: pl.DataFrame) -> None:
    evaluated = strategy_of(*(f"x{number} = {expression}" for number, expression in enumerate(expressions))).evaluate(frame)
    for ticker in evaluated.partition_by("ticker"):
        bars = Bars(ticker)
        for number, expression in enumerate(expressions):
            found = ticker[f"scan.x{number}"].cast(pl.Float64).fill_null(np.nan).to_numpy()
            expected = np.array([np.nan if value is None else value for value in _REFERENCES[expression](bars)])
            # Sums over the whole history differ by the order in which they are made.
            assert np.allclose(found, expected, rtol=1e-7, atol=1e-7, equal_nan=True), (expression, ticker["ticker"][0])
