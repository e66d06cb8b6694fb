"""Themes and keymap by file, bad ones named in a sentence; one key, one meaning."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from rich._palettes import STANDARD_PALETTE
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color

import lab.tui.app
from lab.tui import actions
from lab.tui.app import LabApp
from lab.tui.keys_page import keys_page
from lab.tui.places import SCREENS
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
    import_every_place()
    assert actions.conflicts() == []
    swallowed = {"ctrl+j", "ctrl+o", "ctrl+s", "ctrl+enter"}
    for place, group in actions.REGISTRY.items():
        for action in group:
            assert action.help.endswith("."), (place, action.name)
            assert not swallowed & set(action.keys.split(",")), (place, action.name)


def import_every_place() -> None:
    for target in SCREENS.values():
        importlib.import_module(target.partition(":")[0])


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("[keys]\nstop = ", 2, "can't be read"),
        ("a = 1", None, "no table [keys]"),
        ('[keys]\nstop = "s"\niterate = 3', 3, "iterate needs a key"),
        ('[keys]\nfly = "z"', 2, "there is no action fly"),
        ('[keys]\n\niterat = "z"', 3, "did you mean iterate?"),
        ('[keys]\niterate = "crtl+x"', 2, "crtl+x is no key"),
        ('[keys]\niterate = "Z"\nstop = "Z"', 3, "stop can't have the key Z, which means iterate"),
        ('[keys]\niterate = "q"', 2, "iterate can't have the key q, which means quit"),
        ('[keys]\nnew_agent = "j"', 2, "new_agent can't have the key j, which means down"),
        ('[keys]\n"apply" = "z"\n[more]\n', None, "no more"),
    ],
)
def test_a_mistake_in_the_keymap_is_named_with_file_and_line_and_the_rest_holds(
    tmp_path: Path, content: str, line: int | None, says: str
) -> None:
    import_every_place()
    file = tmp_path / "keymap.toml"
    file.write_text(content)
    keymap = actions.read_keymap(file)
    assert len(keymap.problems) == 1
    assert says in keymap.problems[0]
    assert keymap.problems[0].startswith(f"{file}, line {line}" if line else str(file))
    assert keymap.keys == {
        name: key
        for name, key in {"stop": "s", "iterate": "Z", "apply": "z"}.items()
        if f'{name} = "{key}"' in content.replace('"apply"', "apply")
    }


def test_keys_may_be_swapped_and_reused_where_they_do_not_meet(tmp_path: Path) -> None:
    import_every_place()
    (tmp_path / "keymap.toml").write_text('[keys]\napply = "d"\ndiscard = "a"\nswap = "w"\nup = "up,f6"\nquit = "?"\nhelp = "f1"\n')
    keymap = actions.read_keymap(tmp_path / "keymap.toml")
    assert keymap.problems == ()
    assert keymap.keys["quit"] == "question_mark"


async def test_the_persons_keymap_changes_key_footer_and_help(make_app: MakeApp, fake: FakeLab, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "keymap.toml").write_text('[keys]\niterate = "Z"\nfly = "z"\n')
    decide_all(fake)
    async with make_app(fake).run_test(size=(120, 30)) as pilot:
        await until(pilot, "VWAP Guardian")
        await until(pilot, "Z Iterate")
        await until(pilot, lambda: any("keymap.toml, line 3" in notice and "fly" in notice for notice in said(pilot)))
        await pilot.press("Z")
        await until(pilot, lambda: "start_iteration 1" in fake.calls)


async def test_keys_and_colours_follow_their_files(
    make_app: MakeApp, fake: FakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab.tui.app.OWN_FILES_SECONDS <= 2.0
    monkeypatch.setattr(lab.tui.app, "OWN_FILES_SECONDS", 0.1)
    themes = tmp_path / "config" / "themes"
    themes.mkdir(parents=True)
    (themes / "mine.toml").write_text('primary = "#ff0000"\ndark = false\n')
    fake.preferences["theme"] = "mine"
    async with make_app(fake).run_test(size=(120, 30)) as pilot:
        app = pilot.app
        await until(pilot, "n New agent")
        await until(pilot, lambda: app.screen.styles.background.brightness > 0.8)
        (tmp_path / "config" / "keymap.toml").write_text('[keys]\nnew_agent = "N"\n')
        await until(pilot, "N New agent", seconds=5.0)
        await pilot.press("n")
        (themes / "mine.toml").write_text('primary = "#ff0000"\n')
        await until(pilot, lambda: app.screen.styles.background.brightness < 0.2, seconds=5.0)
        (tmp_path / "config" / "keymap.toml").write_text('[keys]\nnew_agent = "q"\n')
        await until(pilot, lambda: any("line 2: new_agent can't have the key q" in notice for notice in said(pilot)))
        await until(pilot, "n New agent")
        (themes / "mine.toml").unlink()
        await until(pilot, lambda: app.theme == DEFAULT)
        await pilot.press("n")
        await until(pilot, lambda: getattr(app.screen, "PLACE", "") == "creation")


def test_the_page_of_keys_is_not_stale() -> None:
    page = Path(__file__).parents[2] / "docs" / "keys.md"
    assert page.read_text(encoding="utf-8") == keys_page(), "python -m lab.tui.keys_page > docs/keys.md"
