"""The registry of everything a person can do: bindings, footers, help and the command palette are made from it.

A place (a screen or modal) names its actions in its class attribute `ACTIONS`; the action `name` runs the place's
method `action_<name>`. An action that several places know is defined here once, so that a key means the same everywhere.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _normalize_key_list, key_to_character

from lab.tui.own_files import OwnFileError, read_own_file

_MODIFIERS = {"ctrl", "shift", "alt", "super", "meta", "hyper"}
_NAMED = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    """Names the method `action_<name>` and, in a keymap file, the action."""
    keys: str
    """Textual key names, comma separated; the first is the one shown."""
    label: str
    """One to three words for the footer and the palette."""
    help: str
    """What it does, a sentence."""
    footer: bool = True
    """Shown in the footer; the rest is in the help and the palette."""
    rare: bool = False
    """The first to leave the footer when room is short."""


OPEN = Action("open", "enter", "Open", "Opens what the cursor is on.")
FIND = Action("find", "slash", "Find", "Shows only the rows that have the words you type.", footer=False)
MARK_ROW = Action("mark", "space", "Mark", "Marks the row under the cursor, so that keys work on several at once.", rare=True)
MARK_ALL = Action("mark_all", "asterisk", "Mark all", "Marks all rows that are shown, or takes their marks away.", footer=False)
MORE_COLUMNS = Action("columns", "right,l", "Columns", "Shows the columns that there was no room for.", footer=False)
COLUMNS_BEFORE = Action("columns_before", "left,h", "Columns before", "Shows the columns before.", footer=False)
BACK = Action("back", "escape", "Back", "Goes back to where you came from.")
QUIT = Action("quit", "q,ctrl+q", "Quit", "Leaves the program; asks what becomes of iterations that run.")
HELP = Action("help", "question_mark,f1", "Help", "Lists the keys of the place you are in.")
PALETTE = Action("command_palette", "ctrl+p", "Commands", "Finds any action by typing a part of its name.", rare=True)
APPROVALS = Action("approvals", "p", "Approvals", "Opens the proposals that wait for your decision, over all agents.")
COPY = Action("copy", "y", "Copy", "Copies what the cursor is on to your own clipboard, over SSH too.", footer=False)
GO = Action("go", "g", "Go to", "Goes to a screen, or to the first row, by one more letter.", footer=False)
NEW_AGENT = Action("new_agent", "n", "New agent", "Describes a new agent in plain English.")
ITERATE = Action("iterate", "i", "Iterate", "Starts a learning iteration of this agent.")
DATA = Action("data", "b", "Data", "Opens what is cached, fetches and universes.")
IMPORT = Action("import_file", "f", "Import file", "Imports bars from a CSV or Parquet file.", rare=True)
FETCH = Action("fetch_bars", "F", "Fetch bars", "Fetches bars from Polygon with your key.", footer=False)
DELETE = Action("delete", "D", "Delete", "Deletes this agent with its iterations and versions, after asking.", rare=True)
STOP = Action("stop", "x", "Stop", "Stops the running iteration for good; what it computed can be read.")
STUDY = Action("study", "t", "Study", "Starts a study of the result: walk-forward, robustness, the null arm, or all three.")
ORDER = Action("order", "o", "Order", "Sorts the rows by the next thing one may sort by.", rare=True)
THEME = Action("next_theme", "T", "Theme", "Changes to the next theme.", footer=False)
MOUSE = Action("mouse", "M", "Mouse", "Leaves the mouse to the terminal, for selecting text, or takes it back.", footer=False)

APPLY = Action("apply", "a", "Apply", "Applies the proposal: it becomes the next version.")
EDIT = Action("edit", "e", "Edit", "Edits the script or the settings.")
UNDO = Action("undo", "X", "Undo", "Takes back the decision, until the agent's next iteration.", rare=True)
DISCARD = Action("discard", "d", "Discard", "Discards the proposal; you may give the reason.")

UP = Action("up", "up,k", "Up", "One row or line up; after a number, so many.", footer=False)
DOWN = Action("down", "down,j", "Down", "One row or line down; after a number, so many.", footer=False)
PAGE_UP = Action("page_up", "pageup,ctrl+b", "Page up", "One page up; after a number, so many.", footer=False)
PAGE_DOWN = Action("page_down", "pagedown,ctrl+f", "Page down", "One page down; after a number, so many.", footer=False)
FIRST = Action("first", "home", "First", "To the first row or the top.", footer=False)
LAST = Action("last", "end,G", "Last", "To the last row or the end; after a number, to that row.", footer=False)

MOTIONS: tuple[Action, ...] = (UP, DOWN, PAGE_UP, PAGE_DOWN, FIRST, LAST)
"""What a number may stand before."""

LISTS: tuple[Action, ...] = (OPEN, FIND, *MOTIONS, MARK_ROW, MARK_ALL, MORE_COLUMNS, COLUMNS_BEFORE)
"""Actions of every list; the motions also of every long text."""

EVERYWHERE: tuple[Action, ...] = (APPROVALS, GO, COPY, HELP, PALETTE, THEME, MOUSE, QUIT)
"""Actions of the program itself, in every place but a question."""

REGISTRY: dict[str, tuple[Action, ...]] = {"everywhere": EVERYWHERE, "lists": LISTS}
"""Place -> its actions. Filled as screens are imported."""

QUESTIONS: set[str] = set()
"""Places that are modals: a person answers there and can do nothing else, so their keys may mean something of their own."""


GENERAL = {
    "ctrl+g": "finishes what one has written",
    "space": "works on the row under the cursor",
    **dict.fromkeys(("right", "l"), "to the next one of what is shown: a tab, a trade"),
    **dict.fromkeys(("left", "h"), "to the one before it"),
}
"""Keys with one meaning in general that each place says in its own words."""


def register(place: str, actions: tuple[Action, ...], *, question: bool = False) -> list[Binding]:
    """Add a place's actions to the registry and return their bindings for its class."""
    REGISTRY[place] = actions
    if question:
        QUESTIONS.add(place)
    return [binding(action, f"do('{action.name}')") for action in actions]


