"""A workspace full of hostile texts, seen on a real terminal: what others wrote is read there, and no byte of it acts."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest
from sqlmodel import select, update

from lab.agents.budget.money import budget_day
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.store.models import (
    AgentIteration,
    AgentKnowledge,
    AgentStrategy,
    IterationStep,
    ModelCall,
    NewsEvent,
    NewsMention,
    Proposal,
    TradingAgent,
    Universe,
    utc_now,
)
from tests.agents.conftest import AlwaysProposes, HeldLease
from tests.agents.hostile import TEXTS
from tests.end_to_end.iterations import make_workspace
from tests.end_to_end.terminal import KEYS, Terminal

FAMILIES = [
    *("\x1b[7741m", "\x1b[77;41H", "\x1b[?7741h", "\x1b[>7741;2m", "\x1b[7741n"),  # CSI: looks, places, modes, keys, reports
    *("\x1b]0;7741\x07", "\x1b]8;;http://7741\x1b\\", "\x1b]52;c;Nzc0MQ==\x07"),  # OSC: title, link, clipboard
    *("\x1bP7741$q\x1b\\", "\x1b_7741\x1b\\", "\x1b^7741\x1b\\", "\x1bX7741\x1b\\"),  # DCS, APC, PM, SOS
    *("\x1bc", "\x1b(0", "\x1b#8", "\x1b=", "\x1bN7"),  # single functions, charsets, alignment, keypad, shifts
    *("\x9b7741m", "\x9d0;7741\x9c", "\x907741q\x9c"),  # C1 in eight bits
    *("\x01", "\x07", "\x08", "\x0b", "\x0c", "\x0e", "\x0f", "\x7f"),  # controls
]
POISON = f"HX{''.join(FAMILIES)} [bold red]7742[/] [@click=app.quit]7743[/]"
WRITTEN_BY_OTHERS = {
    TradingAgent: ("name", "instructions", "system_prompt"),
    AgentStrategy: ("changes_from_parent",),
    AgentIteration: ("version_notes", "expert_analysis", "guidance", "progress_note", "strategist"),
    AgentKnowledge: ("insight", "pattern_type", "retired_reason"),
    Proposal: ("title", "rationale"),
    Universe: ("name",),
}
SHOWN = "HX7 [bold red]7742[/]"
"""As the poison has to be read: its words, with nothing of it obeyed, as an escape or as markup."""
WALK = [
    ("enter", "lab  Agent "),
    ("right", "[Iterations"),
    ("enter", "lab  Iteration"),
    ("gp", "lab  Approvals"),
    ("gl", "lab  Log"),
    ("gu", "lab  Usage"),
    ("left", "[Calls]"),
    ("enter", "lab  Call"),
    ("ga", "lab  Agents"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an iteration that waits for a decision, and hostile words wherever somebody else's can come to stand."""
    folder = tmp_path_factory.mktemp("hostile") / "home"
    make_workspace(folder, tickers=2)
    lab = Lab(folder)
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(run_iteration(lab.store, 1, threads, HeldLease(), AlwaysProposes()))
    said = [{"type": "text", "text": POISON}]
    with lab.store.write() as session:
        for table, columns in WRITTEN_BY_OTHERS.items():
            session.exec(update(table).values(dict.fromkeys(columns, POISON)))
        session.exec(update(Proposal).values(changes=[POISON, *(text for text in TEXTS[:20])]))
        for step in session.exec(select(IterationStep)):
            step.output = {**step.output, "note": POISON}
        ran = session.exec(select(AgentIteration)).one()
        told = {"iteration_status": "failed", "failure": POISON}
        session.add(AgentIteration(agent_id=ran.agent_id, iteration_number=2, universe_id=ran.universe_id, **told))
        call = {"state": "settled", "reserved_micros": 5, "charged_micros": 5, "prices_of": "2026-01-01", "request_hash": "h"}
        call |= {"error": POISON, "prompt_version": POISON, "stop_reason": POISON, "partial": POISON, "model": POISON}
        prompt = {"system": said, "messages": [{"role": "user", "content": said}]}
        call |= {"prompt": json.dumps(prompt, ensure_ascii=False), "reply": json.dumps({"content": said}, ensure_ascii=False)}
        session.add(ModelCall(agent_id=ran.agent_id, iteration_id=1, day=budget_day(utc_now()), purpose="analysis", attempt=1, **call))
        for number, text in enumerate([POISON, *(text for text in TEXTS if "\ud800" not in text)]):
            own = {"source": "made", "source_id": f"s{number}", "title_key": f"k{number}", "published_at": utc_now()}
            event = NewsEvent(title=text, publisher=text[:200], url=text[:200], **own)
            session.add(event)
            session.flush()
            session.add(NewsMention(event_id=event.id or 0, ticker="ALTO", published_at=event.published_at))
    lab.close()
    return folder


ALLOWED = b"\x1b]22;default\x07"
"""How Textual leaves the mouse pointer as it is."""
COMMANDS = ["agents", "iterations HX", "show 1", "show 2", "trades 1", "approvals", "usage", "usage calls", "usage call 1"]
COMMANDS += ["usage budget", "universes list", "data news ALTO", "data status", "report 1", "agents --json", "approvals --json"]


def acts(sent: bytes) -> list[bytes]:
    """What of the hostile texts reached a terminal that would obey it."""
    sent = sent.replace(ALLOWED, b"")
    found = [each.encode() for each in FAMILIES if len(each) > 2 and each.encode() in sent]
    # Strings for the terminal, C1 controls, and controls that no screen of the lab's has a use for.
    found += re.findall(rb"\x1b[\]P_^X][^\x1b\x07]{0,40}|\xc2[\x80-\x9f]|[\x00-\x08\x0b\x0c\x0e\x0f\x7f]", sent)
    return found


def test_no_byte_of_an_escape_reaches_a_real_terminal(home: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    with Terminal(copy, columns=140, rows=45) as terminal:
        terminal.see(SHOWN)
        for keys, words in WALK:
            terminal.press(*((keys,) if keys in KEYS else keys))
            terminal.see(words)
            terminal.see(SHOWN)
        assert terminal.quit() == 0
    assert acts(bytes(terminal.sent)) == []


@pytest.mark.slow
def test_no_command_prints_what_acts_on_a_terminal(home: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    seen = 0
    for command in COMMANDS:
        with Terminal(copy, *command.split(), columns=200, rows=50) as terminal:
            terminal.program.expect(pexpect.EOF, timeout=60)
            printed = terminal.program.before
        assert acts(printed) == [], command
        assert b"\x1b" not in printed, command
        seen += b"HX" in printed
    assert seen >= 12, "most of them show the hostile words, as words"
