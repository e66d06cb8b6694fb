"""Every action of every place, by its key: the registry is gone through, so an action that is added without a line here fails."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.agents.sampling import SampleRun, SignalCount
from lab.errors import LabError
from lab.store.fetch_states import FetchState
from lab.tui import actions
from lab.tui.actions import Action
from lab.tui.app import LabApp
from lab.tui.places import SCREENS
from lab.tui.screens.creation import CreationScreen
from lab.tui.screens.editor import EditorScreen
from lab.tui.screens.settings import SettingsScreen
from lab.tui.widgets.line_table import LineTable
from lab.tui.widgets.script_editor import ScriptEditor
from lab.tui.widgets.tabs import TabLine
from tests.tui.conftest import MakeApp
from tests.tui.fake_data import fetch
from tests.tui.fake_lab import NOW, FakeLab
from tests.tui.session import Session, session

for target in SCREENS.values():
    importlib.import_module(target.partition(":")[0])


@dataclass(frozen=True, slots=True)
class Key:
    """What a person does before the key, and what they notice after it."""

    then: str
    """Words on the screen, in a notice or among what was asked of the laboratory; "at PLACE" for a screen that opens or is come back to."""
    tab: str = ""
    first: tuple[str, ...] = ()
    """Keys pressed before it."""
    at: tuple[Any, ...] | None = None
    """The place is opened with these instead of the usual arguments."""


BACK = Key("at dashboard")
CHANGES = Key("the screen is another")

KEYS: dict[str, dict[str, Key]] = {
    "everywhere": {
        "approvals": Key("at approvals"),
        "go": Key("at go"),
        "copy": Key("Copied: VWAP Guardian"),
        "help": Key("at help"),
        "command_palette": Key("Search for commands"),
        "next_theme": Key("Theme: paper"),
        "mouse": Key("This terminal keeps its mouse."),
        "quit": Key("What shall become of it?"),
    },
    "lists": {
        "open": Key("at agent"),
        "find": Key("at find"),
        "up": Key("row 2", first=("G",)),
        "down": Key("row 2"),
        "page_up": Key("row 1", first=("G",)),
        "page_down": Key("row 3"),
        "first": Key("row 1", first=("G",)),
        "last": Key("row 3"),
        "mark": Key("✓"),
        "mark_all": CHANGES,
        "columns": Key("Interval"),
        "columns_before": Key("Interval"),
    },
    "cannot_open": {"quit": Key("the program ends")},
    "too_small": {"quit": Key("the program ends")},
    "dashboard": {
        "new_agent": Key("at creation"),
        "iterate": Key("has a proposal that waits for your decision"),
        "stop": Key("VWAP Guardian is not iterating."),
        "order": Key("by trades"),
        "data": Key("at data"),
        "import_file": Key("at import_file"),
        "fetch_bars": Key("at fetch"),
        "delete": Key("at ask_line"),
    },
    "import_file": {"import_bars": Key("Type the path of a file first"), "back": BACK},
    "fetch": {"fetch": Key("Paste your Polygon key here"), "back": BACK},
    "ask_line": {"back": BACK},
    "data": {
        "verify": Key("8 files read"),
        "repair": Key("8 files read"),
        "pause": Key("paused", tab="fetches"),
        "update": Key("at ask_line", tab="fetches"),
        "new_universe": Key("at universe", tab="universes"),
        "edit": Key("at universe", tab="universes"),
        "delete": Key("at confirm", tab="universes"),
        "stop": Key("Nothing is being checked."),
        "import_file": Key("at import_file"),
        "fetch_bars": Key("at fetch"),
        "next_tab": Key("[Fetches"),
        "previous_tab": Key("[Universes"),
        "back": BACK,
    },
    "universe": {"keep_universe": Key("Give the universe a name."), "candidates": Key("rule"), "back": BACK},
    "help": {"back": BACK, "tour": Key("at tour"), "close": BACK},
    "tour": {"next_step": CHANGES, "step_before": replace(CHANGES, first=("l",)), "back": BACK},
    "welcome": {"stop": Key("Nothing is being made.")},
    "confirm": {"yes": BACK, "no": BACK, "back": BACK},
    "find": {"back": BACK},
    "go": {"back": BACK},
    "creation": {
        "create": Key("An agent needs a name."),
        "ask_claude": Key("Say in a sentence how the agent should trade"),
        "example": Key("VWAP Guardian 2"),
        "dry_run": Key("There are no bars to count on.", first=("f2",)),
        "back": BACK,
    },
    "usage": {"budget": Key("at ask_line"), "next_tab": Key("[Purposes]"), "previous_tab": Key("[Calls]"), "back": BACK},
    "settings": {"save": Key("Saved."), "back": BACK},
    "agent": {
        "iterate": Key("waits for your decision first"),
        "guide": Key("waits for your decision first"),
        "stop": Key("No iteration is running."),
        "mark": Key("[x]", tab="versions"),
        "compare": Key("at compare", tab="versions"),
        "make_current": Key("Make version 1.0 current?", tab="versions"),
        "study": Key("Which study?", tab="graduation"),
        "open_vault": Key("at confirm", tab="graduation"),
        "graduate": Key("that comes first", tab="graduation"),
        "send_back": Key("VWAP Guardian is learning.", tab="graduation"),
        "rules": Key("Which bound", tab="graduation"),
        "strategist": Key("at letters", tab="settings"),
        "budget": Key("at ask_line", tab="settings"),
        "learning": Key("at letters", tab="settings"),
        "order": replace(CHANGES, tab="trades"),
        "edit": Key("at settings"),
        "delete": Key("at ask_line"),
        "next_tab": Key("[Iterations"),
        "previous_tab": Key("[Settings"),
        "back": BACK,
    },
    "iteration": {
        "apply": Key("apply 120"),
        "edit": Key("at editor"),
        "discard": Key("at ask_line"),
        "undo": Key("There is no decision here"),
        "iterate": Key("Decide on the suggestion first"),
        "stop": Key("This iteration has ended."),
        "evidence": replace(CHANGES, tab="analysis"),
        "next_citation": replace(CHANGES, tab="analysis"),
        "previous_citation": replace(CHANGES, tab="analysis"),
        "measure": replace(CHANGES, tab="breakdowns"),
        "order": replace(CHANGES, tab="trades"),
        "study": Key("at letters", tab="proof"),
        "calls": Key("at call"),
        "next_tab": Key("[Analysis]"),
        "previous_tab": Key("[Proof]"),
        "budget": Key("at ask_line", at=(31,)),
        "back": BACK,
    },
    "letters": {"back": BACK},
    "waiting": {"back": BACK},
    "doctor": {"look_again": Key("looked 2 times"), "back": BACK},
    "log": {"undo": Key("Only a refinement that an agent's rule applied"), "back": BACK},
    "call": {"next_call": CHANGES, "previous_call": replace(CHANGES, first=("l",)), "raw": CHANGES, "back": BACK},
    "trade": {"next_trade": Key("2 of"), "previous_trade": Key("1 of", first=("l",)), "back": BACK},
    "approvals": {
        "apply": Key("apply 120"),
        "edit": Key("at editor"),
        "discard": Key("at ask_line"),
        "open": Key("at iteration"),
        "read": CHANGES,
        "undo": Key("Taken back", first=("a",)),
        "back": BACK,
    },
    "editor": {
        "apply_edited": Key("apply_edited 120"),
        "next_error": Key("There is no error."),
        "complete": CHANGES,
        "original": replace(CHANGES, first=("a",)),
        "run_sample": CHANGES,
        "back": BACK,
    },
    "sample": {"back": BACK},
    "compare": {"swap": CHANGES, "next_tab": CHANGES, "previous_tab": CHANGES, "back": BACK},
}
"""Place -> action -> what comes of its key."""

ALWAYS = frozenset({"everywhere", "dashboard", "approvals"})
"""Places whose keys are pressed in every run of the tests; the others with the slow ones."""

ARGUMENTS: dict[str, Callable[[LabApp, FakeLab], tuple[object, ...]]] = {
    "agent": lambda app, lab: (1,),
    "iteration": lambda app, lab: (12,),
    "settings": lambda app, lab: (lab.agent(2),),
    "editor": lambda app, lab: (lab.proposals[120],),
    "compare": lambda app, lab: (101, 102),
    "call": lambda app, lab: (1, (1, 2)),
    "trade": lambda app, lab: (((12, 0), (12, 1)),),
    "help": lambda app, lab: (app.screen,),
    "confirm": lambda app, lab: ("Really?",),
    "find": lambda app, lab: (app.screen.query_one(LineTable),),
    "letters": lambda app, lab: ("Which?", {"z": ("Last", "the last one")}),
    "ask_line": lambda app, lab: ("Why?", "", "discard"),
    "sample": lambda app, lab: (SampleRun(SignalCount(0, 20, 4, 4), {"signals": 0, "trades": 0}, ()), "nothing", "VWAP Guardian"),
    "cannot_open": lambda app, lab: ("It can't be opened.",),
}


def test_every_action_of_the_registry_has_its_line_here() -> None:
    registered = {place: {action.name for action in group} for place, group in actions.REGISTRY.items() if group}
    assert {place: set(keys) for place, keys in KEYS.items()} == registered


LOOKS: list[object] = []
"""Each time the doctor looked."""


class NoCounter:
    """Stands where a process would be started to count signals."""

    def __init__(self, sample: object) -> None:
        pass

    async def count(self, scan: str, execution: str) -> None:
        raise LabError("No process is started here.")

    run = count

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def nothing_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    LOOKS.clear()
    monkeypatch.setattr(EditorScreen, "make_counter", NoCounter)
    monkeypatch.setattr(CreationScreen, "make_counter", NoCounter)


def prepared(tmp_path: Path) -> FakeLab:
    lab = FakeLab(tmp_path)
    lab.fetches.views = [fetch(1, FetchState.RUNNING)]
    lab.happened = lambda: ()  # type: ignore[attr-defined]
    lab.installation = lambda config: LOOKS.append(config) or ()  # type: ignore[attr-defined]
    lab.iterations[31] = replace(lab.iterations[31], paused_until=NOW + timedelta(days=300))
    return lab


def noticed(s: Session) -> str:
    """Everything a person could notice, and what was asked of the laboratory."""
    table = next(iter(s.app.screen.query(LineTable)), None)
    row = f"row {table.cursor + 1}" if table is not None else ""
    ended = "the program ends" if s.app._exit else ""
    looked = f"looked {len(LOOKS)} times"
    return "\n".join([f"at {s.place}", s.text(), s.told(), *s.lab.calls, row, ended, looked])


def picture(s: Session) -> str:
    """What is on the screen, colours too."""
    return repr([[(segment.text, str(segment.style)) for segment in strip] for strip in s.app.screen._compositor.render_strips()])


async def opened(s: Session, place: str, key: Key) -> None:
    """The place as if it had just been come to, with a laboratory nothing has happened in."""
    if place == "welcome":  # the first screen of an empty workspace
        await s.at(place)
        return
    s.lab = prepared(s.app.home)
    s.app._lab = s.lab  # type: ignore[assignment]
    s.app._exit = False
    s.app._notifications.clear()
    s.app.open_first("dashboard")
    await s.at("dashboard")
    await s.until(lambda: getattr(s.app.screen, "data", None) is not None, "the agents are read")
    if place not in ("dashboard", "everywhere", "lists"):
        arguments = key.at or ARGUMENTS.get(place, lambda app, lab: ())(s.app, s.lab)
        s.app.push_screen(SettingsScreen(*arguments) if place == "settings" else s.app.make(place, *arguments))  # type: ignore[arg-type]
        if place == "too_small":  # uncovers at once what it need not cover
            await s.pilot.resize_terminal(40, 10)
        await s.at(place)
    if key.tab:
        s.app.screen.query_one(TabLine).active = key.tab
        await s.until(lambda: key.tab == s.app.screen.query_one(TabLine).active, key.tab)
    if place == "editor":
        await s.until(lambda: s.app.screen.query_one(ScriptEditor).settled, "the scripts are checked")
    await s.press(*key.first)


async def pressed(s: Session, place: str, action: Action, key: Key) -> str:
    """What is wrong with the action's keys, nothing where each of them reaches it and the first does what it should."""
    await opened(s, place, key)
    active = s.app.screen.active_bindings
    for each in action.keys.split(","):
        found = active.get(each)
        if found is None or found.binding.id != action.name:
            return f"{place}: {each} does not reach {action.name} but {found and found.binding.action}"
    before, drawn = noticed(s), picture(s)
    if key.then in before:
        return f"{place}: {key.then!r} is there before {action.name}"
    await s.press(action.keys.split(",")[0])
    try:
        await s.until(lambda: picture(s) != drawn if key.then == CHANGES.then else key.then in noticed(s), key.then)
    except AssertionError:
        after = noticed(s)
        new = [line.strip() for line in after.split("\n") if line not in before.split("\n")]
        return f"{place}: {action.name} gave {new[:6]}, not {key.then!r}"
    return ""


@pytest.mark.parametrize("place", [pytest.param(each, marks=() if each in ALWAYS else pytest.mark.slow) for each in KEYS])
async def test_each_key_of_a_place_does_what_it_says(make_app: MakeApp, tmp_path: Path, place: str) -> None:
    wrong = []
    todo = [(action, key) for action in actions.REGISTRY[place] if (key := KEYS[place].get(action.name)) is not None]
    lab = FakeLab(tmp_path, empty=True) if place == "welcome" else prepared(tmp_path)
    async with session(make_app, lab, (100, 50 if place == "creation" else 30)) as s:
        for action, key in todo:
            if found := await pressed(s, place, action, key):
                wrong.append(found)
    assert wrong == []
