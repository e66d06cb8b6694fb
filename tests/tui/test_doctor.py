"""The doctor: it finds what is wrong, says what to do, shows no key and changes nothing."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lab.agents.doctor import Finding, Health, examine
from lab.agents.service import Lab
from lab.cli.commands import app
from tests.tui.conftest import MakeApp
from tests.tui.session import session

CANARY = "sk-canary-7f3b"


def _one(found: list[Finding], area: str, name: str) -> Finding:
    return next(one for one in found if (one.area, one.name) == (area, name))


def test_a_sound_workspace_has_no_problem_and_says_how_many_bars(learned: Lab, tmp_path: Path) -> None:
    found = examine(learned.workspace.home, tmp_path / "config", {"TERM": "xterm-256color"})
    assert not [one for one in found if one.health is Health.PROBLEM and one.area != "terminal"]
    assert "14 tickers" in _one(found, "bars", "demo market").says
    assert _one(found, "database", "content").says == "is sound"
    assert "256" in _one(found, "terminal", "colours").says


def test_whether_there_is_a_key_is_said_and_the_key_never(learned: Lab, tmp_path: Path) -> None:
    found = examine(learned.workspace.home, tmp_path, {"ANTHROPIC_API_KEY": CANARY, "POLYGON_API_KEY": CANARY})
    assert _one(found, "keys", "Anthropic").says == "there is a key, in the environment"
    assert CANARY not in repr(found)
    without = examine(learned.workspace.home, tmp_path, {})
    assert _one(without, "keys", "Polygon").health is Health.NOTE
    assert "POLYGON_API_KEY" in _one(without, "keys", "Polygon").advice


def test_a_damaged_database_is_found_with_the_way_back(learned: Lab, tmp_path: Path) -> None:
    learned.close()
    path = learned.workspace.database_path
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = b"\x55" * 8192
    path.write_bytes(content)
    path.chmod(0o644)
    found = examine(learned.workspace.home, tmp_path, {})
    assert _one(found, "database", "file").health is Health.PROBLEM
    assert _one(found, "database", "content").health is Health.PROBLEM
    assert "backup" in _one(found, "database", "content").advice


def test_looking_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "nothing"
    result = CliRunner().invoke(app, ["doctor", "--json"], env={"LAB_HOME": str(home), "LAB_CONFIG": str(tmp_path)})
    assert '"is not there yet"' in result.output or "is not there yet" in result.output
    assert not home.exists()


async def test_the_screen_lists_what_was_found_and_what_to_do(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned) as s:  # type: ignore[arg-type]
        await s.press("g", "o")
        await s.until(lambda: s.place == "doctor" and s.app.screen.data is not None, "it has looked")
        await s.sees("demo market")
        await s.press("down", "down", "down")
        await s.sees("`lab usage key` keeps one")
