"""`lab sweep` and `lab exits` as a person at a shell uses them: the real program, its own processes, broken off and begun again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner, Result

from lab.cli.commands import app
from lab.errors import LabError
from lab.store.database import Store
from lab.store.models import Trial
from lab.store.workspace import Workspace
from tests.agents.made import EXECUTION, INSTRUCTIONS, SCAN
from tests.conftest import made_once

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a short demo market and an agent with a strategy; copied by the tests, never changed."""

    def make(home: Path) -> None:
        from lab.agents.data import keep_universe
        from lab.agents.decisions import add_version
        from lab.agents.service import Lab
        from lab.agents.span import bars_folder
        from lab.market import BarsCache, make_demo_market

        lab = Lab(home)
        made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=40)
        tickers = made.tickers[:6]
        keep_universe(lab.workspace, lab.store, "Demo market", tickers, "1m", "demo", True, made.first_session, made.last_session)
        agent_id = lab.create_agent("Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, 1)
        with lab.store.write() as session:
            add_version(session, agent_id, SCAN, EXECUTION, None, "First version")
        lab.close()

    return made_once(tmp_path_factory, "guardian", make)


@pytest.fixture
def home(market: Path, tmp_path: Path) -> Path:
    (tmp_path / "bounce.lab").write_text(f"{SCAN}\n# execution\n{EXECUTION}")
    return Path(shutil.copytree(market, tmp_path / "home"))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lab.cli", *arguments]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "LAB_HOME": str(home), "LAB_PROCESSES": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def lab(home: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=home.parent,
            capture_output=True,
            text=True,
            env=environment(home),
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    return run


def trials(home: Path) -> list[Trial]:
    with Store(Workspace(home)) as store, store.read() as session:
        return list(session.exec(select(Trial)))


@pytest.mark.slow
def test_a_sweep_prints_a_table_a_heat_map_and_what_the_best_is_worth(lab: Run, home: Path) -> None:
    ended = lab(
        "sweep", "--agent", "guardian", "--method", "grid", "--points", "9", "--parameters", "loud,near=0.05:0.2", "--map", "near,loud"
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("SYNTHETIC DATA: Demo market, ")
    assert "vault" in lines[1]
    table = next(i for i, line in enumerate(lines) if line.startswith("loud  near  Trades"))
    rows = lines[table + 1 : lines.index("", table)]
    assert len(rows) in (9, 10), "the grid, and the strategy as it is where it is not on it"
    assert [row.split()[-1] for row in rows].count("best") + sum(row.endswith("best, own") for row in rows) == 1
    assert sum(row.endswith("own") for row in rows) == 1
    assert any("██" in line for line in lines)
    assert "Warning: The best of" in lines[-1]
    assert "is biased" in lines[-1]
    assert {(trial.purpose, trial.agent_id) for trial in trials(home)} == {("sweep", 1)}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)], ids=["person", "kill"])
def test_a_sweep_broken_off_goes_on(lab: Run, home: Path, how: signal.Signals, status: int) -> None:
    arguments = ("sweep", "bounce.lab", "--method", "random", "--points", "60", "--json")
    started = subprocess.Popen(
        command(*arguments),
        cwd=home.parent,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(home.glob("results/sweep-*/points-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    # a terminal sends Ctrl-C to all processes of a command
    os.killpg(started.pid, how) if how is signal.SIGINT else started.send_signal(how)
    said = started.communicate(timeout=60)
    assert started.returncode == status, said
    assert status < 0 or "goes on from there" in said[1]
    ended = lab(*arguments)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    sweep = document["sweep"]
    assert 8 <= sweep["stored_before"] < 60
    assert len(sweep["points"]) in (60, 61)
    assert document["own"]["values"] == sweep["own_values"]
    assert len(trials(home)) == len({point["measured"]["script_hash"] for point in sweep["points"]}) == sweep["trials"]


def test_exit_plans_are_compared_with_the_agents_own(lab: Run, home: Path) -> None:
    ended = lab("exits", "--agent", "Guardian")
    assert ended.returncode == 0, ended.stderr
    for word in ("own", "conservative", "aggressive", "time-based", "ATR-adaptive", "price-action"):
        assert f"\n{word} " in ended.stdout
    assert "Against own" in ended.stdout
    assert "Warning: Each verdict is at 95 %" in ended.stdout
    assert [trial.purpose for trial in trials(home)] == ["exits"] * 6


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in this process: for what ends before anything is computed."""
    monkeypatch.setenv("LAB_HOME", str(home))
    monkeypatch.chdir(home.parent)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("name", ["sweep", "exits"])
@pytest.mark.parametrize("arguments", [(), ("bounce.lab", "--agent", "Guardian"), ("--method", "guess")], ids=" ".join)
def test_wrong_usage_exits_2(here: Callable[..., Result], name: str, arguments: tuple[str, ...]) -> None:
    assert here(name, *arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sweep", "--agent", "nobody"), "There is no agent named 'nobody'"),
        (("sweep", "bounce.lab", "--parameters", "lout"), "There is no parameter 'lout'; the scripts have near, loud,"),
        (("sweep", "bounce.lab", "--parameters", "loud=5"), "write loud=LOW:HIGH"),
        (("exits", "no-such-file.lab"), "no-such-file.lab can't be read"),
        (("exits", "bounce.lab", "--risk", "reckless"), "There is no risk 'reckless'"),
    ],
)
def test_what_is_wrong_is_a_sentence(here: Callable[..., Result], arguments: tuple[str, ...], sentence: str) -> None:
    ended = here(*arguments)
    assert ended.stdout == ""
    assert isinstance(ended.exception, LabError)
    assert sentence in str(ended.exception)
