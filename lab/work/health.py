"""How the workspace's worker is, as `lab doctor` and its screen tell it."""

from __future__ import annotations

from pathlib import Path

from lab.agents.doctor import Finding, Health
from lab.store.workspace import Workspace
from lab.work.launch import worker_pid


def worker_finding(home: Path) -> Finding:
    """Whether a worker is alive; none is no problem, since whatever queues work starts one."""
    pid = worker_pid(home) if home.exists() else None
    log = Workspace(home).logs / "worker.log"
    if pid is None:
        advice = f"One is started when there is work; what it did last is in {log}." if log.exists() else ""
        return Finding("worker", "process", Health.FINE, "none is running", advice)
    return Finding("worker", "process", Health.FINE, f"runs as process {pid}; its log is {log}")
