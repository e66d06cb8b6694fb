"""A fetch that breaks off goes on after its last page: no page twice, no bar missing, no damaged page taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from lab.market.polygon.aggregates import Span, fetch_series
from lab.market.polygon.line import PolygonError, PolygonLine
from lab.market.polygon.spool import Spool
from tests.market.polygon_server import KEY, Polygon, Reply, serving, some_bars

FIRST, LAST = date(2024, 7, 1), date(2024, 7, 12)
SPAN = Span(FIRST, LAST)


@pytest.fixture
def polygon() -> Iterator[Polygon]:
    with serving(Polygon({"AAPL": some_bars(FIRST, LAST, 5)}, page_size=100)) as server:
        yield server


@pytest.fixture
def line(polygon: Polygon) -> PolygonLine:
    return PolygonLine(SecretStr(KEY), polygon.url, 0)


def broken(reply: Reply) -> None:
    del reply.document["results"]


def fetched(line: PolygonLine, folder: Path, timeframe: str = "5m") -> list[int]:
    frame = fetch_series(line, "AAPL", timeframe, SPAN, Spool(folder), lambda share, note: None)
    return frame["timestamp"].dt.epoch("ms").to_list()


def all_of(polygon: Polygon) -> list[int]:
    return [int(bar["t"]) for bar in polygon.bars["AAPL"]]


@pytest.mark.parametrize("page", [1, 2, 5, 10])
def test_broken_off_at_any_page_it_goes_on_without_a_gap_and_without_asking_twice(
    polygon: Polygon, line: PolygonLine, tmp_path: Path, page: int
) -> None:
    polygon.faults[page] = broken
    with pytest.raises(PolygonError):
        fetched(line, tmp_path)
    assert fetched(line, tmp_path) == all_of(polygon)
    pages = -(-len(all_of(polygon)) // polygon.page_size)
    assert len(polygon.pages) == pages + 1, "the broken page alone was asked for again"


def test_what_has_come_whole_is_not_asked_for_at_all(polygon: Polygon, line: PolygonLine, tmp_path: Path) -> None:
    fetched(line, tmp_path)
    polygon.asked.clear()
    assert fetched(line, tmp_path) == all_of(polygon)
    assert polygon.asked == []


def test_daily_bars_go_on_at_the_next_day(polygon: Polygon, line: PolygonLine, tmp_path: Path) -> None:
    polygon.bars["AAPL"] = some_bars(FIRST, LAST, 1440)
    polygon.page_size, polygon.faults = 3, {2: broken}
    with pytest.raises(PolygonError):
        fetched(line, tmp_path, "1d")
    assert fetched(line, tmp_path, "1d") == all_of(polygon)
    assert polygon.pages[2].endswith("/2024-07-04/2024-07-12")


@pytest.mark.parametrize("harm", ["flip", "truncate", "lose", "rename"])
def test_a_damaged_page_is_fetched_again_with_what_came_after_it(polygon: Polygon, line: PolygonLine, tmp_path: Path, harm: str) -> None:
    fetched(line, tmp_path)
    polygon.asked.clear()
    third = sorted(tmp_path.glob("*.parquet"))[2]
    content = bytearray(third.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 1
        third.write_bytes(content)
    elif harm == "truncate":
        third.write_bytes(content[:-7])
    elif harm == "lose":
        third.unlink()
    else:
        third.rename(third.with_name("00002-more-x.parquet"))
    assert fetched(line, tmp_path) == all_of(polygon)
    assert len(polygon.asked) == -(-len(all_of(polygon)) // polygon.page_size) - 2


def test_a_page_that_was_only_half_written_is_no_page(polygon: Polygon, line: PolygonLine, tmp_path: Path) -> None:
    polygon.faults[3] = broken
    with pytest.raises(PolygonError):
        fetched(line, tmp_path)
    (tmp_path / ".00002-more-0000000000000000.parquet.77.tmp").write_bytes(b"PAR1")
    assert fetched(line, tmp_path) == all_of(polygon)
