"""From the command line: a study done by the worker in its own processes, the report, the vault and the decision."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lab.agents.service import Lab
from lab.cli.commands import app
from lab.work import worker


def command(lab: Lab, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setenv("LAB_HOME", str(lab.workspace.home))
    return CliRunner().invoke(app, list(words))


def test_a_study_is_done_by_a_worker_and_read_in_the_report(learned: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, agent_id = learned, 1
    iteration_id = lab.iteration(1).row.id
    lab.proof.ask("robustness", iteration_id)
    lab.proof.open_vault(agent_id)
    asyncio.run(worker.run(lab.workspace.home, drain=True, processes=1))
    assert [run.state for run in lab.proof.runs(iteration_id)] == ["done", "done"]
    shown = command(lab, monkeypatch, "report", str(iteration_id))
    assert shown.exit_code == 0, shown.output
    for said in (
        "SYNTHETIC DATA",
        "deflated Sharpe ratio",
        "Tried on overlapping bars",
        "opened 1 time",
        "five best trades removed",
        "Vault, ",
    ):
        assert said in shown.stdout
    page = tmp_path / "sheets" / "one.html"
    assert command(lab, monkeypatch, "report", str(iteration_id), "--html", str(page)).exit_code == 0
    assert "</html>" in page.read_text()
    whole = json.loads(command(lab, monkeypatch, "report", str(iteration_id), "--json").stdout)
    assert whole["vault"]["openings"] == 1
    refused = command(lab, monkeypatch, "report", str(iteration_id), "--html", "/proc/none/x.html")
    assert "can't be written" in str(refused.exception)


def test_graduating_shows_the_checklist_and_keeps_the_vault_shut_unless_told(learned: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = learned
    listed = command(lab, monkeypatch, "graduate", "vwap guardian", "--set", "least_trades=40")
    assert listed.exit_code == 0, listed.output
    assert "least_trades" in listed.stdout
    assert "openings so far: 0" in listed.stdout
    refused = command(lab, monkeypatch, "graduate", "vwap guardian", "--open-vault")
    assert "Without a terminal" in str(refused.exception)
    assert "counted for ever" in refused.output
    assert lab.proof.vault(1).openings == 0
    early = command(lab, monkeypatch, "graduate", "vwap guardian", "--approve", "--note", "now")
    assert "put it up for graduation first" in str(early.exception)
    assert "no rule 'most_fun'" in str(command(lab, monkeypatch, "graduate", "vwap guardian", "--set", "most_fun=1").exception)


def test_the_vault_of_a_universe_is_shown_and_its_boundary_set_before_the_first_test(
    lab: Lab, learned: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = command(lab, monkeypatch, "vault", "demo market", "--until", "2025-01-20", "--folds", "3")
    assert moved.exit_code == 0, moved.output
    assert "to 2025-01-17, not fixed yet; 3 walk-forward folds" in moved.output
    shown = command(learned, monkeypatch, "vault", "Demo market")
    assert "fixed, since something was tested on it; 5 walk-forward folds" in shown.output
    assert "openings so far: 0" in shown.output
    assert "for good" in str(command(learned, monkeypatch, "vault", "Demo market", "--until", "2025-01-02").exception)
