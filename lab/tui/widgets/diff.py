"""A change of scripts, shown twice: as sentences of what it means, and as text with + and - signs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from lab.tui.text import clean
from lab.tui.widgets.flow import BLANK, Line


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


_STYLES = {"+": "$text-success", "-": "$text-error", " ": "$foreground-muted", "…": "$foreground-muted"}


def script_diff(title: str, old: str, new: str) -> list[Line]:
    """One script's text diff under its title; says so where nothing changed."""
    changed = diff_lines(old, new)
    if not changed:
        return [(Content.styled(f"{title}: unchanged", "$foreground-muted"), 2)]
    lines: list[Line] = [(Content.styled(title, "bold"), 0)]
    for line in changed:
        text = clean(line.text)
        indent = 4 + len(text) - len(text.lstrip())
        lines.append((Content.styled(f"{line.sign} {text}", _STYLES[line.sign]), indent))
    return lines


def change_sentences(changes: Sequence[str]) -> list[Line]:
    """The semantic diff, a bullet a change."""
    if not changes:
        return [(Content.styled("No change in meaning.", "$foreground-muted"), 0)]
    return [(Content.assemble(("• ", "$foreground-muted"), (clean(change), "bold")), 2) for change in changes]


def script_diffs(old_scan: str, old_execution: str, new_scan: str, new_execution: str) -> list[Line]:
    """Both scripts' text diffs."""
    scans = script_diff("scan script", old_scan, new_scan)
    executions = script_diff("execution script", old_execution, new_execution)
    return [*scans, BLANK, *executions]
