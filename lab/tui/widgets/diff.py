"""A change of scripts, shown twice: as sentences of what it means, and as text with + and - signs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import Static

from lab.tui.text import clean


@dataclass(frozen=True, slots=True)
class DiffLine:
    sign: str
    """"+" new, "-" gone, " " kept, "…" for kept lines left out."""
    text: str


def diff_lines(old: str, new: str, context: int = 2) -> tuple[DiffLine, ...]:
    """The lines that differ, with `context` kept lines around them; () for equal texts."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[DiffLine] = []
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context):
        if lines or group[0][1] > 0:
            lines.append(DiffLine("…", ""))
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                lines += [DiffLine(" ", text) for text in before[old_from:old_to]]
                continue
            lines += [DiffLine("-", text) for text in before[old_from:old_to]]
            lines += [DiffLine("+", text) for text in after[new_from:new_to]]
        if group[-1][2] < len(before):
            lines.append(DiffLine("…", ""))
    return tuple(line for at, line in enumerate(lines) if not (line.sign == "…" and at and lines[at - 1].sign == "…"))


_STYLES = {"+": "$text-success", "-": "$text-error", " ": "$text-muted", "…": "$text-muted"}


def script_diff(title: str, old: str, new: str) -> Content:
    """One script's text diff under its title; says so where nothing changed."""
    lines = diff_lines(old, new)
    if not lines:
        return Content.assemble((f"{title}: unchanged", "$text-muted"))
    parts: list[tuple[str, str]] = [(title, "bold")]
    for line in lines:
        parts.append((f"\n{line.sign} {clean(line.text)}", _STYLES[line.sign]))
    return Content.assemble(*parts)


def change_sentences(changes: Sequence[str]) -> Content:
    """The semantic diff, a bullet a change."""
    if not changes:
        return Content.styled("No change in meaning.", "$text-muted")
    parts: list[str | tuple[str, str]] = []
    for at, change in enumerate(changes):
        parts += [("\n• " if at else "• ", "$text-muted"), (clean(change), "bold")]
    return Content.assemble(*parts)


def whole_diff(changes: Sequence[str], old_scan: str, old_execution: str, new_scan: str, new_execution: str) -> Content:
    """Sentences on top, then both scripts' text diffs."""
    scans = script_diff("scan script", old_scan, new_scan)
    executions = script_diff("execution script", old_execution, new_execution)
    return Content("\n\n").join([change_sentences(changes), scans, executions])


class ScriptDiff(Static):
    """The whole change as one block; put it in something that scrolls."""

    def show(self, changes: Sequence[str], old_scan: str, old_execution: str, new_scan: str, new_execution: str) -> None:
        self.update(whole_diff(changes, old_scan, old_execution, new_scan, new_execution))
