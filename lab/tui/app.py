"""The program: opens the workspace in a thread, watches it for changes, and opens screens by name."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.events import DescendantFocus, Resize
from textual.reactive import reactive
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import AwaitMount, Widget

from lab.agents.agent_views import WorkspaceState
from lab.errors import LabError
from lab.settings import Settings
from lab.store.workspace import Workspace
from lab.tui import actions
from lab.tui.ahead import Ahead, FirstLook
from lab.tui.crash import log_crash, print_last_words
from lab.tui.own_files import Marks, marks, own_paths
from lab.tui.places import SCREENS
from lab.tui.screen import LabScreen, Place
from lab.tui.text import clean
from lab.tui.themes import DEFAULT, in_16_colours, load_themes, own_folder, without_colours
from lab.tui.widgets.bars import key_name, keys_in_use
from lab.work.lab_client import LabClient, remote_lab

if TYPE_CHECKING:
    from pydantic import SecretStr
    from textual.worker import Worker

    from lab.agents.service import Lab
    from lab.tui.screens.dashboard import Dashboard

POLL_SECONDS = 0.5
KEYS_FIRST_SECONDS, LATEST_SECONDS = 0.15, 0.75
BEHIND_KEY = 0.015, 0.04
SURELY_SECONDS, SETTLED_NS = 5.0, 50_000_000
OWN_FILES_SECONDS = 2.0
FLASH_SECONDS = 0.4
WORKER_SECONDS = 5.0
SWITCH_SECONDS = 0.001
SMALLEST = (60, 20)


def open_lab(home: Path) -> Lab:
    """The real laboratory, in a process of its own: nothing it loads or computes holds up the screen."""
    return remote_lab(LabClient(home))


def start_worker(home: Path) -> None:
    """See that a worker process is alive for this workspace."""
    from lab.work.launch import ensure_worker

    ensure_worker(home)


def start_fetcher(home: Path, key: SecretStr) -> None:
    """See that a process is at this workspace's fetches."""
    from lab.work.fetcher import ensure_fetcher

    ensure_fetcher(home, key)


