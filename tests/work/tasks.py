"""What the tests have done in processes of the pool."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path

from lab.errors import LabError


class Precise(LabError):
    """A sentence made of more than the sentence."""

    def __init__(self, line: int, *, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: a word too many.")
        self.line = line


class Awkward(Exception):
    """An error that can be pickled but not unpickled."""

    def __init__(self, line: int, *, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: no such name.")


class Unloadable:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return explode, ("on the other side",)


def explode(where: str) -> None:
    raise RuntimeError(where)


def environment() -> tuple[dict[str, str], bytes]:
    return dict(os.environ), Path("/proc/self/environ").read_bytes()


def niceness() -> int:
    return os.nice(0)


def loaded() -> set[str]:
    return set(sys.modules)


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def mark_and_sleep(path: Path, seconds: float) -> None:
    path.write_text(str(os.getpid()))
    time.sleep(seconds)


def spin() -> None:
    while True:
        pass


def use_memory(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def use_memory_in_polars(rows: int) -> int:
    import polars as pl

    return pl.select(pl.int_range(0, rows).cast(pl.Float64)).height


def end_with(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


def leave() -> None:
    sys.exit(3)


def precise() -> None:
    raise Precise(3, column=7)


def awkward() -> None:
    raise Awkward(3, column=7)


def unloadable() -> Unloadable:
    return Unloadable()


def ignore_termination_and_sleep(seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


def core_limit() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)


def divide(a: float, b: float = 1.0) -> float:
    return a / b
