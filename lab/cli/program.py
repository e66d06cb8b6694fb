"""Opening the full-screen program."""

from __future__ import annotations

import sys
from pathlib import Path

NO_TERMINAL = "lab: this is a full-screen program and needs a terminal; for scripts there are commands: see `lab --help`."


def open_program(home: Path | None = None) -> int:
    """Run the program on a workspace until the person quits. Returns the exit status."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(NO_TERMINAL, file=sys.stderr)
        return 2
    from lab.settings import Settings
    from lab.tui.ahead import Ahead
    from lab.work.lab_client import LabClient, remote_lab

    settings = Settings()
    # Started first: it reads the workspace while this process loads what draws it.
    ahead = Ahead(remote_lab(LabClient(home or settings.home)))
    from lab.tui.app import LabApp

    app = LabApp(home or settings.home, ahead=ahead)
    app.run(mouse=settings.mouse)
    return app.return_code or 0
