"""Whatever a model, a feed, a file or a person wrote is shown as text: on every screen, no escape passes and nothing becomes markup."""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from lab.agents.events import Event
from lab.store.fetch_states import FetchState
from lab.tui.text import Tone, clean, safe
from lab.tui.widgets.flow import Flow, lines_of
from lab.tui.widgets.line_table import Cell, Column, LineTable
from lab.tui.widgets.tabs import TabLine
from tests.tui.conftest import MakeApp
from tests.tui.fake_data import fetch
from tests.tui.fake_lab import NOW, FakeLab
from tests.tui.session import Session, session
from tests.tui.test_text import ESCAPES

POISON = "seen" + "".join(ESCAPES) + "[@click=app.quit]also[/][link=http://evil]seen[/link] "
WRITTEN_BY_OTHERS = {
    *("name", "agent", "universe", "instructions", "analysis", "latest_analysis", "title", "rationale", "changes", "reason", "insight"),
    *(
        "progress_note",
        "note",
        "failure",
        "version_notes",
        "notes",
        "guidance",
        "explanation",
        "value",
        "label",
        "words",
        "sentence",
        "error",
    ),
    *(
        "model",
        "verdict_reason",
        "headline",
        "source_name",
        "publisher",
        "statement",
        "text",
        "message",
        "costs",
        "prompt_text",
        "reply_text",
    ),
}
"""The fields of the views that hold what others wrote."""


def poisoned(value: Any, written: bool = False) -> Any:
    """The value with hostile text in front of everything in it that others wrote."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return POISON + value if written else value
    if is_dataclass(value) and not isinstance(value, type):
        if not any(each.init for each in fields(value)):
            return value
        return replace(value, **{f.name: poisoned(getattr(value, f.name), f.name in WRITTEN_BY_OTHERS) for f in fields(value) if f.init})
    if type(value) in (tuple, list):
        return type(value)(poisoned(each, written) for each in value)
    return value


class Hostile:
    """A laboratory whose every answer has hostile text in it."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if callable(found):
            return lambda *args, **options: poisoned(found(*args, **options))
        if type(found).__module__.startswith("tests."):
            return Hostile(found)
        return poisoned(found)


PATHS: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "agents": ("dashboard", (), ""),
    "approvals": ("approvals", (), ""),
    "an agent": ("agent", (1,), "overview"),
    "its iterations": ("agent", (1,), "iterations"),
    "its versions": ("agent", (1,), "versions"),
    "what it knows": ("agent", (1,), "knowledge"),
    "its settings": ("agent", (1,), "settings"),
    "a result": ("iteration", (12,), "results"),
    "an analysis": ("iteration", (12,), "analysis"),
    "a refinement": ("iteration", (12,), "refinement"),
    "an iteration that runs": ("iteration", (31,), "results"),
    "a trade with its news": ("trade", (((12, 0),),), ""),
    "fetches": ("data", (), "fetches"),
    "universes": ("data", (), "universes"),
    "calls": ("usage", (), "calls"),
    "the log": ("log", (), ""),
}


def offences(s: Session) -> list[str]:
    """What on the screen is no text: a character that drives a terminal, a link, something to click that others wrote."""
    found = []
    for strip in s.app.screen._compositor.render_strips():
        for segment in strip:
            if segment.text != clean(segment.text):
                found.append(repr(segment.text))
            if segment.style is not None and (segment.style.link or "@click" in segment.style.meta):
                found.append(f"a link on {segment.text!r}")
    return found


@pytest.fixture
def hostile(fake: FakeLab) -> Hostile:
    fake.fetches.views = [fetch(1, FetchState.RUNNING, note="AAPL: page 3")]
    fake.headline = "AAPL beats"
    event = Event(NOW, "VWAP Guardian", "decision", "discarded by you")
    fake.happened = lambda: (event,)  # type: ignore[attr-defined]
    return Hostile(fake)


async def test_on_sixteen_paths_to_the_screen_twenty_escapes_and_markup_are_shown_as_text(make_app: MakeApp, hostile: Hostile) -> None:
    assert len(PATHS) >= 16
    assert len(ESCAPES) >= 12
    async with session(make_app, hostile, (100, 30)) as s:  # type: ignore[arg-type]
        for path, (place, arguments, tab) in PATHS.items():
            s.app.open_first("dashboard")
            if place != "dashboard":
                s.app.push_screen(s.app.make(place, *arguments))
            await s.at(place)
            if tab:
                s.app.screen.query_one(TabLine).active = tab
            if place == "trade":
                await s.press("G")
            await s.until(
                lambda: "seen[@click=app.quit]also[/]" in "".join(s.text().split()) or "seen[@clic" in s.text(), f"{path} is shown"
            )
            assert offences(s) == [], path
            assert not s.app._exit


def markup(seed: int, amount: int) -> list[str]:
    """Strings that look like markup, whole and broken."""
    chance = random.Random(seed)
    parts = [
        "[",
        "]",
        "[/",
        "[/]",
        "[bold",
        "[@click=",
        "app.quit",
        "('x')",
        "[link=",
        "http://x",
        "\\",
        "[red on blue]",
        "$primary",
        "=",
        '"',
        "'",
        " ",
        "a",
        "[[",
        "]]",
        "🔗",
    ]
    return ["".join(chance.choices(parts, k=chance.randint(1, 12))) for _ in range(amount)]


async def test_a_thousand_strings_like_markup_neither_crash_nor_become_links(make_app: MakeApp, fake: FakeLab) -> None:
    strings = markup(7, 1_000)
    assert all(safe(each).plain == clean(each, lines=True) and not safe(each).spans for each in strings)
    async with session(make_app, fake, (100, 30)) as s:
        table = LineTable([Column("", least=10, most=90, grow=True)])
        flow = Flow()
        await s.app.screen.mount(table, flow)
        table.set_rows([(n, (Cell(clean(each), Tone.GOOD),)) for n, each in enumerate(strings)])
        flow.show([line for each in strings for line in lines_of(each)])
        await s.pilot.pause()
        for y in range(len(strings)):
            strip = table.render_line(y)
            assert all(segment.style is None or not (segment.style.link or segment.style.meta.get("@click")) for segment in strip)
        assert not any("@click" in str(span.style) or "link" in str(span.style) for span in flow.render().spans)
        for each in strings[:40]:
            s.app.screen.tell(each, error=True)  # type: ignore[attr-defined]
        await s.pilot.pause()
        assert offences(s) == []
        assert not s.app._exit


async def test_a_folder_with_a_hostile_name_is_text_too(make_app: MakeApp, fake: FakeLab, tmp_path: Path) -> None:
    async with session(make_app, fake) as s:
        await s.open("cannot_open", f"The folder {POISON} can't be read.")
        await s.sees("seen[@click=app.quit]also[/]")
        assert offences(s) == []
