"""The registry of everything a person can do: bindings, footers, help and the command palette are made from it.

A place (a screen or modal) names its actions in its class attribute `ACTIONS`; the action `name` runs the place's
method `action_<name>`. An action that several places know is defined here once, so that a key means the same everywhere.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from textual.binding import Binding

from lab.errors import LabError


class KeymapError(LabError):
    """The person's keymap file can't be used."""


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
BACK = Action("back", "escape", "Back", "Goes back to where you came from.")
QUIT = Action("quit", "q,ctrl+q", "Quit", "Leaves the program. Running iterations go on in the background.")
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
STOP = Action("stop", "x", "Stop", "Stops the running iteration; finished steps stay stored.")
STUDY = Action("study", "t", "Study", "Starts a study of the result: walk-forward, robustness, the null arm, or all three.")
ORDER = Action("order", "o", "Order", "Sorts the rows by the next thing one may sort by.", rare=True)
THEME = Action("next_theme", "T", "Theme", "Changes to the next theme.", footer=False)

APPLY = Action("apply", "a", "Apply", "Applies the proposal: it becomes the next version.")
EDIT = Action("edit", "e", "Edit", "Edits the script or the settings.")
DISCARD = Action("discard", "d", "Discard", "Discards the proposal; you may give the reason.")

EVERYWHERE: tuple[Action, ...] = (APPROVALS, GO, COPY, HELP, PALETTE, THEME, QUIT)
"""Actions of the program itself, in every place but a question."""

REGISTRY: dict[str, tuple[Action, ...]] = {"everywhere": EVERYWHERE}
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


def is_rare(name: str) -> bool:
    return any(action.name == name and action.rare for actions in REGISTRY.values() for action in actions)


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


def read_keymap(path: Path) -> dict[str, str]:
    """The person's keys by action name; {} where there is no file.

    The file is TOML with one table `[keys]`, such as `iterate = "r"` or `open = "enter,o"`.

    Raises KeymapError for a file that is not TOML, a value that is no key, or a key given to two actions.
    """
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeymapError(f"The keymap {path} can't be read: {error}. The usual keys are used.") from None
    keys = content.get("keys")
    if not isinstance(keys, dict):
        raise KeymapError(f"The keymap {path} has no table [keys]. The usual keys are used.")
    given: dict[str, str] = {}
    for name, key in keys.items():
        if not isinstance(key, str) or not key.strip():
            raise KeymapError(f'The keymap {path} gives {name} no key: write for example {name} = "f5". The usual keys are used.')
        for one in key.split(","):
            if one.strip() in given:
                raise KeymapError(f"The keymap {path} gives {one.strip()} to {given[one.strip()]} and to {name}. The usual keys are used.")
            given[one.strip()] = name
    return {name: key for name, key in keys.items() if isinstance(key, str)}
