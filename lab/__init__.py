"""The trading laboratory: a firm of trading agents in a terminal, honest about luck."""

from __future__ import annotations

from lab.compiled import explain_missing

__version__ = "0.1.0"

explain_missing()
