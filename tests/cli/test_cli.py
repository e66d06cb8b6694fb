"""The commands as a script or a person over SSH uses them: the real program, a real workspace, its own worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from lab.cli.commands import app

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = [
    "run",
    "demo",
    "agents",
    "iterations",
    "show",
    "trades",
    "replay",
    "approvals",
    "apply",
    "discard",
    "worker",
    "version",
    "data import",
    "data fetch",
    "data update",
    "data fetches",
    "data resume",
    "data pause",
    "data cancel",
    "data tickers",
    "data market",
    "data status",
    "data demo",
    "data news",
    "universes list",
    "universes show",
    "universes make",
    "universes choose",
    "universes edit",
    "universes delete",
    "script check",
    "script fmt",
    "script explain",
    "script params",
    "script diff",
    "script run",
    "functions",
    "sweep",
    "exits",
]


@pytest.fixture
def lab(tmp_path: Path) -> Run:
    def run(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LAB_HOME": str(home or tmp_path / "home")}
        return subprocess.run(
            [sys.executable, "-m", "lab.cli", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    return run


def test_without_a_terminal_it_says_in_one_sentence_what_to_run_instead(lab: Run) -> None:
    for arguments in ((), ("demo",)):
        ended = lab(*arguments)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert len(ended.stderr.strip().splitlines()) == 1
        assert "terminal" in ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    ended = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="lab")
    assert ended.exit_code == 0
    assert f"Example: lab {command}" in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("run",),
        ("run", "VWAP", "--agent", "x"),
        ("run", "VWAP", "--iterations", "0"),
        ("show", "x"),
        ("demo", "--prepare"),
        ("data",),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(lab: Run, arguments: tuple[str, ...]) -> None:
    assert lab(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "7"), "There is no iteration 7 in this workspace."),
        (("iterations", "nobody"), "There is no agent named 'nobody'. Agents here: none yet."),
        (("run", "--agent", "nobody"), "There is no agent named 'nobody'"),
        (("run", "VWAP scalper", "--universe", "moon"), "There is no universe named 'moon'"),
        (("run", "make me a sandwich"), "say nothing about trading"),
        (("apply", "7"), "There is no proposal 7 in this workspace."),
        (("data", "import", "no-such-file.csv"), "no-such-file.csv"),
    ],
)
def test_an_error_is_a_sentence_on_stderr_and_status_1(lab: Run, arguments: tuple[str, ...], sentence: str) -> None:
    ended = lab(*arguments)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("lab: ")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_empty_workspace_says_what_to_do_first(lab: Run) -> None:
    assert "lab run" in lab("agents").stdout
    assert "lab data import" in lab("data", "status").stdout


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Real hourly bars of four tickers over 22 years, with their splits unadjusted."""
    bars = pl.read_parquet(shared_data / "hour" / "lean_1h.parquet").filter(pl.col("ticker").is_in(["SPY", "AAPL", "IBM", "BAC"]))
    path = tmp_path_factory.mktemp("hourly") / "hourly.parquet"
    bars.write_parquet(path)
    return path


DEFLATED = ("deflated Sharpe ratio", "effective number of trials")


@pytest.mark.slow
def test_real_hourly_bars_are_imported_with_their_splits_reported_and_traded_the_same_twice(lab: Run, hourly: Path, tmp_path: Path) -> None:
    home = tmp_path / "real"
    imported = lab("data", "import", str(hourly), "--name", "hourly", home=home)
    assert imported.returncode == 0, imported.stderr
    for split in ("2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31"):
        assert f"{split}" in imported.stdout, "AAPL's splits must be reported"
    documents = []
    for name in ("one", "two"):
        ended = lab("run", "A patient swing trader who buys pull-backs in an uptrend", "--name", name, "--json", home=home)
        assert ended.returncode == 0, ended.stderr
        documents.append(json.loads(ended.stdout))
    results = [document["iterations"][0]["result"] for document in documents]
    assert results[0]["trades"] >= 30
    for result in results:
        # The second agent's result is worth less for the first one's tries: its verdict, and what it is deflated by.
        del result["verdict"], result["verdict_reason"]
        result["figures"] = [figure for figure in result["figures"] if figure["name"] not in DEFLATED]
    assert results[0] == results[1]
    assert not documents[0]["universe"]["synthetic"]
    shown = lab("show", str(documents[0]["iterations"][0]["row"]["id"]), home=home)
    assert "Costs: " in shown.stdout
    assert "Verdict: " in shown.stdout
    listed = lab("iterations", "one", home=home)
    assert listed.returncode == 0
    assert "1.0" in listed.stdout
    shutil.rmtree(home)


@pytest.mark.slow
def test_a_new_workspace_learns_on_the_demo_market_and_proposals_are_decided_by_command_or_rule(lab: Run) -> None:
    ended = lab("run", "Create a conservative VWAP scalper for tech stocks", "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["universe"]["synthetic"]
    assert [decision["decision"] for decision in document["decisions"]] == ["waits for approval"]
    name = document["agent"]["name"]

    stuck = lab("run", "--agent", name)
    assert stuck.returncode == 1
    assert "waits for your decision" in stuck.stderr
    (waiting,) = json.loads(lab("approvals", "--json").stdout)
    assert lab("apply", str(waiting["id"])).stdout == "Applied: version 1.1 is current.\n"
    assert "already applied" in lab("discard", str(waiting["id"])).stderr

    again = lab("run", "--agent", name, "--approve", "always", "--iterations", "2")
    assert again.returncode == 0, again.stderr
    assert "SYNTHETIC version 1.1" in again.stdout
    iteration = json.loads(lab("iterations", name, "--json").stdout)[0]["id"]
    assert "same to the bit" in lab("replay", str(iteration)).stdout
    trades = lab("trades", str(iteration), "--csv").stdout.splitlines()
    assert trades[0].startswith("ticker,direction,entry_at")
    assert len(trades) > 30
    fills = lab("trades", str(iteration), "--fills", "--csv").stdout.splitlines()
    assert fills[0] == "trade,ticker,direction,at,price,shares,costs,reason"
    assert sum(line.endswith(",entry") for line in fills) == len(trades) - 1 <= len(fills) // 2


@pytest.mark.slow
def test_the_demo_has_three_agents_that_have_really_learned(lab: Run, tmp_path: Path) -> None:
    home = tmp_path / "demo"
    assert lab("demo", "--prepare", "--keep", str(home)).returncode == 0
    agents = json.loads(lab("agents", "--json", home=home).stdout)
    assert [agent["name"] for agent in agents] == ["VWAP Guardian", "Gap Hunter", "Reversal Artist"]
    for agent in agents:
        assert agent["iterations"] == 2
        assert agent["synthetic"]
        assert agent["result"]["trades"] >= 30
    again = lab("demo", "--prepare", "--keep", str(home))
    assert again.returncode == 1
    assert "not empty" in again.stderr
