"""How a process of the pool is started: by spawn, with an environment that holds no key."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from multiprocessing import popen_spawn_posix, reduction, resource_tracker, spawn, util
from multiprocessing.context import SpawnContext, SpawnProcess, set_spawning_popen
from multiprocessing.process import BaseProcess
from typing import Any

_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT"})
_KEPT_PREFIXES = ("LC_", "PYTHON", "LD_", "DYLD_", "POLARS_", "RUST_")
_SECRET_ENDINGS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_CREDENTIALS")
_ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a computing process may know of the person's environment: names known to be harmless, nothing else.

    One thread a process: the pool has as many processes as it should use cores, and sums come out the same each time.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if (name in _KEPT or name.startswith(_KEPT_PREFIXES)) and not name.upper().endswith(_SECRET_ENDINGS)
    }
    return {**kept, **dict.fromkeys(_ONE_THREAD, "1")}


class _Popen(popen_spawn_posix.Popen):
    """Spawns as the standard library does, but with an environment of our choice, which it has no argument for.

    Taking the keys out of `os.environ` for the moment of the start would hide them from the program's other threads.
    """

    _fds: list[int]

    def _launch(self, process_obj: BaseProcess) -> None:
        tracker = resource_tracker.getfd()
        pickled = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(_preparation(process_obj.name), pickled)
            reduction.dump(process_obj, pickled)
        finally:
            set_spawning_popen(None)
        # `sentinel` is readable when the child has ended; the child's `child_reads` when this process has.
        self.sentinel, child_writes = os.pipe()
        child_reads, here_writes = os.pipe()
        self.finalizer = util.Finalize(self, _close, [self.sentinel, here_writes])
        try:
            command = spawn.get_command_line(tracker_fd=tracker, pipe_handle=child_reads)
            self.pid = os.posix_spawn(
                os.fsdecode(spawn.get_executable()),
                [os.fsdecode(part) for part in command],
                clean_environment(os.environ),
                # Copying a descriptor onto itself is how it is told to stay open in the child.
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, fd) for fd in {*self._fds, tracker, child_reads, child_writes}],
            )
            with open(here_writes, "wb", closefd=False) as pipe:
                pipe.write(pickled.getbuffer())
        finally:
            os.close(child_reads)
            os.close(child_writes)


def _preparation(name: str) -> dict[str, Any]:
    """What the child is told before it starts, without the program's main module: tasks are functions of other modules,
    and the main one may bring the whole interface with it.
    """
    return {key: value for key, value in spawn.get_preparation_data(name).items() if not key.startswith("init_main")}


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:
        return _Popen(process_obj)


class KeylessContext(SpawnContext):
    """A multiprocessing context whose processes start without the person's keys."""

    Process = _Process
