"""The first start: where the market data comes from."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from lab.errors import LabError
from lab.tui.actions import OPEN
from lab.tui.progress import Progress, Stopped
from lab.tui.screen import LabScreen
from lab.tui.text import bar, clean

INTRODUCTION = """\
Here you run a small firm of trading agents. You describe an agent in plain English; it writes a strategy, tests it on
cached bars, explains the result and proposes a change. You decide. What you end with is measured, with an honest word on luck.

An agent needs a market to learn on:"""

CHOICES = (
    (
        "demo",
        "Make the demo market",
        "12 invented stocks, 200 sessions of 1-minute bars. Takes seconds, needs no network; results are labelled SYNTHETIC.",
    ),
    (
        "file",
        "Import a CSV or Parquet file",
        "Your own bars. Columns, time zone and timeframe are detected and shown before anything is written.",
    ),
    (
        "polygon",
        "Fetch with a Polygon key",
        "Real bars of any US stock, by the minute or by the day. A free key at polygon.io gives two years of them.",
    ),
)


class Choices(OptionList):
    """An option list that shows its key in the footer and knows vi keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(OPEN.keys, "select", "Choose", id=OPEN.name, tooltip="Takes the choice under the cursor."),
        Binding("k", "cursor_up", "Up", show=False, tooltip="One up."),
        Binding("j", "cursor_down", "Down", show=False, tooltip="One down."),
    ]


class Welcome(LabScreen[None]):
    """Offers what a new workspace can start from."""

    PLACE = "welcome"
    TITLE = "Welcome"
    CSS = """
    Welcome #body { align: center middle; }
    Welcome #column { width: 76; max-width: 96%; height: auto; max-height: 100%; }
    Welcome OptionList { height: auto; margin-top: 1; border: none; background: $background; padding: 0; }
    Welcome OptionList > .option-list--option { padding: 0 1 1 1; }
    Welcome #making { margin-top: 1; height: 2; display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="column", can_focus=False):
            yield Static(INTRODUCTION.replace("\n\n", "\0").replace("\n", " ").replace("\0", "\n\n"))
            yield Choices(
                *[Option(Content.assemble((title, "bold"), "\n", words), id=name) for name, title, words in CHOICES],
                id="choices",
            )
            with Vertical(id="making"):
                yield Static(id="bar")
                yield Static(id="note")

    def on_mount(self) -> None:
        self.watch(self.app, "state", self._leave_when_there_is_data, init=False)

    def _leave_when_there_is_data(self) -> None:
        state = self.lab_app.state
        if state is not None and state.has_data and self._progress is None and self.app.screen is self:
            self.lab_app.open_first("dashboard")

    def on_screen_resume(self) -> None:
        """After an import from here there is nothing more to welcome to."""
        self._leave_when_there_is_data()

    @on(OptionList.OptionSelected)
    async def _chosen(self, event: OptionList.OptionSelected) -> None:
        if event.option_id == "file":
            self.lab_app.open("import_file")
        elif event.option_id == "polygon":
            self.lab_app.open("fetch")
        elif self._progress is None:
            self.run_worker(self._make_demo(), group="demo")

    async def _make_demo(self) -> None:
        self._progress = progress = Progress()
        self.query_one("#choices").disabled = True
        self.query_one("#making").display = True
        timer = self.set_interval(0.1, self._look)
        try:
            await asyncio.to_thread(self.lab.make_demo_market, progress.report)
        except Stopped:
            return
        except LabError as error:
            self.tell(str(error), error=True)
            self.query_one("#making").display = False
            self.query_one("#choices").disabled = False
            self.query_one("#choices").focus()
            return
        finally:
            progress.stop()  # ends the thread too where the program was left meanwhile
            timer.stop()
            self._progress = None
        self.lab_app.wake()
        self._leave_when_there_is_data()

    def _look(self) -> None:
        if self._progress is not None:
            width = max(10, self.query_one("#bar").content_size.width - 6)
            self.query_one("#bar", Static).update(Content(f"{bar(self._progress.fraction, width)} {self._progress.fraction:4.0%}"))
            self.query_one("#note", Static).update(Content.styled(clean(self._progress.note), "$foreground-muted"))
