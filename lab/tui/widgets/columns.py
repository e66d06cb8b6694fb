"""Which columns of a table are shown, and how wide: they shrink and then hide by width, the least important first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: as wide as its content up to `most`, never narrower than `least` while it is shown."""

    label: str
    least: int = 4
    most: int = 60
    right: bool = False
    """Figures are set right."""
    grow: bool = False
    """Takes the room that is left."""
    keep: int = 0
    """The higher, the longer it stays when room gets short."""
    optional: bool = False
    """Hidden while all its cells are empty."""
    spare: bool = False
    """Shown only where the other columns have all the width they can use."""


def pages(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[list[int]]:
    """The columns' widths for the room there is; a hidden column has width 0.

    The first page is what is shown; each further one shows the first column again and, in their order, those that no page before
    it had room for, so that every column can be reached at any width.
    """
    natural = [
        min(column.most, max([column.least, cell_len(column.label), *(cell_len(row[n]) for row in rows)]))
        for n, column in enumerate(columns)
    ]
    filled = [n for n, column in enumerate(columns) if not column.optional or any(row[n] for row in rows)]
    found = [_fit(columns, natural, sorted(filled, key=lambda n: (columns[n].keep, -n)), room, spare=True)]
    left = [n for n in filled if not found[0][n]]
    while left:
        widths = _fit(columns, natural, [*reversed(left), 0], room, spare=False)
        shown = [n for n in left if widths[n]]
        if not shown:  # too narrow for a second column beside the first
            break
        found.append(widths)
        left = [n for n in left if n not in shown]
    return found


def _fit(columns: Sequence[Column], natural: Sequence[int], order: Sequence[int], room: int, *, spare: bool) -> list[int]:
    """The widths of as many columns as have room; `order` names the first to go first."""
    shown: set[int] = set()
    used = -GAP
    for n in reversed(order):
        needed = min(natural[n], columns[n].least) + GAP
        if used + needed <= room or not shown:
            shown.add(n)
            used += needed
    widths = [natural[n] if n in shown else 0 for n in range(len(columns))]
    excess = sum(widths[n] + GAP for n in shown) - GAP - room
    for n in order:
        if spare and excess > 0 and n in shown and columns[n].spare:
            shown.remove(n)
            excess -= widths[n] + GAP
            widths[n] = 0
    for n in order:
        if excess > 0 and n in shown:
            cut = min(excess, widths[n] - min(natural[n], columns[n].least))
            widths[n] -= cut
            excess -= cut
    growing = [n for n in sorted(shown) if columns[n].grow]
    if excess < 0 and growing:
        share, rest = divmod(-excess, len(growing))
        for place, n in enumerate(growing):
            widths[n] += share + (1 if place < rest else 0)
    return widths
