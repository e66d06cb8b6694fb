"""A file far larger than what a small server has memory for is imported whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.market import BarsCache
from tests.market.ten_million import MOST_IMPORT_KIB, import_elsewhere, ten_million_rows


@pytest.mark.slow
def test_ten_million_rows_are_imported_in_less_than_two_gibibytes(tmp_path: Path) -> None:
    rows, _, _, peak_kib = import_elsewhere(ten_million_rows(tmp_path / "bars.csv"), tmp_path / "bars")
    assert rows > 10_000_000
    assert sum(row.rows for row in BarsCache(tmp_path / "bars").coverage()) == rows
    assert peak_kib < MOST_IMPORT_KIB
