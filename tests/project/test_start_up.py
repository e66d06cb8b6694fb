"""What the interface's process loads: Textual and our screens. Everything heavy lives in the process of its laboratory."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("polars", "sqlmodel", "sqlalchemy", "anthropic", "polygon", "pandas", "scipy", "numpy", "alembic", "arch")
FIRST = ("lab.cli.program", "lab.work.lab_client", "lab.tui.app", "lab.tui.screens.opening", "lab.tui.screens.dashboard")
LATER = ("pydantic", "plotext", "sqlite3", "importlib.metadata")
"""Loaded when first needed, but not before the first paint."""


def loaded(code: str, *names: str) -> list[str]:
    """Of these modules those that are loaded after the code."""
    code = f"{code}\nimport sys; print(' '.join(name for name in sys.argv[1:] if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True).stdout.split()


def test_the_program_starts_without_loading_anything_heavy() -> None:
    assert loaded(f"import {', '.join(FIRST)}", *HEAVY, *LATER) == []


def test_no_screen_loads_anything_heavy() -> None:
    """Not even one that is opened later: its import would hold up every key, and stay in memory."""
    code = """
import importlib, pkgutil, lab.tui.screens, lab.tui.widgets
for package in (lab.tui.screens, lab.tui.widgets):
    for found in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{found.name}")
"""
    assert loaded(code, *HEAVY) == []
