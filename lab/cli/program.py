"""Opening the full-screen program."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.agents.service import Lab

NO_TERMINAL = "lab: this is a full-screen program and needs a terminal; for scripts there are commands: see `lab --help`."


def open_program(home: Path | None = None) -> int:
    """Run the program on a workspace until the person quits. Returns the exit status."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(NO_TERMINAL, file=sys.stderr)
        return 2
    from lab.settings import Settings
    from lab.work.lab_client import LabClient, remote_lab

    settings = Settings()
    # Started first: it reads the workspace while this process loads what draws it.
    lab = remote_lab(LabClient(home or settings.home))
    threading.Thread(target=_read_ahead, args=(lab,), daemon=True).start()
    from lab.tui.app import LabApp

    app = LabApp(home or settings.home, lambda _: lab)
    app.run(mouse=settings.mouse)
    return app.return_code or 0


def _read_ahead(lab: Lab) -> None:
    """Have what the first screen shows ready when it asks; an error is told when it asks again."""
    with suppress(LabError):
        lab.standing()
        lab.firm()
