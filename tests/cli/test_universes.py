"""`lab universes` and `lab data news`, as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lab.agents.service import Lab
from lab.cli.commands import app
from lab.errors import LabError
from lab.market import BarsCache
from lab.market.news import NewsCoverage, NewsItem
from tests.market.conftest import walk

Typed = Callable[..., Result]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    lab = Lab(tmp_path / "home")
    with BarsCache(lab.workspace.bars).batch() as batch:
        for seed, ticker in enumerate(("AAA", "BBB", "CCC")):
            batch.write(ticker, "1d", walk(date(2022, 1, 3), date(2023, 6, 30), seed=seed, minutes=1440, price=10.0 * 3**seed), "test")
    lab.close()

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return run


def test_a_universe_is_chosen_made_changed_and_forgotten(typed: Typed, tmp_path: Path) -> None:
    rule = ("--as-of", "2022-06-01", "--timeframe", "1d", "--top", "2", "--by", "price")
    chosen = json.loads(typed("universes", "choose", *rule, "--json").stdout)
    assert [one["ticker"] for one in chosen] == ["CCC", "BBB"]
    made = json.loads(typed("universes", "make", "dear", *rule, "--json").stdout)
    assert (made["view"]["tickers"], made["view"]["first_session"]) == (["CCC", "BBB"], "2022-06-01")
    listed = tmp_path / "list.txt"
    listed.write_text("symbol\nAAA\nbbb\n")
    assert typed("universes", "edit", "dear", "--file", str(listed), "--rename", "cheap").exit_code == 0
    shown = typed("universes", "show", "CHEAP").stdout
    assert "AAA BBB" in shown
    assert "named tickers" in shown
    assert "No SPY bars" in shown
    assert "cheap" in typed("universes", "list").stdout
    assert typed("universes", "delete", "cheap").exit_code == 0
    assert json.loads(typed("universes", "list", "--json").stdout) == []
    missing = typed("universes", "make", "none", "--timeframe", "1d", "--file", str(tmp_path / "absent.txt")).exception
    assert isinstance(missing, LabError)
    assert "can't be read: No such file" in str(missing)


def test_headlines_are_printed_without_what_would_command_a_terminal(typed: Typed, tmp_path: Path) -> None:
    lab = Lab(tmp_path / "home")
    at = datetime(2023, 3, 1, 15, 4, tzinfo=UTC)
    lab.news.keep(
        [NewsItem("test", "1", at, ("AAA",), "\x1b[2JAAA \u202erises\x07", "The \x1b]0;pwned\x07Wire")],
        NewsCoverage("test", ("AAA",), datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)),
    )
    lab.close()
    printed = typed("data", "news", "aaa", "--until", "2023-03-02").stdout
    assert "2023-01-01 to 2023-06-01 (test)" in printed
    assert "2023-03-01 15:04  -         AAA rises  (The Wire)" in printed
    assert "\x1b" not in printed
    assert json.loads(typed("data", "news", "aaa", "--until", "2023-03-02", "--json").stdout)[0]["title"] == "\x1b[2JAAA \u202erises\x07"
    assert "No news of BBB is kept." in typed("data", "news", "BBB").stdout
