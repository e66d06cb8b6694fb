"""How the benchmarks measure: works in turns, medians, ratios printed; peers in processes of their own where a process is measured."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_PEER = "vectorbt is not installed here: `uv sync --group peers` puts it beside the program"


def medians(*works: Callable[[], Any], rounds: int = 5) -> list[float]:
    """Seconds of each, measured in turns: whatever else the machine does meets all of them alike."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, seconds in zip(works, spent, strict=True):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in spent]


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{words}\n")


def in_process(code: str, *arguments: str) -> dict[str, float]:
    """Run a program that prints a JSON object as its last line; adds how long it took from start to end, and its peak memory in bytes."""
    wrapped = (
        "import resource, subprocess, sys, time, json\n"
        "began = time.perf_counter()\n"
        "done = subprocess.run([sys.executable, '-c', *sys.argv[1:]], capture_output=True, text=True)\n"
        "if done.returncode: sys.exit(done.stderr[-3000:])\n"
        "found = json.loads(done.stdout.splitlines()[-1])\n"
        "found['seconds'] = time.perf_counter() - began\n"
        "found['peak_bytes'] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024\n"
        "print(json.dumps(found))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", wrapped, code, *arguments], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
