"""Screens look as they did: SVG pictures at 80x24 and 120x36 in a dark and a light theme, compared with those beside this file.

After a change that is meant: `LAB_TAKE_PICTURES=1 .venv/bin/pytest -n 0 tests/tui/test_pictures.py`, and a look at what git shows.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import NOW, FakeLab
from tests.tui.session import Session, session

FOLDER = Path(__file__).parent / "pictures"
SCREENS: dict[str, tuple[Any, ...]] = {"dashboard": (), "agent": (1,), "iteration": (12,), "approvals": ()}


class Clock(datetime):
    """Three hours after what the laboratory in memory did last."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return NOW + timedelta(hours=3)


@pytest.fixture
def truecolour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("lab.tui.text.datetime", Clock)


def picture(s: Session) -> str:
    return re.sub(r"terminal-\d+", "terminal", s.app.export_screenshot(title="lab"))


async def settled(s: Session) -> str:
    """The picture when nothing more is drawn."""
    drawn, same = "", 0
    while same < 10:
        await s.pilot.pause(0.03)
        now = picture(s)
        drawn, same = now, same + 1 if now == drawn else 0
    return drawn


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
async def test_the_screens_look_as_they_did(
    make_app: MakeApp, fake: FakeLab, truecolour: None, tmp_path: Path, size: tuple[int, int]
) -> None:
    others = []
    async with session(make_app, fake, size) as s:
        for place, arguments in SCREENS.items():
            s.app.open_first("dashboard")
            if place != "dashboard":
                s.app.open(place, *arguments)
            await s.at(place)
            await s.until(lambda: getattr(s.app.screen, "data", None) is not None, "it is read")
            if place == "dashboard" and size[0] >= 100:
                await s.sees("drawdown")
            for theme in ("night", "paper"):
                s.app.theme = theme
                kept = FOLDER / f"{place}-{size[0]}x{size[1]}-{theme}.svg"
                if os.environ.get("LAB_TAKE_PICTURES"):
                    FOLDER.mkdir(exist_ok=True)
                    kept.write_text(await settled(s), encoding="utf-8")
                    continue
                wanted = kept.read_text(encoding="utf-8") if kept.is_file() else ""
                for _ in range(300):  # a curve is read after its agent: until then it is another picture
                    await s.pilot.pause(0.03)
                    if picture(s) == wanted:
                        break
                else:
                    (tmp_path / kept.name).write_text(picture(s), encoding="utf-8")
                    others.append(f"{kept} is another now: {tmp_path / kept.name}")
    assert others == []
