"""The first start: where the market data comes from."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from lab.errors import LabError
from lab.tui.actions import OPEN, STOP
from lab.tui.progress import Progress, Stopped
from lab.tui.screen import LabScreen
from lab.tui.widgets.working import Working

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
    ACTIONS = (replace(STOP, help="Stops the making of the demo market.", rare=True),)
    CSS = """
    Welcome #body { align: center middle; }
    Welcome #column { width: 76; max-width: 96%; height: auto; max-height: 100%; }
    Welcome OptionList { height: auto; margin-top: 1; border: none; background: $background; padding: 0; }
    Welcome OptionList > .option-list--option { padding: 0 1 1 1; }
    Welcome #making { margin-top: 1; }
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
            yield Working(id="making")

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
        self.query_one(Working).begin(
            "Making the demo market", f"{self.lab_app.key_of('stop')} stops it; nothing is kept then.", progress.doing
        )
        self.refresh_actions()
        try:
            await asyncio.to_thread(self.lab.make_demo_market, progress.report)
        except Stopped:
            self._offer_again()
        except LabError as error:
            self.tell(str(error), error=True)
            self._offer_again()
        else:
            self._progress = None
            self.lab_app.wake()
            self._leave_when_there_is_data()
        finally:
            progress.stop()  # ends the thread too where the program was left meanwhile
            self._progress = None

    def _offer_again(self) -> None:
        if self.is_attached:
            self._progress = None
            self.query_one(Working).end()
            self.query_one("#choices").disabled = False
            self.query_one("#choices").focus()
            self.refresh_actions()

    def why_not(self, name: str) -> str | None:
        return "Nothing is being made." if name == "stop" and self._progress is None else None

    def action_stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
