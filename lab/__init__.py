"""The trading laboratory: a firm of trading agents in a terminal, honest about luck."""

from __future__ import annotations

import atexit
import gc

from lab.compiled import explain_missing

__version__ = "0.1.0"

# What is imported stays: looking through all of it for cycles again and again, as Python does by itself, costs a start 40 ms.
gc.set_threshold(20_000, 20, 50)
# At the end all memory goes back at once: looking through it for cycles before, as Python does, costs 40 ms.
atexit.register(gc.freeze)
explain_missing()
