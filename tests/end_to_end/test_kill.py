"""`kill -9` of the real worker in every step of an iteration: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from lab.agents.service import Lab
from lab.store.models import STEPS
from tests.end_to_end.iterations import ENDED, leavings, make_workspace, program, wait_for


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("kill") / "home"
    make_workspace(home, tickers=4)
    return home


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(workspace, tmp_path / "home"))


@pytest.fixture(scope="module")
def undisturbed(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], ...]:
    copy = Path(shutil.copytree(workspace, tmp_path_factory.mktemp("undisturbed") / "home"))
    running = program(copy)
    assert wait_for(copy, ENDED) != "failed"
    running.send_signal(signal.SIGTERM)
    running.wait(20)
    return leavings(copy)


@pytest.mark.xdist_group("kill")
@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_any_step_the_next_worker_finishes_the_iteration_as_if_nothing_had_happened(
    home: Path, undisturbed: tuple[list[object], ...], step: str
) -> None:
    first = program(home)
    reached = wait_for(home, set(STEPS[STEPS.index(step) :]) | ENDED)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(10)
    if reached in ENDED:
        pytest.fail(f"the step {step} was over before it was seen")

    opened = Lab(home)
    assert "when the lab last closed" in opened.state().notices[0]
    opened.close()

    second = program(home)
    try:
        assert wait_for(home, ENDED) != "failed"
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(20)
    assert leavings(home) == undisturbed
