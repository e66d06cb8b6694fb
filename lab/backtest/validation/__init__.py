"""Whether a result would hold: folds of time, overfitting among many variants, and what a result hangs on."""

from __future__ import annotations
