"""The lock by which every program knows whether a process is at a workspace's fetches."""

from __future__ import annotations

from pathlib import Path

from lab.store.workspace import Workspace


def fetcher_lock(workspace: Workspace) -> Path:
    """The file that the one process at the fetches of a workspace holds locked as long as it lives."""
    return workspace.locks / "fetcher.lock"
