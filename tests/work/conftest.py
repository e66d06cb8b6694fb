"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace folder that does not exist yet."""
    return tmp_path / "home"
