"""What every screen and modal shares: its actions, its snapshot of the workspace, its title and footer.

How to write a screen, in a file of its own:

    class AgentScreen(LabScreen[AgentView]):
        PLACE = "agent"                              # its name in help, footer and keymap
        TITLE = "Agent"
        ACTIONS = (ITERATE, EDIT, Action("compare", "c", "Compare", "Compares two versions."))   # shared ones: lab.tui.actions

        def __init__(self, agent_id: int) -> None: ...           # positional arguments of `app.open("agent", agent_id)`
        def compose_body(self) -> ComposeResult: ...             # title bar and footer are made by LabScreen
        def load(self) -> AgentView: return self.lab.agent(...)  # in a thread, when the workspace has changed
        def show(self, data: AgentView) -> None: ...             # on the loop, only when the data differ; touches widgets only
        def why_not(self, name: str) -> str | None: ...          # why an action can't be done now: dims its key, shown when pressed
        async def action_compare(self) -> None:                  # runs in a worker, never twice at once: may await modals
            if done := await self.attempt(self.lab.compare_versions, a, b): ... done.value

`self.data` is the newest snapshot (None before the first), `self.reload()` asks for another at once, `self.subtitle = "..."` sets
the text beside the title, `self.refresh_actions()` redraws the footer when `why_not` changed. Screens and modals are registered by
name in `lab.tui.places.SCREENS` and opened by `self.app.open("name", *args)`; a question is
`self.pose("confirm", question, "Delete", "Keep", then=self._delete)`, asked at once so that no key typed ahead is misunderstood.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.worker import Worker

from lab.errors import LabError
from lab.tui.actions import BACK, Action, register
from lab.tui.text import clean
from lab.tui.widgets.bars import ActionBar, TitleBar

if TYPE_CHECKING:
    from lab.agents.service import Lab
    from lab.tui.app import LabApp

AnswerT = TypeVar("AnswerT")
DataT = TypeVar("DataT")
ValueT = TypeVar("ValueT")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Done(Generic[ValueT]):
    """The value of a call that succeeded."""

    value: ValueT


class Place(Screen[AnswerT]):
    """A screen or modal whose keys come from `ACTIONS`."""

    PLACE: ClassVar[str] = ""
    ACTIONS: ClassVar[tuple[Action, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        if cls.PLACE and "ACTIONS" in cls.__dict__:
            cls.BINDINGS = register(cls.PLACE, cls.ACTIONS, question=issubclass(cls, ModalScreen))  # type: ignore[assignment]  # Textual types it as a wider, invariant list
        super().__init_subclass__(**options)

    def __init__(self) -> None:
        super().__init__()
        self._acting: set[str] = set()

    def on_screen_resume(self) -> None:
        # A screen opened over the notice of a too small terminal must not hide it.
        self.app.call_later(self.lab_app.fit)

    @property
    def lab_app(self) -> LabApp:
        return cast("LabApp", self.app)

    @property
    def lab(self) -> Lab:
        return self.lab_app.lab

    @property
    def is_open(self) -> bool:
        """Whether it was not left meanwhile; what it is made of is gone then."""
        return self in self.app.screen_stack

    def dismiss(self, result: AnswerT | None = None) -> AwaitComplete:
        """Close it with an answer, once: keys typed ahead may reach a place that the one before them has closed."""
        return super().dismiss(result) if self.is_open else AwaitComplete()

    def run_worker(self, work: Any, *args: Any, **options: Any) -> Worker[Any]:
        """Run it in the background; when the place was left before it ends, what it would have shown is shown nobody."""
        return super().run_worker(self._while_open(work) if inspect.isawaitable(work) else work, *args, **options)

    async def _while_open(self, work: Awaitable[ValueT]) -> ValueT | None:
        try:
            return await work
        except NoMatches:
            if self.is_open:
                raise
            return None

    def why_not(self, name: str) -> str | None:
        """Why the action can't be done now, a sentence; None where it can."""
        return None

    def refresh_actions(self) -> None:
        """Redraw the footer after something changed that `why_not` looks at."""
        self.refresh_bindings()

    def action_do(self, name: str) -> None:
        """Run the action `name`, unless it is running already or there is a reason against it."""
        if name in self._acting:
            return
        if reason := self.why_not(name):
            self.tell(reason, warning=True)
            return
        result = getattr(self, f"action_{name}")()
        if inspect.isawaitable(result):
            self._acting.add(name)
            self.run_worker(self._finish(name, result), group="actions")

    async def _finish(self, name: str, result: Any) -> None:
        try:
            await result
        finally:
            self._acting.discard(name)

    async def attempt(self, function: Callable[P, ValueT], *args: P.args, **kwargs: P.kwargs) -> Done[ValueT] | None:
        """Call the laboratory in a thread. An error of the laboratory is told to the person and gives None."""
        try:
            return Done(await asyncio.to_thread(function, *args, **kwargs))
        except LabError as error:
            self.tell(str(error), error=True)
            return None

    def tell(self, message: str, *, warning: bool = False, error: bool = False) -> None:
        """Show a sentence in the corner for a few seconds."""
        severity = "error" if error else "warning" if warning else "information"
        self.notify(clean(message, lines=True), severity=severity, markup=False, timeout=8 if error else 4)  # type: ignore[arg-type]

    def pose(self, name: str, *args: Any, then: Callable[[Any], Awaitable[None] | None]) -> None:
        """Open a modal at once, so that keys typed ahead reach it and not this place; `then` gets its answer unless it was left.

        What `then` awaits goes on in a worker; where it awaits nothing it is done at once, and may pose the next question.
        """

        def answered(answer: Any) -> None:
            if answer is not None and answer is not False and inspect.isawaitable(doing := then(answer)):
                self.run_worker(doing, group="actions")

        self.app.push_screen(self.lab_app.make(name, *args), answered)

    def action_back(self) -> Awaitable[None] | None:
        self.dismiss(None)
        return None


