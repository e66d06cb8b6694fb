"""A small workspace with one iteration queued, and everything that iteration leaves in it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlmodel import select

from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.store.models import AgentIteration, AgentKnowledge, AgentStrategy, IterationStep, Proposal, Trial

INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"
ENDED = {"awaiting approval", "no proposal", "failed"}


def make_workspace(home: Path, tickers: int, sessions: int = 40, a_day_micros: int | None = None) -> None:
    """A demo market of that size, an agent with that budget, and its first iteration waiting."""
    from lab.agents.data import keep_universe
    from lab.market import BarsCache, make_demo_market

    lab = Lab(home)
    made = make_demo_market(
        BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=sessions, tickers=tickers
    )
    universe = keep_universe(
        lab.workspace, lab.store, "Demo market", made.tickers, "1m", "demo", True, made.first_session, made.last_session
    )
    agent_id = lab.create_agent("VWAP Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, universe.id)
    if a_day_micros is not None:
        lab.usage.set_budget(agent_id, a_day_micros)
        lab.usage.set_budget(0, a_day_micros)
    lab.start_iteration(agent_id)
    lab.close()


def program(home: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """The worker as a program of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "lab.work", str(home)], env={**os.environ, **(environment or {})}, **quiet)


def status(home: Path) -> str:
    """What the iteration's row says; nothing where a worker was killed in a commit, which only the next writer can settle."""
    try:
        with closing(sqlite3.connect(f"file:{home / 'lab.sqlite3'}?mode=ro", uri=True, timeout=30)) as database:
            found: str = database.execute("select iteration_status from agent_iterations").fetchone()[0]
            return found
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        return ""


def wait_for(home: Path, wanted: set[str], seconds: float = 240) -> str:
    end = time.monotonic() + seconds
    while (now := status(home)) not in wanted:
        assert time.monotonic() < end, f"the iteration stays {now!r}"
        time.sleep(0.01)
    return now


def leavings(home: Path) -> tuple[list[object], ...]:
    """Everything the iteration left, times and seconds aside."""
    lab = Lab(home)
    try:
        with lab.store.read() as session:
            return (
                [(step.step, step.output) for step in session.exec(select(IterationStep))],
                [(s.version, s.scan_script, s.execution_script, s.is_current_version) for s in session.exec(select(AgentStrategy))],
                sorted((t.script_hash, t.purpose, t.trades, t.sharpe_daily) for t in session.exec(select(Trial))),
                [(i.iteration_status, i.failure, i.backtest_results, i.expert_analysis) for i in session.exec(select(AgentIteration))],
                [(p.title, p.state, p.effect) for p in session.exec(select(Proposal))],
                sorted((k.insight, k.knowledge_type) for k in session.exec(select(AgentKnowledge))),
                sorted(str(path.relative_to(home)) for path in lab.workspace.results.rglob("*") if path.is_file()),
            )
    finally:
        lab.close()
