"""The program with a probe in its event loop: `python -m tests.benchmarks.probed_program FILE` writes the pauses there when it ends.

A pause is how much later than asked for a callback of the loop runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from lab.settings import Settings
from lab.tui.app import LabApp

EVERY_SECONDS = 0.005
STARTED_SECONDS = 3.0
"""Pauses of the start are not counted: what is loaded then is loaded once."""


class ProbedApp(LabApp):
    """Notes how late its loop is."""

    pauses: list[float]

    def on_ready(self) -> None:
        self.pauses = []
        self.run_worker(self._probe(), group="probe")

    async def _probe(self) -> None:
        await asyncio.sleep(STARTED_SECONDS)
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(EVERY_SECONDS)
            self.pauses.append(time.perf_counter() - asked - EVERY_SECONDS)


if __name__ == "__main__":
    app = ProbedApp(Settings().home)
    app.run()
    Path(sys.argv[1]).write_text(json.dumps(app.pauses))
    sys.exit(app.return_code or 0)