def binding(action: Action, run: str) -> Binding:
    return Binding(action.keys, run, action.label, show=action.footer, tooltip=action.help, id=action.name)


def is_rare(name: str, place: str) -> bool:
    """Whether other keys of the place go before it where there is no room for all."""
    return any(action.name == name and action.rare for action in (*REGISTRY.get(place, ()), *EVERYWHERE))


def conflicts() -> list[str]:
    """A sentence for each key that means two things, within a place or between two."""
    found = []
    meaning: dict[str, tuple[str, str]] = {}
    for place, actions in REGISTRY.items():
        for action in actions if place not in QUESTIONS else ():
            for key in set(action.keys.split(",")) - GENERAL.keys():
                name, first_place = meaning.setdefault(key, (action.name, place))
                if name != action.name:
                    found.append(f"The key {key} means {name} in {first_place} and {action.name} in {place}.")
    return found


@dataclass(frozen=True, slots=True)
class Keymap:
    """The person's keys."""

    keys: dict[str, str]
    """Action name -> keys, for the lines that can be used."""
    problems: tuple[str, ...] = ()
    """A sentence for each line that can't, with file and line."""


def read_keymap(path: Path) -> Keymap:
    """The person's keys; none where there is no file. A line that can't be used is left out, the others hold.

    The file is TOML with one table `[keys]`, such as `iterate = "r"` or `open = "enter,o"`. All places must be in `REGISTRY`.
    """
    if not path.is_file():
        return Keymap({})
    try:
        file = read_own_file(path)
    except OwnFileError as error:
        return Keymap({}, (f"{error} The usual keys are used.",))
    given = file.content.get("keys")
    if not isinstance(given, dict):
        return Keymap({}, (f"{path} has no table [keys]. The usual keys are used.",))
    known = {action.name for group in REGISTRY.values() for action in group}
    problems = [f"{file.at(table)}: there is only the table [keys], no {table}." for table in file.content if table != "keys"]
    usable: dict[str, str] = {}
    for name, keys in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            problems.append(f"{file.at(name)}: there is no action {name}{f'; did you mean {near[0]}?' if near else '.'}")
        elif not isinstance(keys, str) or not keys.strip():
            problems.append(f'{file.at(name)}: {name} needs a key, such as {name} = "f5".')
        elif wrong := next((key.strip() for key in keys.split(",") if not is_key(key.strip())), None):
            problems.append(f"{file.at(name)}: {wrong or 'nothing'} is no key. Write it as r, R, f5, ctrl+r or space.")
        else:
            usable[name] = _normalize_key_list(keys)
    while clash := _clash(usable):
        name, key, other, place = clash
        del usable[name]
        problems.append(f"{file.at(name)}: {name} can't have the key {key}, which means {other} ({place}). Its usual key is used.")
    return Keymap(usable, tuple(problems))


def is_key(words: str) -> bool:
    """Whether a terminal can send what is written so: a character, or a name such as "f5" or "ctrl+r"."""
    *modifiers, last = words.split("+") if len(words) > 1 else [words]
    if not set(modifiers) <= _MODIFIERS:
        return False
    if len(last) == 1:
        return last.isprintable() and not last.isspace()
    return last in _NAMED or (len(last) > 1 and key_to_character(last) is not None)


def _clash(keys: dict[str, str]) -> tuple[str, str, str, str] | None:
    """The first action of the person's that has a key which means another one where both can be used: (action, key, other, place)."""
    order = list(keys)
    for place, actions in REGISTRY.items():
        here = actions if place in QUESTIONS else (*actions, *(each for each in (*EVERYWHERE, *LISTS) if each not in actions))
        meaning: dict[str, str] = {}
        for action in here:
            for key in keys.get(action.name, _normalize_key_list(action.keys)).split(","):
                other = meaning.setdefault(key, action.name)
                if other == action.name or (other not in keys and action.name not in keys):
                    continue
                # Of two of the person's own the later line gives way.
                mine, theirs = sorted((action.name, other), key=lambda name: order.index(name) if name in keys else -1, reverse=True)
                return mine, key, theirs, place
    return None
