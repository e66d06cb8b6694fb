"""Themes as TOML files: those that come with the program, and the person's own from the config folder.

A file holds `name`, `dark` (true or false) and `primary`; further colours (`secondary`, `warning`, `error`, `success`, `accent`,
`foreground`, `background`, `surface`, `panel`) are optional, and a table `[variables]` sets Textual's design variables.
Colours are written "#rrggbb" or by an ANSI name such as "ansi_blue".
"""

from __future__ import annotations

import colorsys
from dataclasses import replace
from pathlib import Path

from textual.color import Color, ColorParseError
from textual.theme import Theme

import lab
from lab.errors import LabError
from lab.tui.own_files import OwnFileError, read_own_file

DEFAULT = "night"
_COLOURS = ("primary", "secondary", "warning", "error", "success", "accent", "foreground", "background", "surface", "panel")


# The 16 colours as Rich knows them: a colour that is one of them stays what it is meant to be where a terminal has no others.
_BLACK, _DARK_GREY, _GREY, _WHITE = "#000000", "#555555", "#aaaaaa", "#ffffff"
_BLUE, _MAGENTA = "#0000aa", "#aa00aa"
_YELLOW = "#ffff55"
_ON_DARK = ("#ff5555", "#55ff55", "#55ffff", "#ff55ff", _YELLOW)
_ON_LIGHT = ("#aa0000", _BLUE, _MAGENTA)
"""Those that can be read on a light ground: green, cyan and yellow can't."""


class ThemeError(LabError):
    """A theme file can't be used."""


def own_folder() -> Path:
    """Where the program's own theme files are: inside an installed package, beside the package in a checkout."""
    package = Path(lab.__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def load_theme(path: Path) -> Theme:
    """Read one theme file.

    Raises ThemeError naming the file, the line and what is wrong with it.
    """
    try:
        file = read_own_file(path)
    except OwnFileError as error:
        raise ThemeError(f"The theme {error}") from None
    content = file.content
    variables = content.pop("variables", {})
    name, dark = content.pop("name", path.stem), content.pop("dark", True)
    if not isinstance(name, str) or not name or not isinstance(dark, bool) or not isinstance(variables, dict):
        raise ThemeError(f"The theme {path} needs a name in words and dark = true or false.")
    if "primary" not in content:
        raise ThemeError(f'The theme {path} has no primary colour: add primary = "#3b82f6".')
    for key, value in content.items():
        if key not in _COLOURS:
            raise ThemeError(f"The theme {file.at(key)} sets {key}, which is no colour of a theme. There are: {', '.join(_COLOURS)}.")
        try:
            if not isinstance(value, str):
                raise ColorParseError(f"{value!r} is no text")
            Color.parse(value)
        except ColorParseError:
            raise ThemeError(f'The theme {file.at(key)} gives {key} the value {value!r}, which is no colour: write "#rrggbb".') from None
    for key, value in variables.items():
        if not isinstance(value, str):
            raise ThemeError(f"The theme {file.at(key)} has a variable, {key}, that is not a text.")
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


def without_colours(theme: Theme) -> Theme:
    """The theme for NO_COLOR: nothing is coloured, and what has the cursor is reversed or underlined."""
    # Textual's lists of options know no reversed text: what has the cursor is underlined there.
    options = {"option-style": "bold underline"}
    styles = {"block-cursor-text-style": "reverse", "input-cursor-text-style": "reverse", "focus-style": "bold reverse", "off-style": "dim"}
    return replace(theme, variables={**theme.variables, **styles, **options, "block-cursor-blurred-text-style": "underline"})


def in_16_colours(theme: Theme) -> Theme:
    """The theme for a terminal with 16 colours: what is read stands out from its ground, the selected row is seen.

    Left to the nearest match, dark brown on cream becomes yellow on white and a soft selection becomes no selection.
    """
    dark = theme.dark
    readable = _ON_DARK if dark else _ON_LIGHT
    primary, success, error = (_nearest_hue(colour or theme.primary, readable) for colour in (theme.primary, theme.success, theme.error))
    accent = warning = _YELLOW if dark else _MAGENTA
    ground, words, quiet = (_BLACK, _WHITE, _GREY) if dark else (_WHITE, _BLACK, _DARK_GREY)
    panel = _BLUE if dark else _GREY
    cursor, on_cursor = (_GREY, _BLACK) if dark else (_BLUE, _WHITE)
    said = {"primary": primary, "secondary": primary, "success": success, "error": error, "warning": warning, "accent": accent}
    return Theme(
        name=theme.name,
        dark=dark,
        primary=primary,
        secondary=primary,
        success=success,
        error=error,
        warning=warning,
        accent=accent,
        foreground=words,
        background=ground,
        surface=ground,
        panel=panel,
        variables={
            **{f"text-{name}": colour for name, colour in said.items()},
            "text": words,
            "text-muted": quiet,
            "text-disabled": quiet,
            "foreground-muted": quiet,
            "foreground-disabled": quiet,
            "surface-lighten-2": _DARK_GREY,
            "border": primary,
            "border-blurred": _DARK_GREY,
            "block-cursor-background": cursor,
            "block-cursor-foreground": on_cursor,
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": panel,
            "block-cursor-blurred-foreground": words,
            "input-selection-background": cursor,
            "input-selection-foreground": on_cursor,
            "scrollbar": _DARK_GREY if dark else _GREY,
            "scrollbar-background": ground,
            "footer-key-foreground": accent,
        },
    )


def _nearest_hue(colour: str, choices: tuple[str, ...]) -> str:
    def hue(of: str) -> float:
        red, green, blue = Color.parse(of).rgb
        return colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]

    wanted = hue(colour)
    return min(choices, key=lambda choice: min(abs(hue(choice) - wanted), 1 - abs(hue(choice) - wanted)))
