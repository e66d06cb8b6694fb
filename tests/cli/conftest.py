"""What the tests of this room share."""

from __future__ import annotations

from tests.agents.conftest import demo_home

__all__ = ["demo_home"]
