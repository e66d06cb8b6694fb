"""The table: moving, resizing, and drawing no more than what changed."""

from __future__ import annotations

from typing import Any

from textual.app import App, ComposeResult
from textual.events import Resize
from textual.geometry import Region
from textual.message import Message

from lab.tui.text import Tone
from lab.tui.widgets.line_table import Cell, Column, LineTable, Row

COLUMNS = (
    Column("Name", least=6, most=20, keep=3),
    Column("Sharpe", least=6, most=8, right=True, keep=2),
    Column("Note", least=10, grow=True),
)


def rows(amount: int, sharpe: float = 1.0) -> list[Row]:
    return [(n, (f"agent {n}", Cell(f"{sharpe:.2f}", Tone.GOOD), "a long note about it")) for n in range(amount)]


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Any]] = []

    def compose(self) -> ComposeResult:
        yield LineTable(COLUMNS, empty="Nothing here yet.", marks=True)

    def on_line_table_row_highlighted(self, event: LineTable.RowHighlighted) -> None:
        self.seen.append(("at", event.row_id))

    def on_line_table_row_selected(self, event: LineTable.RowSelected) -> None:
        self.seen.append(("chose", event.row_id))


def marked(table: LineTable) -> list[Any]:
    return list(table.marked)


def line(table: LineTable, y: int) -> str:
    return table.render_line(y).text.rstrip()


class Untold(LineTable):
    """Is not told of its size, as one whose tab opens while what was there before it is scrolled."""

    def post_message(self, message: Message) -> bool:
        return isinstance(message, Resize) or super().post_message(message)


class UntoldHost(App[None]):
    def compose(self) -> ComposeResult:
        table = Untold(COLUMNS)
        table.display = False
        yield table


async def test_rows_that_came_while_it_was_hidden_show_all_their_columns() -> None:
    async with UntoldHost().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(Untold)
        table.set_rows(rows(3))
        table.display = True
        await pilot.pause()
        await pilot.pause()
        assert line(table, 0).split() == ["Name", "Sharpe", "Note"]
        assert "a long note about it" in line(table, 1)


async def test_vi_keys_and_arrows_move_the_cursor() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(50))
        table.focus()
        for keys, at in (
            (["j", "j"], 2),
            (["up"], 1),
            (["G"], 49),
            (["k"], 48),
            (["1", "2", "k"], 36),
            (["4", "G"], 3),
            (["5", "x", "j"], 4),
            (["1", "0", "down"], 14),
            (["9", "9", "9", "9", "9", "9", "k"], 0),
            (["pagedown"], 10),
            (["end"], 49),
            (["home"], 0),
            (["0", "j"], 1),
            (["home"], 0),
        ):
            await pilot.press(*keys)
            assert table.cursor_id == at
        await pilot.press("j", "enter")
        assert pilot.app.seen[-1] == ("chose", 1)  # type: ignore[attr-defined]


async def test_the_cursor_stays_on_its_row_and_in_sight() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(50))
        table.focus()
        await pilot.press("G")
        await pilot.pause()
        assert "agent 49" in line(table, 11)
        table.set_rows([row for row in rows(50) if row[0] != 3])
        assert table.cursor_id == 49
        table.set_rows(rows(10))
        assert table.cursor_id == 9


async def test_only_lines_that_changed_are_drawn() -> None:
    async with Host().run_test(size=(60, 20)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(15))
        table.focus()
        await pilot.pause()
        drawn: list[Region] = []
        refresh = table.refresh

        def noted(*regions: Region, **options: Any) -> Any:
            drawn.extend(regions or [Region(0, 0, 60, 20)])
            return refresh(*regions, **options)

        table.refresh = noted  # type: ignore[method-assign]
        changed = rows(15)
        changed[7] = (7, ("agent 7", Cell("2.00", Tone.GOOD), "a long note about it"))
        table.set_rows(changed)
        assert [region.y for region in drawn] == [8]
        drawn.clear()
        table.set_rows(changed)
        assert drawn == []
        await pilot.press("j")
        assert sorted(region.y for region in drawn) == [1, 2]


