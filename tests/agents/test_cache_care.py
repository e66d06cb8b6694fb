"""What the person sees of the cached bars: each session, the quality report, damage and how the bars come back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from lab.agents.data_views import SessionState
from lab.agents.errors import NotThere
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.cli.commands import app
from lab.market import BarsCache, import_file, inspect_file
from tests.market.conftest import walk

DAY = pl.col("timestamp").dt.date()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POLYGON_API_KEY", raising=False)
    return tmp_path / "home"


@pytest.fixture
def lab(home: Path, tmp_path: Path) -> Lab:
    """Minutes of AAPL around Thanksgiving with a session gone and one half gone, one bar twice; SPY from the demo and from Polygon."""
    lab = Lab(home)
    minutes = walk(date(2023, 11, 20), date(2023, 11, 29), minutes=1)
    thin = minutes.filter((date(2023, 11, 27) != DAY) & ~((date(2023, 11, 28) == DAY) & (pl.col("timestamp").dt.hour() > 17)))
    pl.concat([thin, thin[5:6]]).write_parquet(tmp_path / "AAPL.parquet")
    import_file(BarsCache(lab.workspace.bars), inspect_file(tmp_path / "AAPL.parquet"))
    days = walk(date(2023, 11, 20), date(2024, 1, 31), minutes=1440)
    BarsCache(lab.workspace.bars).write("SPY", "1d", days, "polygon")
    BarsCache(bars_folder(lab.workspace.bars, synthetic=True)).write("DEMO", "1d", days, "demo")
    return lab


def flip(home: Path, pattern: str) -> None:
    (path,) = (home / "bars").glob(pattern)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_bars_are_said_to_be_made_of_those_they_are_made_of(lab: Lab) -> None:
    daily = walk(date(2023, 11, 20), date(2023, 11, 29), minutes=1440)
    BarsCache(lab.workspace.bars).write("AAPL", "1d", daily, "polygon")
    made = lab.cache.made_of("AAPL", "1m")
    assert "5m" in made
    assert "1d" not in made
    assert lab.cache.made_of("AAPL", "1d") == ()


def test_a_count_of_sessions_is_kept_until_the_bars_change(lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lab.cache.session_counts() == {}
    series = [("AAPL", "1m", False), ("SPY", "1d", False), ("DEMO", "1d", True)]
    counted = {each: lab.cache.count_sessions(*each) for each in series}
    assert (counted[series[0]].sessions, counted[series[0]].complete) == (8 - 1, 5)
    with monkeypatch.context() as patched:
        patched.setattr(BarsCache, "read", lambda *_: pytest.fail("bars were read"))
        assert Lab(home).cache.session_counts() == counted
    BarsCache(lab.workspace.bars).write("SPY", "1d", walk(date(2023, 11, 20), date(2024, 1, 30), minutes=1440), "polygon")
    assert lab.cache.session_counts() == {each: counted[each] for each in series if each[0] != "SPY"}
    (home / "session-counts.json").write_text("not a list")
    assert lab.cache.session_counts() == {}


def test_each_session_is_complete_partial_or_missing(lab: Lab) -> None:
    days = lab.cache.coverage_days("AAPL", "1m")
    assert days.native
    assert {one.session.day: (one.state, one.bars, one.expected) for one in days.sessions} == {
        20: (SessionState.COMPLETE, 390, 390),
        21: (SessionState.COMPLETE, 390, 390),
        22: (SessionState.COMPLETE, 390, 390),
        24: (SessionState.COMPLETE, 210, 210),
        27: (SessionState.MISSING, 0, 390),
        28: (SessionState.PARTIAL, 210, 390),
        29: (SessionState.COMPLETE, 390, 390),
    }
    assert days.half_days == 1
    assert days.count(SessionState.COMPLETE) == 5
    hours = lab.cache.coverage_days("AAPL", "1h")
    assert not hours.native
    assert [one.expected for one in hours.sessions] == [7, 7, 7, 4, 7, 7, 7]


def test_the_quality_report_is_kept_with_the_bars(lab: Lab) -> None:
    report = lab.cache.quality("AAPL", "5m")
    assert (report.cached_timeframe, report.source, report.synthetic) == ("1m", "AAPL.parquet", False)
    lines = {line.kind: line for line in report.lines}
    assert (lines["duplicate"].done, lines["duplicate"].count) == ("left out", 1)
    assert (lines["missing sessions"].done, lines["missing sessions"].count) == ("not filled", 1)
    with pytest.raises(NotThere, match="No 1m bars of TSLA are cached"):
        lab.cache.quality("TSLA", "1m")
    with pytest.raises(NotThere, match=r"No 1m bars of SPY are cached\. There are 1d"):
        lab.cache.coverage_days("SPY", "1m")


def test_damage_is_told_with_the_way_back_and_a_damaged_list_is_made_anew(lab: Lab, home: Path) -> None:
    assert run("verify")[0] == 0
    flip(home, "1m/AAPL/*.parquet")
    flip(home, "1d/SPY/2024*.parquet")
    flip(home, "demo/1d/DEMO/2023*.parquet")
    report = lab.cache.verify()
    advice = {(row.ticker, row.year): row.advice for row in report.damaged}
    assert advice == {
        ("AAPL", 2023): "Import “AAPL.parquet” again.",
        ("SPY", 2024): "Run `lab data update`, which fetches the year again from Polygon.",
        ("DEMO", 2023): "Make the demo market again: lab data demo.",
    }
    assert report.refetch
    assert lab.cache.coverage_days("AAPL", "1m").count(SessionState.COMPLETE) == 0
    assert lab.cache.quality("AAPL", "1m").damaged_years == (2023,)
    (home / "bars" / "manifest.json").write_text("nonsense")
    assert "Run `lab data repair`" in lab.cache.verify().notes[0]
    repaired = lab.cache.repair()
    assert repaired.notes[0].startswith("The list of the bars was made anew from 1 files of 1 series")


def test_the_commands_say_it_all(lab: Lab, home: Path, tmp_path: Path) -> None:
    status, said = run("status", "aapl")
    assert status == 0
    assert "AAPL.parquet" in said
    assert "duplicate: 1 bar at a time that already had one" in said
    assert "Made on reading: 2m, 3m, 5m" in said
    flip(home, "1m/AAPL/*.parquet")
    status, said = run("verify")
    assert status == 1
    assert "5 files: 4 whole, 1 damaged." in said
    status, said = run("repair")
    assert (status, "Import “AAPL.parquet” again." in said) == (1, True)
    assert run("import", str(tmp_path / "AAPL.parquet"), "--name", "back")[0] == 0
    assert run("verify")[0] == 0


def test_an_import_can_be_looked_at_before_anything_is_written(lab: Lab, tmp_path: Path) -> None:
    bars = walk(date(2024, 1, 2), date(2024, 1, 12), minutes=5).with_columns(ticker=pl.lit("MSFT"))
    bars.write_parquet(tmp_path / "more.parquet")
    status, said = run("import", str(tmp_path / "more.parquet"), "--look")
    assert status == 0
    assert "Nothing was written" in said
    assert "Timeframe: 5m (the usual step between bars)." in said
    assert [row.ticker for row in lab.coverage()] == ["DEMO", "AAPL", "SPY"]
