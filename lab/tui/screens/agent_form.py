"""The form that says who an agent is: name, instructions, universe and personality, read from the words as they are typed.

Each part of the personality follows the words until the person chooses it; backspace on it goes back to what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from lab.agents.alike import alike
from lab.agents.errors import BadAgent
from lab.agents.personality import FOCUSES, MARKETS, RISKS, STYLES
from lab.agents.views import AgentRow, DetectedPersonality, Personality, UniverseView
from lab.errors import LabError
from lab.tui.screen import Done, LabScreen
from lab.tui.text import clean, plural
from lab.tui.widgets.choices import Choices

LONGEST_NAME = 80
PARTS = {"risk": RISKS, "style": STYLES, "focus": FOCUSES, "markets": MARKETS}
DETECT_DELAY_SECONDS = 0.12
P = ParamSpec("P")
ValueT = TypeVar("ValueT")
WidgetT = TypeVar("WidgetT", bound=Widget)


@dataclass(frozen=True, slots=True)
class FormData:
    """What the form has to know of the workspace."""

    universes: tuple[UniverseView, ...]
    others: tuple[AgentRow, ...]
    """The other agents."""

    @property
    def taken(self) -> frozenset[str]:
        """Names other agents have, in lower case."""
        return frozenset(agent.name.casefold() for agent in self.others)


class AgentForm(LabScreen[FormData]):
    """The fields and their errors; a screen built on it says what is done with them."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    DEFAULT_CSS = """
    AgentForm #form { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    AgentForm #form > Input, AgentForm #form > TextArea, AgentForm .box {
        border: round $surface-lighten-2; border-title-color: $foreground-muted; background: $background;
    }
    AgentForm #form > Input { height: 3; padding: 0 1; }
    AgentForm #form > TextArea { height: 6; padding: 0 1; scrollbar-size: 1 1; }
    AgentForm #form > Input:focus, AgentForm #form > TextArea:focus, AgentForm .box:focus-within {
        border: round $primary; border-title-color: $primary;
    }
    AgentForm .box { height: auto; padding: 0 1; }
    AgentForm TextArea > .text-area--placeholder { color: $foreground-muted; }
    AgentForm .part { height: auto; }
    AgentForm .label { width: 10; color: $foreground-muted; }
    AgentForm Choices { width: 1fr; }
    AgentForm .error { height: auto; color: $text-error; padding: 0 1; display: none; }
    AgentForm .error.shown { display: block; }
    AgentForm #universe-note, AgentForm #hint { color: $foreground-muted; height: auto; }
    AgentForm #not-understood { color: $text-warning; height: auto; display: none; }
    AgentForm #read-by { color: $foreground-muted; height: auto; display: none; }
    AgentForm #alike { color: $text-warning; height: auto; display: none; }
    """

    own_reason = "your choice"
    """Said of a part that does not follow the words."""

    def __init__(self) -> None:
        super().__init__()
        self._detected: DetectedPersonality | None = None
        self._own: dict[str, tuple[str, ...]] = {}
        """Parts the person chose; they no longer follow the words."""
        self._timer: Timer | None = None
        self._words_read: str | None = None
        self._universe_id: int | None = None

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            yield _titled(Input(id="name", max_length=LONGEST_NAME, placeholder="such as VWAP Guardian"), "Name")
            yield Static(id="name-error", classes="error", markup=False)
            area = TextArea(id="instructions", tab_behavior="focus", placeholder=self.placeholder())
            yield _titled(area, "Instructions, in plain English")
            yield Static(id="instructions-error", classes="error", markup=False)
            with _titled(VerticalScroll(classes="box", can_focus=False), "Personality, read from your words") as box:
                box.styles.height = "auto"
                for part, words in PARTS.items():
                    with Horizontal(classes="part"):
                        yield Static(part, classes="label")
                        yield Choices(words, several=part in ("focus", "markets"), alone="any market" if part == "markets" else "", id=part)
                yield Static(id="not-understood", markup=False)
                yield Static(id="read-by", markup=False)
                yield Static(id="alike", markup=False)
            with _titled(VerticalScroll(classes="box", can_focus=False), "Universe") as box:
                box.styles.height = "auto"
                yield Choices((), several=False, id="universe")
                yield Static(id="universe-note", markup=False)
            yield Static(id="universe-error", classes="error", markup=False)
            yield from self.compose_more()
            yield Static("tab: next field   space: choose   backspace: as read from your words", id="hint")

    def placeholder(self) -> str:
        """What stands in the empty instructions field."""
        return ""

    def compose_more(self) -> ComposeResult:
        """Fields below the shared ones."""
        yield from ()

    def on_mount(self) -> None:
        self.query_one("#name", Input).focus()
        self._detect()

    # What was typed and chosen

    @property
    def name_typed(self) -> str:
        return self.query_one("#name", Input).value

    @property
    def instructions_typed(self) -> str:
        return self.query_one("#instructions", TextArea).text

    @property
    def universe_chosen(self) -> int | None:
        return self._universe_id

    def personality(self) -> Personality:
        """As it is shown: read from the words, or chosen. Words typed a moment ago are read first."""
        if self._words_read is not None and self._words_read != self.instructions_typed:
            self._detect()
        chosen = {part: self.query_one(f"#{part}", Choices).chosen for part in PARTS}
        return Personality(risk=chosen["risk"][0], style=chosen["style"][0], focus=chosen["focus"], markets=chosen["markets"])

    def choose_own(self, personality: Personality) -> None:
        """Show a personality that does not follow the words."""
        self._own = {"risk": (personality.risk,), "style": (personality.style,), "focus": personality.focus, "markets": personality.markets}
        self._show_personality()

    def choose_universe(self, universe_id: int) -> None:
        """Choose the universe."""
        self._universe_id = universe_id
        if self.data:
            self._show_universes(self.data)

    def show(self, data: FormData) -> None:
        self._show_universes(data)
        self._check_name()
        self._show_alike()

    def _show_alike(self) -> None:
        """Point out agents that are much the same already."""
        found = alike(self.personality(), self.data.others) if self.data and self.instructions_typed.strip() else ()
        note = self.query_one("#alike", Static)
        note.display = bool(found)
        note.update("\n".join(f"like {clean(agent.name)}: {clean(words)}" for agent, words in found))

    def _show_universes(self, data: FormData) -> None:
        names = [clean(universe.name) for universe in data.universes]
        ids = [universe.id for universe in data.universes]
        if self._universe_id not in ids:
            self._universe_id = ids[0] if ids else None
        chosen = next((universe for universe in data.universes if universe.id == self._universe_id), None)
        self.query_one("#universe", Choices).offer(names, [clean(chosen.name)] if chosen else [])
        note = self.query_one("#universe-note", Static)
        if chosen is None:
            note.update("There are no bars yet: make the demo market or import a file first (esc, then f).")
            return
        kind = "SYNTHETIC " if chosen.synthetic else ""
        span = f"learns on {chosen.first_session} to {chosen.learning_until}."
        words = f"{plural(len(chosen.tickers), 'ticker')}, {kind}{chosen.timeframe} bars, {span}"
        note.update(clean(" ".join((words, *chosen.missing_context))))

    # Reading the words

    @on(TextArea.Changed, "#instructions")
    def _words_changed(self) -> None:
        self.error("instructions", "")
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(DETECT_DELAY_SECONDS, self._detect)

    @on(Input.Changed, "#name")
    def _name_changed(self) -> None:
        self._check_name()

    @on(Input.Submitted, "#name")
    def _name_done(self) -> None:
        self.query_one("#instructions", TextArea).focus()

    def _check_name(self) -> None:
        taken = self.data is not None and " ".join(self.name_typed.split()).casefold() in self.data.taken
        full = len(self.name_typed) == LONGEST_NAME
        words = f"A name has at most {LONGEST_NAME} characters; what the agent shall do goes into the field below." if full else ""
        self.error("name", "An agent with this name exists already; choose another name." if taken else words)

    def _detect(self) -> None:
        # Pure and quick, so it may run on the loop.
        self._words_read = self.instructions_typed
        self._detected = self.lab.detect(self._words_read)
        self._show_personality()

    def _show_personality(self) -> None:
        if self._detected is None:
            return
        found = self._detected.personality
        unread = self.query_one("#not-understood", Static)
        unread.display = bool(self._detected.not_understood)
        self._say_who_read(self._detected.read_by)
        unread.update("not understood: " + ", ".join(f"“{clean(words)}”" for words in self._detected.not_understood))
        read = {"risk": (found.risk,), "style": (found.style,), "focus": found.focus, "markets": found.markets}
        for part in PARTS:
            choices = self.query_one(f"#{part}", Choices)
            chosen = self._own.get(part, read[part])
            choices.offer(tuple(dict.fromkeys((*PARTS[part], *chosen))), chosen)
            words = self._detected.because.get(part, ())
            if part in self._own:
                choices.reason = self.own_reason
            elif words:
                choices.reason = "from " + ", ".join(f"“{clean(word)}”" for word in words)
            else:
                choices.reason = "assumed"
        self._show_alike()

    def action_ask_claude(self) -> None:
        """Let Claude read the personality; what it reads is shown in the same places and can be changed like the rest."""
        if self.instructions_typed.strip():
            self._say_who_read("Claude is reading your words…")
            self.run_worker(self._ask_claude(self.instructions_typed), group="personality", exclusive=True)
        else:
            self.error("instructions", "Say in a sentence how the agent should trade; Claude reads it from there.")

    async def _ask_claude(self, words: str) -> None:
        found = await asyncio.to_thread(self.lab.minds.read_personality, words, self.universe_chosen)
        if self.instructions_typed == words:
            self._detected = found
            self._show_personality()
        else:
            self._say_who_read("Your words changed while Claude was reading them: ask again.")

    def _say_who_read(self, sentence: str) -> None:
        note = self.query_one("#read-by", Static)
        note.display = bool(sentence)
        note.update(clean(sentence))

    @on(Choices.Changed)
    def _chosen(self, event: Choices.Changed) -> None:
        choices = event.choices
        if choices.id in PARTS:
            self._own[choices.id] = choices.chosen
            self._show_personality()
        elif self.data and choices.chosen:
            self.choose_universe(next(u.id for u in self.data.universes if clean(u.name) == choices.chosen[0]))

    @on(Choices.Released)
    def _released(self, event: Choices.Released) -> None:
        self._own.pop(event.choices.id or "", None)
        self._show_personality()

    # Errors at their fields

    def error(self, field: str, sentence: str) -> None:
        """Show a sentence at a field, or take it away."""
        place = self.query_one(f"#{field}-error", Static)
        place.update(f"✗ {clean(sentence)}" if sentence else "")
        place.set_class(bool(sentence), "shown")
        if sentence:
            self.call_after_refresh(place.scroll_visible, animate=False)

    def error_fields(self) -> tuple[str, ...]:
        """Fields that can show an error."""
        return ("name", "instructions", "universe")

    async def submit(self, call: Callable[P, ValueT], *args: P.args, **kwargs: P.kwargs) -> Done[ValueT] | None:
        """Call the laboratory with the form's content; an error is shown as a sentence at the field it is about."""
        for field in self.error_fields():
            self.error(field, "")
        try:
            return Done(await asyncio.to_thread(call, *args, **kwargs))
        except BadAgent as error:
            if error.field in self.error_fields():
                self.error(error.field, str(error))
                self.query_one(f"#{error.field}", Widget).focus()
                return None
            self.tell(str(error), error=True)
        except LabError as error:
            self.tell(str(error), error=True)
        return None


def _titled(widget: WidgetT, title: str) -> WidgetT:
    widget.border_title = title
    return widget
