"""Who may import whom: the path of data is visible in the imports, and nothing imports back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = {"errors", "on_use", "__init__"}
ALLOWED = {
    "errors": set(),
    "on_use": set(),
    "arrow": set(),
    "compiled": {"errors"},
    "settings": BASE,
    "script": BASE | {"arrow"},
    "market": BASE | {"arrow"},
    "backtest": BASE | {"script"},
    "store": BASE | {"settings"},
    "agents": BASE | {"script", "market", "backtest", "store"},
    "work": BASE | {"settings", "store", "agents"},
    "tui": BASE | {"settings", "store", "agents", "work"},
    "cli": BASE | {"compiled", "settings", "store", "agents", "work", "tui"},
}
FOREIGN = {
    "script": {"sqlmodel", "sqlalchemy", "textual", "anthropic", "polygon"},
    "backtest": {"sqlmodel", "sqlalchemy", "textual", "anthropic", "polygon"},
    "market": {"sqlmodel", "sqlalchemy", "textual", "anthropic"},
    "store": {"textual", "anthropic", "polars", "polygon"},
    "agents": {"textual"},
    "work": {"textual"},
    "tui": {"polars", "sqlmodel", "sqlalchemy", "anthropic", "polygon", "pebble"},
}


def modules() -> list[Path]:
    return sorted((ROOT / "lab").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of every module a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the path of data"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT / "lab").parts[0].partition(".")[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    own = room(path)
    if own == "__init__":
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "lab":
            target = parts[1] if len(parts) > 1 else "__init__"
            target = "__init__" if target == "__version__" else target
            assert target == own or target in ALLOWED[own], f"{own} must not import {name}"
        else:
            assert parts[0] not in FOREIGN.get(own, set()), f"{own} must not import {name}"


def test_every_room_has_its_rule() -> None:
    assert {room(path) for path in (*modules(), *(ROOT / "lab").rglob("*.pyx"))} - {"__init__"} == set(ALLOWED)
