"""The page of all keys, made from the registry of actions: `python -m lab.tui.keys_page > docs/keys.md`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

from lab.tui import actions
from lab.tui.places import SCREENS
from lab.tui.widgets.bars import key_name

HEAD = """\
# Keys

Made from the program's registry of actions by `python -m lab.tui.keys_page > docs/keys.md`. `?` shows the keys of the place one is in.
The second column is the name by which a keymap gives an action other keys ([guide](guide.md#your-own-themes-and-keys)).
"""
TITLES = {"everywhere": "Everywhere", "lists": "In every list; the motions in long texts too"}


def keys_page() -> str:
    """The page as Markdown: a table a place. Questions are left out: they say themselves how they are answered."""
    places = {}
    for target in SCREENS.values():
        module, _, name = target.partition(":")
        place = getattr(importlib.import_module(module), name)
        places[place.PLACE] = place.TITLE
    parts = [HEAD]
    for place in (*TITLES, *(each for each in places if each not in TITLES)):
        group = actions.REGISTRY.get(place, ())
        if group and place not in actions.QUESTIONS:
            title = TITLES.get(place) or places.get(place) or place.replace("_", " ").capitalize()
            parts.append("\n".join([f"## {title}", "", "| key | name | what it does |", "| --- | --- | --- |", *_rows(group)]) + "\n")
    return "\n".join(parts)


def _rows(group: tuple[actions.Action, ...]) -> Iterator[str]:
    for action in group:
        keys = ", ".join(f"`{key_name(key)}`" for key in action.keys.split(","))
        yield f"| {keys} | {action.name} | {action.help} |"


if __name__ == "__main__":
    sys.stdout.write(keys_page())
