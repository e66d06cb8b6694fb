"""The trading laboratory: a firm of trading agents in a terminal, honest about luck."""

from __future__ import annotations

__version__ = "0.1.0"