async def test_narrow_columns_shrink_then_hide_the_least_important_first() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(3))
        assert line(table, 0).split() == ["Name", "Sharpe", "Note"]
        await pilot.resize_terminal(32, 12)
        await pilot.pause()
        assert "…" in line(table, 1)
        await pilot.resize_terminal(18, 12)
        await pilot.pause()
        assert line(table, 0).split() == ["Name", "Sharpe"]
        assert all(table.render_line(y).cell_length == 18 for y in range(12))


async def test_an_empty_table_says_what_to_do() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        assert line(table, 1).strip() == "Nothing here yet."
        await pilot.press("j", "enter", "G")
        assert pilot.app.seen == []  # type: ignore[attr-defined]


async def test_wide_characters_keep_the_columns_straight() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows([(1, ("株式会社エージェント一号二号三号", "1.00", "注")), (2, ("plain", "2.00", "x"))])
        assert all(table.render_line(y).cell_length == 60 for y in range(4))


async def test_a_click_moves_the_cursor_and_a_second_one_opens() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(5))
        await pilot.click(LineTable, offset=(5, 3))
        assert table.cursor_id == 2
        await pilot.click(LineTable, offset=(5, 3))
        assert pilot.app.seen[-1] == ("chose", 2)  # type: ignore[attr-defined]


async def test_only_rows_with_the_words_are_shown_and_the_cursor_keeps_its_row() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(50))
        table.focus()
        await pilot.press("1", "3", "j")
        table.seek("agent 3")
        assert [row_id for row_id, _ in table.rows] == [3, 13, 23, *range(30, 40), 43]
        assert line(table, 0) == " / agent 3   14 of 50, esc shows all"
        assert table.cursor_id == 13
        table.set_rows(rows(35))
        assert [row_id for row_id, _ in table.rows] == [3, 13, 23, *range(30, 35)], "also of rows that come later"
        table.move_to(33)
        table.seek("33 LONG")
        assert table.cursor_id == 33
        table.seek("nobody")
        assert (table.cursor_id, line(table, 1).split()) == (None, ["Name", "Sharpe", "Note"])
        await pilot.press("escape")
        assert len(table.rows) == 35


async def test_a_row_is_copied_as_its_cells() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        assert table.copied_text() == ""
        table.set_rows(rows(2))
        assert table.copied_text() == "agent 0\t1.00\ta long note about it"


async def test_marks_stay_on_their_rows_and_escape_takes_them_away() -> None:
    async with Host().run_test(size=(60, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(6))
        table.focus()
        await pilot.press("space", "j", "2", "space")
        assert marked(table) == [0, 2, 3]
        assert [line(table, y)[0] for y in range(1, 7)] == ["✓", " ", "✓", "✓", " ", " "]
        table.set_rows(rows(6)[2:])
        assert marked(table) == [2, 3], "a row that is gone is not marked"
        table.seek("agent 5")
        await pilot.press("asterisk")
        assert marked(table) == [2, 3, 5], "marks of rows that are not shown stay"
        await pilot.press("asterisk")
        assert marked(table) == [2, 3]
        await pilot.press("escape")
        assert table.sought == ""
        assert marked(table) == [2, 3]
        await pilot.press("escape", "home", "9", "space")
        assert marked(table) == [2, 3, 4, 5]
        await pilot.press("escape")
        assert marked(table) == []


async def test_every_column_can_be_reached_where_there_is_room_for_few() -> None:
    async with Host().run_test(size=(20, 12)) as pilot:
        table = pilot.app.query_one(LineTable)
        table.set_rows(rows(3))
        table.focus()
        await pilot.pause()
        assert line(table, 0).split() == ["Name", "Sharpe", "›"]
        await pilot.press("right")
        assert line(table, 0).split() == ["Name", "Note", "›"]
        await pilot.press("l")
        assert line(table, 0).split() == ["Name", "Sharpe", "›"]
        await pilot.resize_terminal(60, 12)
        assert line(table, 0).split() == ["Name", "Sharpe", "Note"]
