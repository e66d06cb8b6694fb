"""Themes and keymap by file, bad ones named in a sentence; one key, one meaning."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from rich._palettes import STANDARD_PALETTE
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color

from lab.tui import actions
from lab.tui.app import SCREENS, LabApp
from lab.tui.themes import DEFAULT, ThemeError, in_16_colours, load_theme, load_themes, own_folder
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.seeing import said, until
from tests.tui.test_dashboard import decide_all


def test_three_themes_come_with_the_program_one_of_them_light(tmp_path: Path) -> None:
    themes, problems = load_themes(tmp_path)
    assert len(themes) >= 3
    assert {theme.dark for theme in themes} == {True, False}
    assert DEFAULT in {theme.name for theme in themes}
    assert problems == []
    assert all(path.suffix == ".toml" for path in own_folder().iterdir())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("primary = ", "can't be read"),
        ('name = "x"', "no primary colour"),
        ('primary = "blurple"', "no colour"),
        ("primary = 7", "no colour"),
        ('primary = "#112233"\ncolour = "#112233"', "no colour of a theme"),
        ('primary = "#112233"\ndark = "yes"', "dark = true or false"),
        ('primary = "#112233"\n[variables]\nx = 3', "not a text"),
    ],
)
def test_a_bad_theme_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(ThemeError, match=says) as caught:
        load_theme(file)
    assert str(file) in str(caught.value)
    assert load_themes(tmp_path)[1] == [str(caught.value)]


async def test_the_persons_theme_can_be_chosen_and_is_remembered(make_app: MakeApp, fake: FakeLab, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('name = "mine"\nprimary = "#ff0000"\n')
    (folder / "bad.toml").write_text("primary = 1")
    async with make_app(fake).run_test(size=(100, 30)) as pilot:
        await until(pilot, "VWAP Guardian")
        app = pilot.app
        assert isinstance(app, LabApp)
        await until(pilot, lambda: any("bad.toml" in notice for notice in said(pilot)))
        app.choose_theme("mine")
        await until(pilot, lambda: fake.preferences.get("theme") == "mine")
    async with make_app(fake).run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: pilot.app.theme == "mine")


@pytest.mark.parametrize("name", ["night", "paper", "contrast"])
def test_in_16_colours_words_stand_out_and_the_selected_row_is_seen(name: str) -> None:
    theme = in_16_colours(next(theme for theme in load_themes(Path("/nowhere"))[0] if theme.name == name))
    colours = theme.to_color_system().generate()

    def shown(variable: str) -> Color:
        """As Rich writes it for such a terminal: by the nearest of the 16."""
        number = RichColor.parse(colours[variable]).downgrade(ColorSystem.STANDARD).number
        assert number is not None
        return Color(*STANDARD_PALETTE[number])

    for variable in ("foreground", "foreground-muted", "text-primary", "text-accent", "text-success", "text-warning", "text-error"):
        assert abs(shown(variable).brightness - shown("background").brightness) > 0.25, variable
    assert colours["block-cursor-background"] not in (colours["background"], colours["panel"])
    assert abs(shown("block-cursor-foreground").brightness - shown("block-cursor-background").brightness) > 0.5


def test_a_key_means_the_same_everywhere() -> None:
    for target in SCREENS.values():
        importlib.import_module(target.partition(":")[0])
    assert actions.conflicts() == []
    swallowed = {"ctrl+j", "ctrl+o", "ctrl+s", "ctrl+enter"}
    for place, group in actions.REGISTRY.items():
        for action in group:
            assert action.help.endswith("."), (place, action.name)
            assert not swallowed & set(action.keys.split(",")), (place, action.name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[keys", "can't be read"),
        ("a = 1", "no table"),
        ("[keys]\niterate = 3", "no key"),
        ('[keys]\niterate = "r"\nquit = "r"', "to iterate and to quit"),
    ],
)
def test_a_bad_keymap_is_named_with_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "keymap.toml"
    file.write_text(content)
    with pytest.raises(actions.KeymapError, match=says):
        actions.read_keymap(file)


async def test_the_persons_keymap_changes_key_footer_and_help(make_app: MakeApp, fake: FakeLab, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "keymap.toml").write_text('[keys]\niterate = "r"\nfly = "z"\n')
    decide_all(fake)
    async with make_app(fake).run_test(size=(120, 30)) as pilot:
        await until(pilot, "VWAP Guardian")
        await until(pilot, "r Iterate")
        await until(pilot, lambda: any("fly" in notice for notice in said(pilot)))
        await pilot.press("r")
        await until(pilot, lambda: "start_iteration 1" in fake.calls)
