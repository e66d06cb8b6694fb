"""A key is given in every way it can be, everything is done with it, and then it is looked for everywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pexpect
import pytest

from lab.agents.service import Lab
from lab.store.backup import make_backup
from tests.agents.model_server import KEY, Body, Model, Reply, competent, fails, serving
from tests.end_to_end.iterations import ENDED, make_workspace, program, wait_for

POLYGON_KEY = "aSecretKeyOfSomebodyElse4712"
ROOT = Path(__file__).parents[2]
KEYS = (KEY.encode(), POLYGON_KEY.encode())
CRASHING = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from lab.tui.app import LabApp
from tests.tui.fake_lab import FakeLab
home = Path(sys.argv[1])
lab = FakeLab(home)
def breaks(_):
    key = SecretStr(os.environ["ANTHROPIC_API_KEY"])
    plain = key.get_secret_value()
    raise ValueError("broke while a key was at hand")
lab.agent = breaks
app = LabApp(home, lambda _: lab, lambda _: None, home)
app.run()
"""


def children(pid: int) -> list[int]:
    """All processes below this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, below = [], {pid}
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        found += below
    return found


def holding(paths: list[Path]) -> list[Path]:
    """The files that have a key in them."""
    return [path for path in paths if path.is_file() and any(key in path.read_bytes() for key in KEYS)]


@pytest.mark.slow
@pytest.mark.xdist_group("kill")
@pytest.mark.parametrize("given", ["environment", "file"])
def test_no_key_is_found_in_what_a_worker_leaves_nor_in_what_computes_for_it(tmp_path: Path, given: str) -> None:
    home, config = tmp_path / "home", tmp_path / "config"
    make_workspace(home, tickers=2)
    seen: list[bytes] = []

    def looking(body: Body) -> Reply:
        for pid in children(running.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            # Python's own, which clears away what processes leave, computes nothing.
            if b"resource_tracker" not in command:
                seen.append(Path(f"/proc/{pid}/environ").read_bytes() + command)
        return competent(body)

    with serving(Model(brain=looking)) as model:
        keys = {"ANTHROPIC_API_KEY": KEY if given == "environment" else "", "POLYGON_API_KEY": POLYGON_KEY}
        environment = {"LAB_CLAUDE_URL": model.url, "LAB_CONFIG": str(config), "LAB_HOME": str(home), **keys}
        if given == "file":
            command = [sys.executable, "-m", "lab.cli", "usage", "key"]
            told = subprocess.run(command, input=KEY.encode(), env={**os.environ, **environment}, capture_output=True, check=True)
            assert KEY.encode() not in told.stdout + told.stderr
            assert [path.stat().st_mode & 0o777 for path in holding([*config.rglob("*")])] == [0o600]
        # A server that says the key in its error, as some that stand in between do.
        model.script[3] = fails(400, "invalid_request_error", f"bad header: x-api-key: {KEY}")
        for _ in range(2):
            running = program(home, environment)
            try:
                ended = wait_for(home, ENDED)
            finally:
                running.send_signal(signal.SIGTERM)
                running.wait(30)
            lab = Lab(home)
            if ended == "failed":
                assert "bad header" in lab.iteration(1).explanation
                lab.minds.resume(1)
            make_backup(lab.workspace, f"canary {ended}", datetime.now(UTC))
            lab.close()
    assert ended != "failed"
    assert seen, "no process was seen that computes"
    assert not [process for process in seen if any(key in process for key in KEYS)]
    left = [*home.rglob("*")]
    assert any(path.parent.name == "backups" for path in left)
    assert (home / "logs" / "worker.log").stat().st_size > 0, "the canary can only be missed in a log that was written"
    assert holding(left) == []
    for request in model.received:
        head, _, body = request.partition(b"\n{")
        assert KEY.encode() in head
        assert not any(key in body for key in KEYS)


def test_no_key_is_on_the_screen_or_in_the_log_of_a_crash(tmp_path: Path) -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "ANTHROPIC_API_KEY": KEY, "POLYGON_API_KEY": POLYGON_KEY}
    child = pexpect.spawn(
        sys.executable,
        ["-c", CRASHING, str(tmp_path)],
        cwd=str(ROOT),
        env=environment,
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect(b"VWAP Guardian")
    child.send("\r")
    child.expect(pexpect.EOF)
    assert b"lab stopped on an error" in child.before
    assert not any(key in child.before for key in KEYS)
    assert b"broke while a key was at hand" in (tmp_path / "logs" / "lab.log").read_bytes()
    assert holding([*tmp_path.rglob("*")]) == []
