"""An analysis and the evidence it cites by id: from each citation a key leads to the very piece of evidence, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.content import Content

from lab.agents.views import EvidenceRow
from lab.tui.text import clean
from lab.tui.widgets.flow import BLANK, Flow, Line, hang, lines_of
from lab.tui.widgets.tabs import Reader

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_ID = re.compile(r"\bE\d+\b")
_CHOSEN = "bold reverse"


@dataclass(frozen=True, slots=True)
class Citation:
    """An id in brackets, at its place in the cleaned text."""

    id: str
    line: int
    start: int
    end: int


def cited(analysis: str, evidence: Sequence[EvidenceRow]) -> tuple[EvidenceRow, ...]:
    """The evidence whose ids stand in brackets in the text, in the order of ids."""
    ids = {found for inside in _BRACKETS.findall(analysis) for found in _ID.findall(inside)}
    return tuple(row for row in evidence if row.id in ids)


def citations(analysis: str, evidence: Sequence[EvidenceRow]) -> tuple[Citation, ...]:
    """Every citation of a piece of evidence that is there, in reading order."""
    known = {row.id for row in evidence}
    return tuple(
        Citation(one.group(), number, bracket.start(1) + one.start(), bracket.start(1) + one.end())
        for number, line in enumerate(clean(analysis, lines=True).split("\n"))
        for bracket in _BRACKETS.finditer(line)
        for one in _ID.finditer(bracket.group(1))
        if one.group() in known
    )


def analysis_lines(analysis: str, found: Sequence[Citation], chosen: Citation | None) -> list[Line]:
    """The text with its citations coloured and the chosen one reversed."""
    lines = lines_of(analysis)
    for citation in found:
        text, indent = lines[citation.line]
        style = _CHOSEN if citation == chosen else "$text-accent"
        lines[citation.line] = (text.stylize(style, citation.start, citation.end), indent)
    return lines


def evidence_lines(rows: Sequence[EvidenceRow], chosen: str = "") -> list[Line]:
    """A line a piece of evidence: id, what it is, its figure; the chosen one reversed."""
    if not rows:
        return []
    label = min(34, max(len(clean(row.label)) for row in rows))
    mark = max(len(row.id) for row in rows) + 2
    lines: list[Line] = [BLANK, (Content.styled("What it cites", "bold"), 0)]
    for row in rows:
        id_, what, figure = f"{clean(row.id):<{mark}}", f"{clean(row.label):<{label}}  ", clean(row.figure)
        styles = (_CHOSEN,) * 3 if row.id == chosen else ("$text-accent", "$foreground-muted", "")
        lines.append((Content.assemble(*zip((id_, what, figure), styles, strict=True)), mark + label + 2))
    return lines


class AnalysisPane(Reader):
    """The text, and below it what it cites. `step` goes through the citations, `look_below` to the list."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._analysis = ""
        self._evidence: tuple[EvidenceRow, ...] = ()
        self._citations: tuple[Citation, ...] = ()
        self._at: int | None = None
        self._below = False
        """Whether the evidence in the list is looked at, not its citation."""

    def compose(self) -> ComposeResult:
        yield Flow(id="analysis-text")
        yield Flow(id="evidence")

    @property
    def cited_ids(self) -> frozenset[str]:
        """The ids that the analysis cites."""
        return frozenset(citation.id for citation in self._citations)

    @property
    def chosen(self) -> Citation | None:
        """The citation one is at."""
        return None if self._at is None else self._citations[self._at]

    def show(self, analysis: str, evidence: Sequence[EvidenceRow]) -> None:
        """Show an analysis that is finished."""
        if (analysis, tuple(evidence)) == (self._analysis, self._evidence):
            return
        self._analysis, self._evidence = analysis, tuple(evidence)
        self._citations = citations(analysis, evidence)
        self._at, self._below = None, False
        self._draw()

    def say(self, lines: list[Line]) -> None:
        """Show words instead, where there is no analysis yet."""
        self._analysis, self._evidence, self._citations, self._at = "", (), (), None
        self.query_one("#analysis-text", Flow).show(lines)
        self.query_one("#evidence", Flow).show([])

    def step(self, by: int) -> None:
        """Go to the next citation but `by`; from none to the first one that is in sight."""
        if not self._citations:
            return
        if self._at is None:
            tops = [self._row(citation) for citation in self._citations]
            ahead = next((n for n, top in enumerate(tops) if top >= self.scroll_y), 0)
            self._at = ahead if by > 0 else max(0, ahead - 1)
        else:
            self._at = (self._at + by) % len(self._citations)
        self._look()

    def choose(self, evidence_id: str) -> bool:
        """Go to a citation of this piece of evidence: the one chosen where it is of it, else the first; False where there is none."""
        if self.chosen is None or self.chosen.id != evidence_id:
            found = next((n for n, citation in enumerate(self._citations) if citation.id == evidence_id), None)
            if found is None:
                return False
            self._at = found
        self._look()
        return True

    @property
    def is_below(self) -> bool:
        """Whether what is looked at is the list of the evidence."""
        return self._below

    def look_below(self) -> None:
        """Look at the chosen citation's line of the list."""
        self._below = True
        self._draw()
        listed = self.query_one("#evidence", Flow)
        rows = cited(self._analysis, self._evidence)
        place = next((n for n, row in enumerate(rows) if self.chosen is not None and row.id == self.chosen.id), 0)
        above = evidence_lines(rows)[: place + 2]
        height = sum(len(hang(line, listed.size.width, indent)) for line, indent in above)
        self._scroll_into_sight(self.query_one("#analysis-text").size.height + height)

    def copied_text(self) -> str:
        """The evidence that is looked at, or the paragraph of the citation one is at, or everything."""
        chosen = self.chosen
        if chosen is None:
            return super().copied_text()
        if self._below:
            found = next((row for row in self._evidence if row.id == chosen.id), None)
            return "" if found is None else "\t".join(map(clean, (found.id, found.label, found.figure)))
        return clean(self._analysis, lines=True).split("\n")[chosen.line]

    def look_up(self) -> None:
        """Look at the chosen citation in the text again."""
        self._look()

    def _look(self) -> None:
        self._below = False
        self._draw()
        if self.chosen is not None:
            self._scroll_into_sight(self._row(self.chosen))

    def _row(self, citation: Citation) -> int:
        """The row of the text in which a citation stands, as it is wrapped now."""
        width = self.query_one("#analysis-text").size.width
        lines = analysis_lines(self._analysis, [citation], citation)
        above = sum(len(hang(line, width, indent)) for line, indent in lines[: citation.line])
        text, indent = lines[citation.line]
        parts = hang(text, width, indent)
        return above + next((n for n, part in enumerate(parts) if any(span.style == _CHOSEN for span in part.spans)), 0)

    def _scroll_into_sight(self, row: int) -> None:
        if not self.scroll_y <= row < self.scroll_y + self.size.height - 1:
            self.scroll_to(y=max(0, row - self.size.height // 3), animate=False)

    def _draw(self) -> None:
        chosen = self.chosen
        text = analysis_lines(self._analysis, self._citations, None if self._below else chosen)
        self.query_one("#analysis-text", Flow).show(text)
        listed = evidence_lines(cited(self._analysis, self._evidence), chosen.id if chosen is not None and self._below else "")
        self.query_one("#evidence", Flow).show(listed)
