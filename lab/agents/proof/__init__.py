"""What a result is worth beyond its own learning span: walk-forward, robustness, the null arm, the vault, verdicts and graduation."""

from __future__ import annotations
