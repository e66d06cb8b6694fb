"""Who a process is, so that another one can tell whether it still lives: host, id, a random part and its start time."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from functools import cache
from pathlib import Path


@cache
def this_host() -> str:
    """The host's name, with what separates two containers of one name on Linux; holds no colon."""
    name = socket.gethostname().replace(":", "-") or "localhost"
    try:
        # Process ids mean something only within one such namespace.
        return f"{name}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return name


def new_owner() -> str:
    """A name for this process as the owner of leases: "host:pid:random:start time"."""
    pid = os.getpid()
    return f"{this_host()}:{pid}:{secrets.token_hex(4)}:{started(pid) or ''}"


def surely_dead(owner: str) -> bool:
    """True when the owner ran on this host and its process is gone; false when it lives or can't be known."""
    parts = owner.rsplit(":", 3)
    if len(parts) != 4 or parts[0] != this_host() or not parts[1].isdigit():
        return False
    return not alive(int(parts[1]), parts[3])


def alive(pid: int, start: str = "") -> bool:
    """Whether the process runs and, where `start` is given, is the one that started then. A zombie does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = started(pid)
    if now is None:
        return False
    return not start or not now or now == start


def started(pid: int) -> str | None:
    """When the process started, in words that differ for a later process of the same id.

    None when there is no such process or it only waits to be buried; empty where the system does not tell.
    """
    try:
        # The name, in parentheses, may itself hold spaces and parentheses: fields are counted from its end.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return None if fields[0] in "ZX" else fields[19]


def _started_by_ps(pid: int) -> str | None:
    try:
        answer = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    state, _, start = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else "_".join(start.replace(":", ".").split())
