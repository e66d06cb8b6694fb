"""The one ancestor of every error that is the person's to act on: its text is a sentence they will read."""

from __future__ import annotations


class LabError(Exception):
    """An expected failure; `str(error)` is shown as it is, on stderr or on the screen."""
