"""Which revision of the schema this lab speaks, known without loading the database layer."""

from __future__ import annotations

HEAD = "0012"
"""The newest revision in `migrations/versions`."""
