"""`lab usage` and its kin, as a person types them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from lab.agents.budget.money import budget_day
from lab.agents.service import Lab
from lab.store.models import ModelCall, Universe, utc_now
from tests.agents.model_server import KEY

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lab = Lab(tmp_path / "home")
    day = date(2024, 1, 2)
    with lab.store.write() as session:
        session.add(Universe(name="U", tickers=["A"], timeframe="1m", source="x", first_session=day, learning_until=day, last_session=day))
    text = "a VWAP scalper"
    agent_id = lab.create_agent("Ann", text, lab.detect(text).personality, 1)
    with lab.store.write() as session:
        money = {"reserved_micros": 60_000, "charged_micros": 31_200, "state": "settled", "input_tokens": 1_000, "output_tokens": 200}
        about = {"purpose": "analysis", "model": "claude-sonnet-5-5", "prompt_version": "analyse 1", "prices_of": "2026-10-07"}
        prompt = '{"system": [{"type": "text", "text": "You are Ann."}], "messages": []}'
        reply = '{"content": [{"type": "text", "text": "\\u001b[2Jwell"}]}'
        sent = {"request_hash": "x", "prompt": prompt, "reply": reply}
        session.add(ModelCall(agent_id=agent_id, iteration_id=1, day=budget_day(utc_now()), attempt=1, **money, **about, **sent))
    lab.close()
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Command:
    def command(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = {"LAB_HOME": str(home), "LAB_CONFIG": str(tmp_path / "config"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        program = [sys.executable, "-m", "lab.cli", *arguments]
        return subprocess.run(program, capture_output=True, text=True, env=environment, input=stdin, timeout=120, check=False)

    return command


def test_usage_sums_up_what_was_spent_and_shows_what_is_left(run: Command) -> None:
    said = run("usage", "--by", "model").stdout
    assert "claude-sonnet-5-5" in said
    assert "$0.0312" in said
    assert "Ann" in said
    assert "$0.9688" in said


def test_a_call_is_shown_without_what_a_terminal_would_act_on(run: Command) -> None:
    said = run("usage", "call", "1").stdout
    assert "You are Ann." in said
    assert "well" in said
    assert "\x1b" not in said


@pytest.mark.slow
def test_a_key_is_kept_for_nobody_else_and_decides_who_thinks(run: Command, tmp_path: Path) -> None:
    assert "No key for it is set" in run("strategist", "Ann").stdout
    assert KEY not in run("usage", "key", stdin=KEY + "\n").stdout
    assert (tmp_path / "config" / "anthropic.key").stat().st_mode & 0o777 == 0o600
    assert "claude-sonnet-5-5 runs, blind" in run("strategist", "Ann").stdout
    assert "as chosen" in run("strategist", "Ann", "built-in").stdout
    assert "There is no strategist 'gpt'" in run("strategist", "Ann", "gpt").stderr
