"""The files an iteration leaves are whole, and nothing lies beside them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lab.agents.outputs import TRADES, read_output, write_output


def test_what_a_killed_writer_left_is_gone_when_the_table_is_written_again(tmp_path: Path) -> None:
    write_output(tmp_path, "other.parquet", pl.DataFrame({"x": [1]}))
    (tmp_path / f".{TRADES}.4711").write_bytes(b"PAR1 and then the power went")
    write_output(tmp_path, TRADES, pl.DataFrame({"x": [2]}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.parquet", TRADES]
    assert read_output(tmp_path, TRADES)["x"].to_list() == [2]
