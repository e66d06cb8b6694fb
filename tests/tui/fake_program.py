"""The program over a laboratory in memory, started by tests in a pseudo-terminal: `python -m tests.tui.fake_program HOME`."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.tui.app import LabApp
from tests.tui.fake_lab import FakeLab

if __name__ == "__main__":
    home = Path(sys.argv[1])
    app = LabApp(home, lambda _: FakeLab(home), lambda _: None, home)  # type: ignore[arg-type,return-value]
    app.run()
    sys.exit(app.return_code or 0)
