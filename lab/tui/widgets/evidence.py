"""The evidence an analysis cites by id, as lines to look up below its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from textual.content import Content

from lab.agents.views import EvidenceRow
from lab.tui.text import clean
from lab.tui.widgets.flow import BLANK, Line

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_ID = re.compile(r"\bE\d+\b")


def cited(analysis: str, evidence: Sequence[EvidenceRow]) -> tuple[EvidenceRow, ...]:
    """The evidence whose ids stand in brackets in the text, in the order of ids."""
    ids = {found for inside in _BRACKETS.findall(analysis) for found in _ID.findall(inside)}
    return tuple(row for row in evidence if row.id in ids)


def evidence_lines(rows: Sequence[EvidenceRow]) -> list[Line]:
    """A line a piece of evidence: id, what it is, its figure."""
    if not rows:
        return []
    label = min(34, max(len(clean(row.label)) for row in rows))
    mark = max(len(row.id) for row in rows) + 2
    lines: list[Line] = [BLANK, (Content.styled("What it cites", "bold"), 0)]
    for row in rows:
        what = f"{clean(row.label):<{label}}  "
        line = Content.assemble((f"{clean(row.id):<{mark}}", "$text-accent"), (what, "$foreground-muted"), clean(row.figure))
        lines.append((line, mark + label + 2))
    return lines
