"""The trading laboratory: a firm of trading agents in a terminal, honest about luck."""

from __future__ import annotations

import atexit
import gc
import os

from lab.compiled import explain_missing

__version__ = "0.1.0"

# What is imported stays: looking through all of it for cycles again and again, as Python does by itself, costs a start 40 ms.
gc.set_threshold(20_000, 20, 50)
# At the end all memory goes back at once: looking through it for cycles before, as Python does, costs 40 ms.
atexit.register(gc.freeze)
# The laboratory's own loops use all processors. Threads of NumPy's linear algebra would spin beside them from the start on, and round
# otherwise here than in a worker, which has none.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
explain_missing()
