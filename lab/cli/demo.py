"""`lab demo`: a throw-away workspace in which three agents have really learned for a few iterations."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.plain import own, plain
from lab.cli.run import follow
from lab.errors import LabError
from lab.work.launch import ensure_worker

if TYPE_CHECKING:
    from lab.agents.service import Lab

AGENTS = {
    "VWAP Guardian": "A conservative VWAP scalper for liquid tech stocks. Buy dips to VWAP in an up market, small risk, out by the close.",
    "Gap Hunter": "An aggressive gap-and-go momentum trader. Trade the first hour of stocks that gap up on heavy volume.",
    "Reversal Artist": "A patient mean-reversion trader. Buy sharp sell-offs with a low RSI near support and sell the bounce.",
}
ROUNDS = 2
"""Iterations of each agent: the refinements of all but the last are applied where there is one."""


def run(keep: Path | None, open_program: Callable[[Path], int] | None) -> int:
    """Make the workspace and open it. Returns the exit status."""
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise LabError(f"{keep} is not empty: choose a new folder for the demo.")
    home = keep or Path(tempfile.mkdtemp(prefix="lab-demo-"))
    try:
        _prepare(home)
        return 0 if open_program is None else open_program(home)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


def _prepare(home: Path) -> None:
    from lab.agents.service import Lab

    lab = Lab(home)
    try:
        ensure_worker(home)  # gets ready while the market is made
        _say("making the demo market")
        universe = lab.make_demo_market(lambda share, note: _say(f"making the demo market: {share:.0%}"))
        ids = [
            lab.create_agent(name, instructions, lab.detect(instructions).personality, universe.id) for name, instructions in AGENTS.items()
        ]
        for agent_id in ids:
            lab.minds.choose(agent_id, "built-in")  # a demo costs nothing, whatever key is set
        for round_number in range(1, ROUNDS + 1):
            _learn(lab, ids, round_number)
        _say("ready", end="\n")
    finally:
        lab.close()


def _learn(lab: Lab, agent_ids: list[int], round_number: int) -> None:
    for proposal in lab.approvals():
        lab.apply(proposal.id)
    started = [lab.start_iteration(agent_id) for agent_id in agent_ids]
    for views in follow(lab, started):
        steps = sum(step.state == "done" for view in views for step in view.steps)
        _say(f"three agents are learning, round {round_number} of {ROUNDS}: {steps} of {6 * len(views)} steps")
    for view in views:
        if view.row.status == "failed":
            raise LabError(f"{view.row.agent}: {view.explanation}")


def _say(line: str, end: str = "") -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[Klab demo: {plain(line)}", end=end, file=own(sys.stderr), flush=True)
