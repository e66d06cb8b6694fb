"""Signals counted while one types, and scripts run on a sample: the editor's end of `lab.work.sample_process`, started when first asked.

Nothing here computes: Polars must not run in the interface's process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from lab.agents.results import from_json, to_json
from lab.work.errors import TaskFailed, TaskTookTooLong
from lab.work.sample_process import LIMITS
from lab.work.spawning import clean_environment

if TYPE_CHECKING:
    from lab.agents.sampling import Sample, SampleRun, SignalCount

_START_SECONDS = 20.0
"""What loading everything may take beyond the count itself, on a busy machine."""
LONGEST_SECONDS = LIMITS.wall_seconds + _START_SECONDS
"""After so long the first answer has come, or the process that was to give it is ended."""
_LONGEST_ANSWER = 1024 * 1024
"""Bytes of a run's list of signals."""


class SignalCounter:
    """Counts on one sample. Belongs to one event loop; `close` ends its process."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._asked = 0

    async def count(self, scan: str, execution: str) -> SignalCount:
        """How often the scripts signal in the sample. May be cancelled; the next call is then answered rightly all the same.

        Raises:
            TaskFailed: the scripts can't be evaluated on these bars, or their computation was ended. The next call starts afresh.
        """
        from lab.agents.sampling import SignalCount

        return from_json(SignalCount, await self._answer(scan, execution, run=False))

    async def run(self, scan: str, execution: str) -> SampleRun:
        """The scripts run through the account on the sample: what became of each signal. Raises as `count`."""
        from lab.agents.sampling import SampleRun

        return from_json(SampleRun, await self._answer(scan, execution, run=True))

    async def _answer(self, scan: str, execution: str, *, run: bool) -> dict[str, object]:
        async with self._lock:
            seconds = LIMITS.wall_seconds
            if self._process is None or self._process.returncode is not None:
                seconds = LONGEST_SECONDS
                await self._start()
            self._asked += 1
            try:
                answer = await asyncio.wait_for(self._ask(self._asked, scan, execution, run), seconds)
            except TimeoutError:
                await self._end()
                raise TaskTookTooLong(f"The {'run' if run else 'count'} took longer than {seconds:.0f} s and was ended.") from None
            except (OSError, ValueError):
                await self._end()
                raise TaskFailed(f"The process that {'runs' if run else 'counts'} ended by itself.") from None
        if "error" in answer:
            raise TaskFailed(str(answer["error"]))
        return {name: value for name, value in answer.items() if name != "id"}

    async def close(self) -> None:
        """End the process at once, whatever it is doing."""
        await self._end()

    async def _start(self) -> None:
        await self._end()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lab.work.sample_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=clean_environment(os.environ),
            limit=_LONGEST_ANSWER,
        )
        self._write(to_json(self._sample))

    async def _ask(self, number: int, scan: str, execution: str, run: bool) -> dict[str, object]:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        self._write({"id": number, "scan": scan, "execution": execution, "run": run})
        while True:
            line = await process.stdout.readline()
            if not line:
                raise ValueError("the process has ended")
            answer: dict[str, object] = json.loads(line)
            if answer["id"] == number:  # those before were asked by a call that was cancelled
                return answer

    def _write(self, message: dict[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