class LabApp(App[None]):
    """The terminal program over one workspace folder."""

    TITLE = "lab"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [actions.binding(action, action.name) for action in actions.EVERYWHERE]
    COMMAND_PALETTE_BINDING = "ctrl+p"

    CSS = """
    Button, Button.-primary { background: $panel; color: $foreground; text-style: none; }
    Button:focus, Button.-primary:focus { background: $primary; color: $background; text-style: $focus-style; }
    ToastRack { margin-bottom: 1; }
    CommandPalette { background: $background 60%; }
    CommandPalette > Vertical { visibility: visible; margin-top: 1; max-height: 92%; background: $surface; border: round $primary; }
    CommandPalette SearchIcon { display: none; }
    CommandPalette #--input, CommandPalette #--input.--list-visible { border: none; border-bottom: solid $primary; }
    CommandPalette CommandList { border: none; background: $surface; max-height: 60vh; scrollbar-size-vertical: 1; }
    CommandPalette CommandList:focus, CommandPalette CommandInput { background: $surface; }
    CommandPalette CommandList > .option-list--option-highlighted {
        background: $block-cursor-background; color: $block-cursor-foreground;
    }
    OptionList > .option-list--option-highlighted { text-style: $option-style; }
    """

    state: reactive[WorkspaceState | None] = reactive(None)

    def __init__(
        self,
        home: Path,
        lab_factory: Callable[[Path], Lab] = open_lab,
        worker_starter: Callable[[Path], None] = start_worker,
        config: Path | None = None,
        fetcher_starter: Callable[[Path, SecretStr], None] = start_fetcher,
        ahead: Ahead | None = None,
    ) -> None:
        """`config` is the folder of the person's themes and keymap, by default that of the settings.

        `ahead` has opened the laboratory already; without it `lab_factory` does.
        """
        # Told that there are no colours, Textual would make them grey; so it leaves them out, and the ground is the terminal's own.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.animation_level = "none"
        self.home = home
        self.config = config if config is not None else Settings().config
        self._lab_factory = lab_factory
        self._ahead = ahead
        self._worker_starter = worker_starter
        self._fetcher_starter = fetcher_starter
        self._lab: Lab | None = None
        self.typed_at = 0.0
        """When the last key was pressed, on the monotonic clock."""
        self._wake = asyncio.Event()
        self._told: set[str] = set()
        self.own_themes: list[str] = []
        self._marks = self._own_marks()
        self._database_marks: Marks = ()
        self._problems = self._take(*self._read_own())

    @property
    def lab(self) -> Lab:
        """The laboratory; only screens that open after the workspace did may ask for it."""
        if self._lab is None:
            raise RuntimeError("the workspace is not open yet")
        return self._lab

    @property
    def is_open(self) -> bool:
        """Whether there is a laboratory to ask."""
        return self._lab is not None

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        if usual.__name__ != "LinuxDriver":  # Windows, or a driver named in the environment
            return usual
        from lab.tui.terminal import Terminal

        return Terminal

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"focus-style": "bold", "off-style": "not bold", "option-style": "bold"}

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """A cursor in a field stands still: blinking would send bytes all day."""
        field: Any = event.widget
        if getattr(field, "cursor_blink", False):
            field.cursor_blink = False

    def get_default_screen(self) -> Screen[Any]:
        screen: Screen[Any] = self.make("opening")
        return screen

    # The person's own files

    def _own_marks(self) -> Marks:
        return marks(chain(own_paths(self.config), sorted(own_folder().glob("*.toml"))))

    def _read_own(self) -> tuple[list[Theme], list[str], actions.Keymap]:
        """Themes with their problems, and keys. Every screen is imported for the names of its actions, where there are own keys."""
        keymap = self.config / "keymap.toml"
        if keymap.is_file():
            for target in SCREENS.values():
                importlib.import_module(target.partition(":")[0])
        return *load_themes(self.config / "themes"), actions.read_keymap(keymap)

    def _take(self, themes: list[Theme], problems: list[str], keymap: actions.Keymap) -> list[str]:
        """Use these themes and keys; a sentence for each mistake in them."""
        few = self.console.color_system in ("standard", "windows")
        for gone in set(self.own_themes) - {theme.name for theme in themes}:
            self.unregister_theme(gone)
        for theme in themes:
            self.register_theme(without_colours(theme) if self.no_color else in_16_colours(theme) if few else theme)
        self.own_themes = [theme.name for theme in themes]
        if self.theme not in self.own_themes and DEFAULT in self.own_themes:
            self.theme = DEFAULT
        elif self.is_running:
            self._watch_theme(self.theme)  # the colours under the same name may be others
        self.own_keys = keymap.keys
        self.set_keymap(keymap.keys)
        return [*problems, *keymap.problems]

    async def _look_at_own_files(self) -> None:
        """Take up keys and themes that were changed while the program runs."""
        if (now := await asyncio.to_thread(self._own_marks)) == self._marks:
            return
        self._marks = now
        problems = self._take(*await asyncio.to_thread(self._read_own))
        for problem in problems:
            self.notify(clean(problem, lines=True), severity="warning", markup=False, timeout=10)
        if not problems:
            self.notify("Your keys and themes were read again.", markup=False, timeout=3)

    # Opening and watching the workspace

    def on_mount(self) -> None:
        # A thread that draws or reads an answer gives way to a key at once, not after Python's usual 5 ms.
        sys.setswitchinterval(SWITCH_SECONDS)
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name)
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, partial(self.exit, None, 128 + number))
        _: Worker[None] = self.run_worker(self._open, group="open")

    async def _open(self) -> None:
        try:
            ahead = self._ahead or Ahead(await asyncio.to_thread(self._lab_factory, self.home))
            self._lab = ahead.lab
            looking = asyncio.create_task(asyncio.to_thread(ahead.wait))
            with self.batch_update():  # for that long, rather nothing than a screen that is gone at once
                await asyncio.wait({looking}, timeout=FLASH_SECONDS)
                showing = self._show_agents(looking.result()) if looking.done() else None
            showing = showing or self._show_agents(await looking)
            if begun := showing is not None:
                # Opening the laboratory takes a processor that the first screen needs now.
                await showing
                drawn = asyncio.Event()
                self.screen.call_after_refresh(drawn.set)
                with contextlib.suppress(TimeoutError):  # a key may have opened another screen over it
                    await asyncio.wait_for(drawn.wait(), FLASH_SECONDS)
            self.state = await asyncio.to_thread(self.lab.state)
            toured = begun or await asyncio.to_thread(self.lab.preference, "tour") is not None
        except LabError as error:
            self.open("cannot_open", str(error))
            return
        if not begun:
            self.open("dashboard" if self.state.has_data else "welcome")
            if not toured:
                self.open("tour")
        _: Worker[None] = self.run_worker(self._watch, group="watch")
        for problem in (*self._problems, *self.state.notices):
            self.notify(clean(problem, lines=True), markup=False, timeout=10)
        if self.state.unfinished_iterations:
            await self.ensure_worker()
        await self._go_on_fetching()
        gc.freeze()  # what start-up made stays; looking through it again at every collection costs pauses

    def _show_agents(self, look: FirstLook) -> AwaitMount | None:
        """Put the agents on the screen, where there are any: they can be read before everything else is loaded."""
        if look.theme in self.own_themes:
            self.theme = look.theme
        if not look.agents:
            return None
        dashboard: Dashboard = self.make("dashboard")
        dashboard.begin_with(look)
        return self.push_screen(dashboard)

    async def ensure_worker(self, *, again: bool = False) -> None:
        """See that a worker runs the queued iterations; told to the person where that fails, `again` only what was not told yet."""
        try:
            await asyncio.to_thread(self._worker_starter, self.home)
        except LabError as error:
            if not again or str(error) not in self._told:
                self._told.add(str(error))
                self.notify(clean(str(error)), severity="error", markup=False, timeout=8)

    async def _go_on_fetching(self) -> None:
        """Let fetches that were broken off go on with the key at hand; without one the person is told how."""
        if not await asyncio.to_thread(self.lab.fetches.waiting):
            return
        from lab.agents.keys import FILE, polygon_key

        key = await asyncio.to_thread(polygon_key, self.config / FILE)
        try:
            if key is not None:
                await asyncio.to_thread(self._fetcher_starter, self.home, key)
            elif not await asyncio.to_thread(self.lab.fetches.fetcher_alive):
                words = "A fetch was interrupted, and no Polygon key is kept: on the data screen it can go on with the key you type."
                self.notify(words, severity="warning", markup=False, timeout=10)
        except LabError as error:
            self.notify(clean(str(error)), severity="error", markup=False, timeout=8)

    def wake(self) -> None:
        """Look for changes now instead of at the next tick."""
        self._wake.set()

    async def _watch(self) -> None:
        """Look at the change token twice a second; read and show only what has changed."""
        token: int | None = None
        files_at, looked_at, surely_at, worker_at, asked = 0.0, 0.0, 0.0, time.monotonic(), True
        while True:
            if not asked and (left := self._until_keys_rest(looked_at)) > 0:
                asked = await self._asked_within(left)
                continue
            looked_at = time.monotonic()
            self._wake.clear()
            if self._is_working and time.monotonic() - worker_at > WORKER_SECONDS:
                await self.ensure_worker(again=True)  # one that was killed says nothing
                worker_at = time.monotonic()
            if time.monotonic() - files_at > OWN_FILES_SECONDS:
                await self._look_at_own_files()
                files_at = time.monotonic()
            if self._nothing_written() and not asked and looked_at - surely_at < SURELY_SECONDS:
                asked = await self._asked_within(POLL_SECONDS)
                continue
            surely_at = looked_at
            try:
                now = await asyncio.to_thread(self.lab.change_token)
                if now != token:
                    self.state = await asyncio.to_thread(self.lab.state)
                    token = now
            except LabError as error:
                if str(error) not in self._told:
                    self._told.add(str(error))
                    self.notify(clean(str(error)), severity="error", markup=False, timeout=8)
            else:
                screen = self._screen_to_refresh()
                if screen is not None and screen.is_mounted and screen.seen_token != now:
                    await screen.refresh_data(now)
            asked = await self._asked_within(POLL_SECONDS)

    def _nothing_written(self) -> bool:
        """Whether the database's files are as at the last look: asking the laboratory itself twice a second would keep it busy all day."""
        path = Workspace(self.home).database_path
        now = marks(iter((path, path.with_name(f"{path.name}-wal"))))
        before, self._database_marks = self._database_marks, now
        newest = max((written_ns for _, written_ns, _ in now), default=time.time_ns())
        # Two commits within the same tick of the file system's clock leave the same mark.
        return now == before and time.time_ns() - newest > SETTLED_NS

    def _until_keys_rest(self, looked_at: float) -> float:
        """Seconds to wait before what happened elsewhere is shown: on a slow line it must not stand before the next key.

        Where somebody types on, it is shown some time after the last look all the same: just behind a key, when the next is furthest.
        """
        now = time.monotonic()
        since_key = now - self.typed_at
        if now - looked_at < LATEST_SECONDS:
            return KEYS_FIRST_SECONDS - since_key
        return 0.0 if BEHIND_KEY[0] <= since_key < BEHIND_KEY[1] or since_key >= KEYS_FIRST_SECONDS else BEHIND_KEY[0] / 2

    async def _asked_within(self, seconds: float) -> bool:
        """Wait so long, or until somebody wants to see the newest state at once."""
        try:
            return await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return False

    @property
    def _is_working(self) -> bool:
        """Whether iterations run or wait for a worker; those that are paused need none."""
        return self.state is not None and self.state.unfinished_iterations > self.state.paused_iterations

    def _screen_to_refresh(self) -> LabScreen[Any] | None:
        """The screen a person sees: the topmost that is no modal."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, LabScreen)), None)

    async def on_unmount(self) -> None:
        if self._lab is not None:
            await asyncio.to_thread(self._lab.close)

    # Screens by name

    def make(self, name: str, *args: Any) -> Any:
        """A new screen or modal by its registered name."""
        module, _, cls = SCREENS[name].partition(":")
        return getattr(importlib.import_module(module), cls)(*args)

    def open(self, name: str, *args: Any) -> None:
        """Open a screen by its registered name over the present one."""
        self.push_screen(self.make(name, *args))
        self.call_later(self.fit)

    def open_first(self, name: str, *args: Any) -> None:
        """Open a screen as the first one: whatever was open before is closed."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.open(name, *args)

    def on_resize(self, event: Resize) -> None:
        if forget := getattr(self._driver, "forget", None):
            forget()
        self.call_later(self.fit)

    def fit(self) -> None:
        """Cover everything in a terminal too small for the screens, and uncover it when it grows."""
        small = self.size.width < SMALLEST[0] or self.size.height < SMALLEST[1]
        while not small and getattr(self.screen, "PLACE", "") == "too_small":
            self.pop_screen()
        if small and getattr(self.screen, "PLACE", "") != "too_small":
            self.push_screen(self.make("too_small"))

    # Actions that work everywhere

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There are approvals only once there is a workspace with agents' work in it."""
        if action in ("approvals", "go"):
            return self._lab is not None and getattr(self.screen, "PLACE", "") not in ("opening", "welcome", action)
        return True

    def action_approvals(self) -> None:
        self.open("approvals")

    def action_go(self) -> None:
        # Opened at once, not by a worker: the next letter, however fast it is typed, must not reach the screen below.
        self.push_screen(self.make("go"), partial(self._gone, self.focused))

    async def _gone(self, focused: Widget | None, letter: str | None) -> None:
        from lab.tui.screens.go import DESTINATIONS, FIRST

        if letter == FIRST:
            actions = ("to_end(-1)", "scroll_home")
            first = next((each for each in actions if hasattr(focused, f"action_{each.partition('(')[0]}")), None)
            if focused is not None and first is not None:
                await focused.run_action(first)
        elif letter is not None:
            self.go_to(DESTINATIONS[letter][1])

    def go_to(self, name: str) -> None:
        """Go to a screen from wherever one is; the screens between are closed, unless one holds work that would be lost."""
        stack = [screen for screen in self.screen_stack if isinstance(screen, LabScreen)]
        if any(screen.holds_work for screen in stack):
            self.notify("What you wrote here is not saved: finish it or leave it first.", severity="warning", markup=False, timeout=4)
            return
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if getattr(self.screen, "PLACE", "") != name:
            self.open(name)

    def action_copy(self) -> None:
        """Copy by the terminal's own sequence (OSC 52), which reaches the person's clipboard through SSH."""
        source = next((place for place in (self.focused, self.screen) if hasattr(place, "copied_text")), None)
        text = source.copied_text() if source is not None else ""
        if not text:
            self.notify("There is nothing here to copy.", severity="warning", markup=False, timeout=3)
            return
        self.copy_to_clipboard(text)
        shown = " ".join(text.split())
        self.notify(f"Copied: {shown if len(shown) <= 60 else shown[:59] + '…'}", markup=False, timeout=3)

    def copy_to_clipboard(self, text: str) -> None:
        super().copy_to_clipboard(text)
        if os.environ.get("TMUX"):
            from lab.tui.clipboard import copy_by_tmux

            self.run_worker(asyncio.to_thread(copy_by_tmux, text), group="clipboard")

    def action_mouse(self) -> None:
        """Leave the mouse to the terminal, or take it back."""
        from lab.tui.terminal import Terminal

        if not isinstance(self._driver, Terminal):
            self.notify("This terminal keeps its mouse.", severity="warning", markup=False, timeout=3)
            return
        self._driver.give_mouse(not self._driver.has_mouse)
        words = (
            "The mouse works here." if self._driver.has_mouse else f"The mouse is the terminal's own; {self.key_of('mouse')} takes it back."
        )
        self.notify(words, markup=False, timeout=3)

    def key_of(self, name: str) -> str:
        """The key of an action here, as a person reads it."""
        found = keys_in_use(self.screen).get(name)
        return key_name(found[0]) if found else name

    def action_help(self) -> None:
        self.open("help", self.screen)

    def action_next_theme(self) -> None:
        place = self.own_themes.index(self.theme) if self.theme in self.own_themes else -1
        self.choose_theme(self.own_themes[(place + 1) % len(self.own_themes)])

    def choose_theme(self, name: str) -> None:
        """Change the theme and remember it."""
        self.theme = name
        self.notify(f"Theme: {clean(name)}", markup=False, timeout=2)
        if self._lab is not None:
            self.run_worker(asyncio.to_thread(self._lab.set_preference, "theme", name), group="preference")

    async def action_quit(self) -> None:
        from lab.tui.screens.leaving import leave

        leave(self)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the command palette offers: every action of this place and of the program, with its key, and every screen."""
        from lab.tui.screens.go import DESTINATIONS

        for name, (key, active) in keys_in_use(screen).items():
            if name == actions.PALETTE.name or not active.enabled:
                continue
            reason = active.node.why_not(name) if isinstance(active.node, Place) else None
            title = f"{active.binding.description}  ({key_name(key)})"
            words = f"Not now: {clean(reason)}" if reason else active.binding.tooltip
            yield SystemCommand(title, words, partial(self.call_next, self.run_action, active.binding.action, active.node))
        if self.check_action("go", ()):
            for letter, (words, name) in DESTINATIONS.items():
                yield SystemCommand(f"Go to: {words}  (g {letter})", "Goes to the screen from wherever you are.", partial(self.go_to, name))
            yield SystemCommand("Tour", "Shows in five steps what this program does and how one gets around.", partial(self.open, "tour"))
        for name in self.own_themes:
            yield SystemCommand(f"Theme: {clean(name)}", "Changes the colours and remembers it.", lambda name=name: self.choose_theme(name))

    # A crash

    def _fatal_error(self) -> None:
        """Say in a sentence where what happened was written down, without local variables: keys may be among them."""
        where = log_crash(self.home)
        if self._exit_renderables:
            return
        message = f"lab stopped on an error it did not expect. Nothing that was finished is lost. {where}"
        self._exit_renderables.append(message)
        # Nothing may be drawn any more; a terminal without an alternate screen would keep the old picture under the sentence.
        self._begin_batch()
        if self._driver is not None and not self.is_headless:
            self._driver.write("\x1b[0m\x1b[2J\x1b[H")
            self._driver.flush()
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Say why the program stopped. The terminal is as it was before the program."""
        for message in self._exit_renderables:
            print_last_words(message if isinstance(message, str) else "".join(part.text for part in self.console.render(message)))
        self._exit_renderables.clear()
