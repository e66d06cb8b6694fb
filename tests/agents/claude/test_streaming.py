"""The analysis streams: what has come so far is seen while it comes, in the person's terms, and nothing of it stays behind."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.budget.money import Daily
from lab.agents.budget.usage import Usage
from lab.agents.claude import calls
from lab.agents.claude.config import MODEL
from lab.agents.claude.schemas import clean, growing_text
from lab.agents.claude.strategist import ClaudeStrategist
from lab.agents.evidence import build_evidence
from lab.agents.personality import detect
from lab.agents.strategist import AnalysisRequest, Subject
from lab.store.database import Store
from tests.agents.made import EXECUTION, INSTRUCTIONS, SCAN, made_summary, made_trades
from tests.agents.model_server import Model, says

Asked = tuple[Model, Callable[[int], ClaudeStrategist], Store]
TRADES = made_trades(80)
PACK = build_evidence(TRADES, made_summary(TRADES))
REQUEST = AnalysisRequest(Subject("You are A.", "1m", "1.0", SCAN, EXECUTION, PACK), "A", detect(INSTRUCTIONS).personality, 1)
WORDS = 'It went as it went, and "well" is not the word.\nNext I look further \\ and higher. ' * 6


@given(st.text(max_size=60), st.integers(0, 200))
def test_a_reply_cut_anywhere_shows_a_beginning_of_its_text(text: str, cut: int) -> None:
    whole = json.dumps({"text": text, "insights": []})
    assert clean(text.encode("utf-8", "ignore").decode()).startswith(growing_text(whole[:cut]).rstrip("\ufffd"))
    assert growing_text(whole) == clean(text.encode("utf-8", "ignore").decode())


async def test_the_analysis_is_seen_while_it_comes_in(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    model, strategist, store = asked
    monkeypatch.setattr(calls, "_SHOW_SECONDS", 0.0)
    usage, seen = Usage(store, store.workspace.home, Daily(), MODEL), []
    original = calls.Till.show

    def show(till: calls.Till, call_id: int, text: str) -> None:
        original(till, call_id, text)
        coming = usage.streaming(1)
        assert coming is not None
        seen.append(coming.text)

    monkeypatch.setattr(calls.Till, "show", show)
    model.brain = lambda body: says({"text": WORDS, "insights": []})
    analysis = await strategist(1).analyse(REQUEST)
    assert analysis.text == WORDS.strip()
    assert len(seen) > 5
    assert all(WORDS.startswith(part) for part in seen)
    assert [len(part) for part in seen] == sorted(len(part) for part in seen)
    assert usage.streaming(1) is None


async def test_a_figure_that_is_not_in_the_evidence_is_refused_once_and_then_struck_out(asked: Asked) -> None:
    model, strategist, _ = asked
    rate = PACK.figure("win rate")
    model.brain = lambda body: says({"text": "I won 99 % of it.", "insights": []})
    model.script[1] = says({"text": "I won 98 % of it.", "insights": []})
    analysis = await strategist(1).analyse(REQUEST)
    assert len(model.bodies) == 2
    assert "“98 %” (it cites no evidence)" in model.bodies[1]["messages"][-1]["content"][0]["text"]
    assert analysis.text == "I won ~~99 %~~ (struck out: not in the evidence) of it."
    model.script[3] = says({"text": "I won 98 %.", "insights": []})
    model.script[4] = says({"text": f"I won {rate.value:.0%} [{rate.id}].", "insights": []})
    assert (await strategist(2).analyse(REQUEST)).text == f"I won {rate.value:.0%} [{rate.id}]."