class LabScreen(Place[None], Generic[DataT]):
    """A full screen that shows a snapshot of the workspace."""

    TITLE = ""
    subtitle: reactive[str] = reactive("")

    DEFAULT_CSS = """
    LabScreen { layout: vertical; background: $background; }
    LabScreen > #body { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.data: DataT | None = None
        self.seen_token: int | None = None
        """The workspace's change token at which `data` was read."""
        self._told = ""
        self._held = ""
        """The action of the first key pressed before there were data, where it needs them."""

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with Vertical(id="body"):
            yield from self.compose_body()
        yield ActionBar()

    @property
    def holds_work(self) -> bool:
        """True where something typed here would be lost if the screen were closed."""
        return False

    def leave(self, question: str) -> None:
        """Close the screen; where something typed here would be lost, after the question."""
        if self.holds_work:
            self.pose("confirm", question, "Leave", "Stay", then=self._left)
        else:
            self.dismiss(None)

    async def _left(self, yes: bool) -> None:
        self.dismiss(None)

    def action_do(self, name: str) -> None:
        """As anywhere; a key that came before the data it needs is done when they have come."""
        if self.data is None and type(self).load is not LabScreen.load and self.why_not(name):
            self._held = self._held or name
        else:
            super().action_do(name)

    def compose_body(self) -> ComposeResult:
        yield from ()

    def load(self) -> DataT | None:
        """Read the snapshot. Runs in a thread."""
        return None

    def show(self, data: DataT) -> None:
        """Put a new snapshot on the screen."""

    def reload(self) -> None:
        """Read the snapshot again at once, such as after a change of one's own."""
        self.seen_token = None
        self.lab_app.wake()

    async def refresh_data(self, token: int) -> None:
        """Called by the program when the workspace changed; shows the snapshot only where it differs."""
        try:
            data = await asyncio.to_thread(self.load)
        except LabError as error:
            self.seen_token, self._held = token, ""
            if (message := str(error)) != self._told:
                self._told = message
                self.tell(message, error=True)
            return
        self._told = ""
        first = self.seen_token is None and self.data is None
        self.seen_token = token
        if not self.is_attached or not self.is_open or data is None or (not first and data == self.data):
            return
        self.data = data
        with self.app.batch_update():
            self.show(data)
        self.refresh_actions()
        if self._held and self.is_current:
            held, self._held = self._held, ""
            self.action_do(held)

    def on_mount(self) -> None:
        if self.data is not None:  # read before the screen was opened
            self.show(self.data)
        self.lab_app.wake()

    def on_screen_resume(self) -> None:
        self.lab_app.wake()


class LabModal(Place[AnswerT], ModalScreen[AnswerT], Generic[AnswerT]):
    """A question over the screen beneath; closed by `self.dismiss(answer)`."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (BACK,)
    DEFAULT_CSS = """
    LabModal { align: center middle; background: $background 60%; }
    LabModal > #box { width: 72; max-width: 96%; height: auto; max-height: 90%; padding: 1 2; border: round $primary;
        background: $surface; }
    """
