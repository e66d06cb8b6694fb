"""Themes as TOML files: those that come with the program, and the person's own from the config folder.

A file holds `name`, `dark` (true or false) and `primary`; further colours (`secondary`, `warning`, `error`, `success`, `accent`,
`foreground`, `background`, `surface`, `panel`) are optional, and a table `[variables]` sets Textual's design variables.
Colours are written "#rrggbb" or by an ANSI name such as "ansi_blue".
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from textual.color import Color, ColorParseError
from textual.theme import Theme

import lab
from lab.errors import LabError

DEFAULT = "night"
_COLOURS = ("primary", "secondary", "warning", "error", "success", "accent", "foreground", "background", "surface", "panel")


class ThemeError(LabError):
    """A theme file can't be used."""


def own_folder() -> Path:
    """Where the program's own theme files are: inside an installed package, beside the package in a checkout."""
    package = Path(lab.__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def load_theme(path: Path) -> Theme:
    """Read one theme file.

    Raises ThemeError naming the file and what is wrong with it.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"The theme {path} can't be read: {error}.") from None
    variables = content.pop("variables", {})
    name, dark = content.pop("name", path.stem), content.pop("dark", True)
    if not isinstance(name, str) or not name or not isinstance(dark, bool) or not isinstance(variables, dict):
        raise ThemeError(f"The theme {path} needs a name in words and dark = true or false.")
    if "primary" not in content:
        raise ThemeError(f'The theme {path} has no primary colour: add primary = "#3b82f6".')
    for key, value in content.items():
        if key not in _COLOURS:
            raise ThemeError(f"The theme {path} sets {key}, which is no colour of a theme. There are: {', '.join(_COLOURS)}.")
        try:
            if not isinstance(value, str):
                raise ColorParseError(f"{value!r} is no text")
            Color.parse(value)
        except ColorParseError:
            raise ThemeError(f'The theme {path} gives {key} the value {value!r}, which is no colour: write "#rrggbb".') from None
    if not all(isinstance(value, str) for value in variables.values()):
        raise ThemeError(f"The theme {path} has a variable that is not a text.")
    return Theme(name=name, dark=dark, variables=variables, **content)


def load_themes(user_folder: Path) -> tuple[list[Theme], list[str]]:
    """All themes, the person's own after ours (one of the same name replaces ours), and a sentence for each bad file."""
    themes: dict[str, Theme] = {}
    problems = []
    for folder in (own_folder(), user_folder):
        for path in sorted(folder.glob("*.toml")):
            try:
                theme = load_theme(path)
            except ThemeError as error:
                problems.append(str(error))
            else:
                themes[theme.name] = theme
    return list(themes.values()), problems
