"""Text whose wrapped lines start under their own line's text, not at the edge."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.geometry import Region, Size
from textual.widget import Widget

from lab.tui.text import TONE_STYLES, Tone, clean

Line = tuple[Content, int]
"""A line and how many cells its wrapped lines are set in."""

BLANK: Line = (Content(""), 0)


def lines_of(text: str, tone: Tone = Tone.PLAIN) -> list[Line]:
    """Text from elsewhere, cleaned, a line a line; bullets hang under their words."""
    lines = []
    for line in clean(text, lines=True).split("\n"):
        body = line.lstrip()
        indent = len(line) - len(body) + (2 if body[:2] in ("- ", "* ", "• ") else 0)
        lines.append((Content.styled(line, TONE_STYLES[tone]), indent))
    return lines


def hang(line: Content, width: int, indent: int) -> list[Content]:
    """Wrap one line; every line of it but the first starts `indent` cells in."""
    if line.cell_length <= width:
        return [line]
    indent = min(indent, max(0, width - 16))
    head, *more = line.wrap(max(8, width))
    if not more:
        return [head]
    rest = line[len(head.plain) :]
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    return [head.rstrip(), *(part.rstrip().pad_left(indent) for part in rest.wrap(max(8, width - indent)))]


def differences(before: Content, after: Content) -> Iterator[Region]:
    """Where two drawings of one height differ: at most one region a line, so that no more than it is sent to the terminal."""
    for y, (old, new) in enumerate(zip(before.split("\n", allow_blank=True), after.split("\n", allow_blank=True), strict=True)):
        was, now = _characters(old), _characters(new)
        longest = max(len(was), len(now))
        was += [(" ", ())] * (longest - len(was))
        now += [(" ", ())] * (longest - len(now))
        changed = [x for x in range(longest) if was[x] != now[x]]
        if not changed:
            continue
        if old.cell_length != len(old.plain) or new.cell_length != len(new.plain):
            yield Region(0, y, max(old.cell_length, new.cell_length), 1)
        else:
            yield Region(changed[0], y, changed[-1] + 1 - changed[0], 1)


def _characters(line: Content) -> list[tuple[str, tuple[object, ...]]]:
    """Each character with the styles on it."""
    styles: list[tuple[object, ...]] = [()] * len(line.plain)
    for span in line.spans:
        for x in range(span.start, min(span.end, len(styles))):
            styles[x] = (*styles[x], span.style)
    return list(zip(line.plain, styles, strict=True))


class Flow(Widget):
    """A block of lines, each with the indent its continuation gets; as high as it needs at its width."""

    DEFAULT_CSS = """
    Flow { height: auto; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []

    def show(self, lines: list[Line]) -> None:
        """Show these lines."""
        # Equal contents have the same text; a style alone may have changed.
        if len(lines) == len(self._lines) and all(a.is_same(b) and m == n for (a, m), (b, n) in zip(lines, self._lines, strict=True)):
            return
        width = self.size.width
        # Nothing and one line have as many line ends, but not the same height.
        before = self.render() if width and bool(lines) == bool(self._lines) else None
        self._lines = lines
        if before is not None and before.plain.count("\n") == (after := self.render()).plain.count("\n"):
            if regions := list(differences(before, after)):
                self.refresh(*regions)
        else:
            self.refresh(layout=True)

    @property
    def text(self) -> str:
        """What it shows, unwrapped."""
        return "\n".join(line.plain for line, _ in self._lines)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return sum(len(hang(line, width, indent)) for line, indent in self._lines)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def render(self) -> Content:
        width = self.size.width
        return Content("\n").join([part for line, indent in self._lines for part in hang(line, width, indent)])
