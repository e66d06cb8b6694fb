"""The built-in strategist: no network and no model, a baseline that every other strategist is compared with."""

from __future__ import annotations

from lab.agents.builtin.strategist import BuiltInStrategist

__all__ = ["BuiltInStrategist"]
