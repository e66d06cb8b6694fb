"""A table on Textual's line API, for lists that change while a person moves through them.

Textual's own DataTable renders every visible row again when one cell changes; this one draws only the lines that changed.
Columns shrink and then hide by width, the least important first. Text in cells must come through `lab.tui.text.clean`.
`/` shows only the rows that have certain words; a number typed before a motion repeats it, as in vi. Rows can be marked where
a screen does something with several at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, MouseMove, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lab.tui.actions import COLUMNS_BEFORE, FIND, MARK_ALL, MARK_ROW, MORE_COLUMNS, OPEN, binding
from lab.tui.text import Tone
from lab.tui.widgets.columns import GAP, Column, pages
from lab.tui.widgets.counting import MOTION_BINDINGS, Counting

MARK = "✓"


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    tone: Tone = Tone.PLAIN


Row = tuple[Hashable, tuple[Cell | str, ...]]
"""A row's own id and its cells, one a column."""


def copied(row: Row) -> str:
    """The cells of a row that say something, between tabs."""
    return "\t".join(text for cell in row[1] if (text := (cell if isinstance(cell, str) else cell.text).strip()))


class LineTable(ScrollView, Counting, can_focus=True):
    """Rows by id; the cursor stays on its row when rows come and go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line-table--header", "line-table--cursor", *(f"line-table--{tone}" for tone in Tone)}
    DEFAULT_CSS = """
    LineTable {
        background: $background; color: $foreground; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & > .line-table--header { color: $foreground-muted; text-style: bold; }
        & > .line-table--cursor { background: $panel; text-style: $block-cursor-blurred-text-style; }
        &:focus > .line-table--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: $block-cursor-text-style;
        }
        & > .line-table--strong { text-style: bold; }
        & > .line-table--muted { color: $foreground-muted; }
        & > .line-table--good { color: $text-success; }
        & > .line-table--bad { color: $text-error; }
        & > .line-table--warn { color: $text-warning; }
        & > .line-table--accent { color: $text-accent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOTION_BINDINGS,
        binding(FIND, "find"),
        Binding("escape", "show_all", "All rows", show=False, tooltip="Shows all rows again; after that, takes the marks away."),
        binding(MARK_ROW, "mark"),
        binding(MARK_ALL, "mark_all"),
        binding(MORE_COLUMNS, "columns(1)"),
        binding(COLUMNS_BEFORE, "columns(-1)"),
        binding(OPEN, "select"),
    ]

    class RowHighlighted(Message):
        """The cursor came to a row."""

        def __init__(self, table: LineTable, row_id: Hashable) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

        @property
        def control(self) -> LineTable:
            return self.table

    class RowSelected(RowHighlighted):
        """Enter was pressed on a row, or it was clicked while under the cursor."""

    class RowsMarked(RowHighlighted):
        """Marks were set or taken away."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        header: bool = True,
        marks: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`empty` is our own words, in lines, shown where there are no rows; with `marks` rows can be marked."""
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.empty = empty
        self._marks = marks
        self._marked: set[Hashable] = set()
        self._page, self._pages = 0, 1
        """Which of the pages of columns is shown, and how many there are."""
        self._headings = 1 if header else 0
        self.rows: tuple[Row, ...] = ()
        """The rows shown."""
        self._all: tuple[Row, ...] = ()
        self._sought = ""
        self.cursor = 0
        self._index: dict[Hashable, int] = {}
        self._widths: list[int] = []
        self._laid_out_for = Size(0, 0)
        self._strips: dict[tuple[int, bool, bool], Strip] = {}
        self.virtual_size = self._whole()

    @property
    def cursor_id(self) -> Hashable | None:
        """The id of the row under the cursor."""
        return self.rows[self.cursor][0] if self.rows else None

    @property
    def marked(self) -> tuple[Hashable, ...]:
        """The ids of the marked rows in their order, those not shown because of `seek` too."""
        return tuple(row_id for row_id, _ in self._all if row_id in self._marked)

    @property
    def header(self) -> int:
        """Lines above the rows: the names of the columns, and what is sought."""
        return self._headings + (1 if self._sought else 0)

    @property
    def sought(self) -> str:
        """The words that a row must have to be shown; empty where all are."""
        return self._sought

    def seek(self, words: str) -> None:
        """Show only the rows that have each of these words in one of their cells; all for no words."""
        words = " ".join(words.split())
        if words == self._sought:
            return
        self._sought = words
        self._strips.clear()
        self._show_matching()
        self.refresh()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; only lines that changed are drawn. The cursor stays on its row, or on its line where that row is gone."""
        self._all = tuple(rows)
        self._marked &= {row_id for row_id, _ in self._all}
        self._show_matching()

    def _show_matching(self) -> None:
        old, before, line_before = self.rows, self.cursor_id, self.cursor
        words = self._sought.casefold().split()
        self.rows = tuple(row for row in self._all if all(word in copied(row).casefold() for word in words)) if words else self._all
        self._index = {row_id: line for line, (row_id, _) in enumerate(self.rows)}
        self.cursor = self._index.get(before, min(self.cursor, max(0, len(self.rows) - 1)))
        self.virtual_size = self._whole()
        if self._layout() or len(old) != len(self.rows):
            self._strips.clear()
            self.refresh()
        else:
            for line, (was, now) in enumerate(zip(old, self.rows, strict=True)):
                if was != now or (line in (line_before, self.cursor) and line_before != self.cursor):
                    self._forget(line)
        if self.cursor_id != before and self.rows:
            self._show_cursor()
            self.post_message(self.RowHighlighted(self, self.cursor_id))

    def _whole(self) -> Size:
        return Size(0, len(self.rows) + self.header if self._all else self.empty.count("\n") + 3)

    def move_to(self, row_id: Hashable) -> None:
        """Put the cursor on a row by its id; nothing happens where there is no such row."""
        if (line := self._index.get(row_id)) is not None:
            self._move(line)

    def _layout(self) -> bool:
        """Work out the columns' widths for the room there is; True where they changed."""
        room = self.size.width - 1 - (1 if len(self.rows) + self.header > self.size.height else 0)
        found = pages(self.columns, [[cell if isinstance(cell, str) else cell.text for cell in row] for _, row in self.rows], room)
        self._pages = len(found)
        self._page = min(self._page, self._pages - 1)
        widths = found[self._page]
        changed = widths != self._widths
        self._widths = widths
        return changed

    def render_line(self, y: int) -> Strip:
        if self._laid_out_for != self.size:
            # A table that is scrolled while its tab opens gets its size without being told of it.
            self._laid_out_for = self.size
            self.call_next(self._resized)
        width = self.size.width
        if self._sought and y == 0 and self._all:
            return self._plain(f" / {self._sought}   {len(self.rows):,} of {len(self._all):,}, esc shows all", Tone.ACCENT, width)
        header = y < self.header and bool(self._all)
        line = y - self.header + (0 if header else round(self.scroll_y))
        if not self._all:
            words = self.empty.split("\n")
            return self._plain(f" {words[y - 1]}" if 0 < y <= len(words) else "", Tone.MUTED, width)
        if not header and line >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        key = (-1 if header else line, line == self.cursor and not header, self.has_focus)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw_header(width) if header else self._draw(line, width)
        return strip

    def _plain(self, text: str, tone: Tone, width: int) -> Strip:
        style = self.get_component_rich_style(f"line-table--{tone}")
        return Strip([Segment(set_cell_size(_cut(text, width), width), style)], width)

    def _draw_header(self, width: int) -> Strip:
        style = self.get_component_rich_style("line-table--header")
        strip = self._join([(column.label, style) for column in self.columns], style, width)
        if self._pages > 1:  # › says that there are more columns
            strip = Strip([*strip.crop(0, width - 1), Segment("›", style)], width)
        return strip

    def _draw(self, line: int, width: int) -> Strip:
        base = self.rich_style
        cursor = self.get_component_rich_style("line-table--cursor", partial=True) if line == self.cursor else Style.null()
        cells = []
        for cell in self.rows[line][1]:
            if isinstance(cell, str):
                cells.append((cell, base + cursor))
            else:
                cells.append((cell.text, base + self.get_component_rich_style(f"line-table--{cell.tone}", partial=True) + cursor))
        marked = self.rows[line][0] in self._marked
        first = base + self.get_component_rich_style("line-table--accent", partial=True) + cursor if marked else base
        return self._join(cells, base + cursor, width, (MARK, first) if marked else (" ", base))

    def _join(self, cells: list[tuple[str, Style]], base: Style, width: int, first: tuple[str, Style] | None = None) -> Strip:
        segments = [Segment(*(first or (" ", base)))]
        used = 1
        for n, (text, style) in enumerate(cells):
            if not (room := self._widths[n] if n < len(self._widths) else 0):
                continue
            text = _cut(text, room)
            blank = " " * (room - cell_len(text))
            if used > 1:
                segments.append(Segment(" " * GAP, base))
                used += GAP
            segments.append(Segment(blank + text if self.columns[n].right else text + blank, style))
            used += room
        segments.append(Segment(" " * max(0, width - used), base))
        return Strip(segments).adjust_cell_length(width, base).simplify()

    def _forget(self, line: int) -> None:
        for cursor in (False, True):
            for focus in (False, True):
                self._strips.pop((line, cursor, focus), None)
        y = line - round(self.scroll_y) + self.header
        if self.header <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _move(self, line: int) -> None:
        line = max(0, min(line, len(self.rows) - 1))
        if not self.rows or line == self.cursor:
            return
        before, self.cursor = self.cursor, line
        self._forget(before)
        self._forget(line)
        self._show_cursor()
        self.post_message(self.RowHighlighted(self, self.cursor_id))

    def _show_cursor(self) -> None:
        if not self.size.height:  # shown later: then there is a size to see it in
            return
        page = max(1, self.size.height - self.header)
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + page:
            self.scroll_to(y=self.cursor - page + 1, animate=False, force=True)

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def on_resize(self, event: Resize) -> None:
        self._resized()

    def _resized(self) -> None:
        """Lay everything out for the size it has now."""
        self._laid_out_for = self.size
        self._strips.clear()
        self._layout()
        self._show_cursor()
        self.refresh()

    def on_click(self, event: Click) -> None:
        line = event.y - self.header + round(self.scroll_y)
        if event.y < self.header or line >= len(self.rows):
            return
        if line == self.cursor:
            self.action_select()
        else:
            self._move(line)

    def _on_mouse_move(self, event: MouseMove) -> None:
        event.prevent_default()

    def action_move(self, by: int) -> None:
        self._move(self.cursor + by * self.times())

    def action_page(self, by: int) -> None:
        self._move(self.cursor + by * self.times() * max(1, self.size.height - self.header - 1))

    def action_to_end(self, by: int) -> None:
        if by > 0 and self.counted:
            self._move(self.times() - 1)
        else:
            self._move(0 if by < 0 else len(self.rows) - 1)

    def action_find(self) -> None:
        from lab.tui.screens.find import FindLine

        self.app.push_screen(FindLine(self))

    def action_show_all(self) -> None:
        if self._sought:
            self.seek("")
        else:
            self.mark(())

    def mark(self, row_ids: Iterable[Hashable]) -> None:
        """Mark these rows and no others."""
        before, self._marked = self._marked, set(row_ids) & {row_id for row_id, _ in self._all}
        for row_id in before ^ self._marked:
            if (line := self._index.get(row_id)) is not None:
                self._forget(line)
        if before != self._marked:
            self.post_message(self.RowsMarked(self, self.cursor_id))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on to the next one."""
        chosen = self.rows[self.cursor : self.cursor + self.times()]
        self.mark(self._marked ^ {row_id for row_id, _ in chosen})
        self._move(self.cursor + len(chosen))

    def action_mark_all(self) -> None:
        """Mark all rows that are shown; where all of them are, take their marks away."""
        shown = {row_id for row_id, _ in self.rows}
        self.mark(self._marked - shown if shown <= self._marked else self._marked | shown)

    def action_columns(self, by: int) -> None:
        """Show the next columns that there was no room for."""
        self._page = (self._page + by) % self._pages
        if self._layout():
            self._strips.clear()
            self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "show_all":  # escape goes back where there is nothing to show again
            return bool(self._sought or self._marked)
        if action in ("mark", "mark_all"):
            return self._marks
        # Tables with marks fill a screen of their own; elsewhere the arrows go from tab to tab.
        if action == "columns":
            return self._marks and self._pages > 1
        return super().check_action(action, parameters)

    def copied_text(self) -> str:
        """What copying takes: the cells of the row under the cursor, between tabs."""
        return copied(self.rows[self.cursor]) if self.rows else ""

    def action_select(self) -> None:
        if self.rows:
            self.post_message(self.RowSelected(self, self.cursor_id))


class ReadTable(LineTable):
    """Rows that open nothing, so that the footer does not offer it."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action == "select" else super().check_action(action, parameters)


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


__all__ = ["Cell", "Column", "LineTable", "ReadTable", "Row", "copied"]
