"""The program over a laboratory in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.tui.app import LabApp
from tests.tui.fake_lab import FakeLab

MakeApp = Callable[..., LabApp]


@pytest.fixture
def fake(tmp_path: Path) -> FakeLab:
    """Three agents, one iterating, two proposals waiting."""
    return FakeLab(tmp_path)


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """Makes the program over a given fake laboratory; worker starts are noted in its `calls`."""

    def make(lab: FakeLab) -> LabApp:
        config = tmp_path / "config"
        config.mkdir(exist_ok=True)
        return LabApp(tmp_path, lambda _: lab, lambda _: lab.calls.append("ensure_worker"), config)  # type: ignore[arg-type,return-value]

    return make
