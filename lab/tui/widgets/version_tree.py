"""Strategy versions as a tree: which came from which, which is current, which two are marked to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.agents.views import VersionRow


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A version with the branch lines that stand before it."""

    branch: str
    """Such as "│ ├─ "; "" for a root."""
    version: VersionRow


def tree_rows(versions: Sequence[VersionRow]) -> tuple[TreeRow, ...]:
    """Versions in tree order, children below their parent in order of creation.

    A straight line of versions stays flush left: a branch is drawn only where a version has several children.
    A version whose parent is not in the list is a root.
    """
    known = {version.version for version in versions}
    children: dict[str | None, list[VersionRow]] = {}
    for version in versions:
        parent = version.parent_version if version.parent_version in known and version.parent_version != version.version else None
        children.setdefault(parent, []).append(version)
    rows: list[TreeRow] = []
    # A stack, not recursion: an agent may have a thousand versions in one line.
    stack = [(version, "", "") for version in reversed(children.get(None, []))]
    while stack:
        version, lead, below = stack.pop()
        rows.append(TreeRow(lead, version))
        following = children.get(version.version, [])
        if len(following) == 1:
            stack.append((following[0], below, below))
            continue
        for at, child in reversed(list(enumerate(following))):
            last = at == len(following) - 1
            stack.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
    return tuple(rows)


class Marks:
    """At most two marked versions; marking a third lets go of the older mark."""

    def __init__(self) -> None:
        self._ids: list[int] = []

    @property
    def ids(self) -> tuple[int, ...]:
        """Marked ids in the order of marking."""
        return tuple(self._ids)

    def toggle(self, version_id: int) -> None:
        """Mark, or unmark where it is marked."""
        if version_id in self._ids:
            self._ids.remove(version_id)
        else:
            self._ids = [*self._ids[-1:], version_id]

    def keep(self, existing: Sequence[int]) -> None:
        """Let go of marks on versions that are no longer there."""
        self._ids = [version_id for version_id in self._ids if version_id in existing]
