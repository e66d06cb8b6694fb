"""The laboratory in a process of its own answers as one in this process does, ends with its interface, and is started again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.agents.errors import BadAgent, NotThere
from lab.agents.service import Lab
from lab.errors import LabError
from lab.work.lab_client import LabClient, LabGone, remote_lab

INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"


class Stopped(LabError):
    """The person left."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Lab(tmp_path / "home").close()
    return tmp_path / "home"


@pytest.fixture
def client(home: Path) -> Iterator[LabClient]:
    client = LabClient(home)
    yield client
    client.close()


def processes(home: Path) -> list[int]:
    """Those that serve this workspace."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"lab.work.lab_process" in command and str(home).encode() in command:
                found.append(int(entry.name))
    return found


def asked_on(lab: Lab) -> None:
    """For some seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        lab.change_token()


def test_it_answers_and_refuses_as_the_laboratory_does(client: LabClient, home: Path) -> None:
    lab, here = remote_lab(client), Lab(home)
    try:
        assert lab.standing() == here.standing() == ()
        assert lab.state() == here.state()
        assert lab.usage.whole_lab() == here.usage.whole_lab()
        assert lab.detect(INSTRUCTIONS) == here.detect(INSTRUCTIONS)
        with pytest.raises(NotThere, match="no longer exists"):
            lab.agent(7)
        with pytest.raises(BadAgent, match="sentence") as refused:
            lab.create_agent("VWAP", "", here.detect(INSTRUCTIONS).personality, 1)
        assert refused.value.field == "instructions"
    finally:
        here.close()


def test_what_has_changed_is_seen_and_what_has_not_stays_the_same_object(client: LabClient, home: Path) -> None:
    lab, here = remote_lab(client), Lab(home)
    try:
        token, vocabulary = lab.change_token(), lab.usage.prices()
        assert lab.usage.prices()[0] is vocabulary[0]
        here.set_preference("theme", "slate")
        assert lab.change_token() != token
        assert lab.preference("theme") == "slate"
    finally:
        here.close()


def test_progress_comes_and_a_call_that_is_not_wanted_any_more_ends(client: LabClient) -> None:
    told: list[tuple[float, str]] = []

    def progress(share: float, note: str) -> None:
        told.append((share, note))
        if len(told) == 2:
            raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        remote_lab(client).make_demo_market(progress)
    assert len(told) >= 2


def test_killed_it_says_so_and_the_next_call_starts_it_again(client: LabClient, home: Path) -> None:
    lab = remote_lab(client)
    lab.standing()
    threading.Timer(0.2, lambda: [os.kill(pid, signal.SIGKILL) for pid in processes(home)]).start()
    with pytest.raises(LabGone, match="started anew"):
        asked_on(lab)
    assert lab.standing() == ()


def test_it_ends_when_it_is_not_needed_any_more(client: LabClient, home: Path) -> None:
    remote_lab(client).standing()
    assert len(processes(home)) == 1
    client.close()
    end = time.monotonic() + 10
    while processes(home) and time.monotonic() < end:
        time.sleep(0.02)
    assert processes(home) == []


def test_a_workspace_that_cannot_be_opened_is_told_in_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lab.sqlite3").write_bytes(b"no database at all" * 100)
    client = LabClient(tmp_path / "home")
    try:
        with pytest.raises(LabError, match="damaged"):
            remote_lab(client).standing()
    finally:
        client.close()
