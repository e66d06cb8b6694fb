"""What is loaded before the first paint: Textual and our screens, nothing heavy."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("polars", "sqlmodel", "sqlalchemy", "anthropic", "polygon", "pandas", "scipy", "numpy", "alembic", "arch")


def test_the_program_starts_without_loading_anything_heavy() -> None:
    code = "import sys, lab.tui.app; print(' '.join(name for name in sys.argv[1:] if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []
