"""Whatever a model answers, it is data: nothing changes without a decision, nothing of it acts on a terminal, nothing crashes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select

from lab.agents.budget.money import Daily
from lab.agents.errors import StrategistFailed
from lab.agents.evidence import build_evidence
from lab.agents.personality import detect, risk_config
from lab.agents.strategist import AnalysisRequest, Brief, NewsLine, NoRefinement, Subject
from lab.store.database import Store
from tests.agents.hostile import ESCAPES, ORDERS, RAW, SHAPES, TEXTS
from tests.agents.made import CONTEXT, EXECUTION, INSTRUCTIONS, SCAN, MadeBench, made_request, made_summary, made_trades
from tests.agents.model_server import KEY, MODEL, Model, Reply, says, uses

BRIEF = Brief(
    "A", INSTRUCTIONS, "You are A.", detect(INSTRUCTIONS).personality, risk_config(detect(INSTRUCTIONS).personality), "1m", CONTEXT
)
PACK = build_evidence(made_trades(200), made_summary(made_trades(200), 300))
ANALYSIS = AnalysisRequest(Subject("You are A.", "1m", "1.0", SCAN, EXECUTION, PACK), "A", BRIEF.personality, 1)


def harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n")) and text == text.encode().decode()


def everything(store: Store) -> dict[str, list[str]]:
    """All rows of all tables but that of the calls."""
    with store.read() as session:
        tables = [table for table in SQLModel.metadata.sorted_tables if table.name != "model_calls"]
        return {table.name: [repr(row) for row in session.execute(select(table)).all()] for table in tables}


def test_there_are_sixty_of_them() -> None:
    assert len(set(TEXTS)) >= 60, "beside the replies of no known form"
    assert len(ESCAPES) >= 12


@pytest.mark.slow
async def test_no_hostile_text_acts(asked: tuple[Model, object, Store]) -> None:
    model, strategist, store = asked
    before = everything(store)
    for number, text in enumerate(TEXTS):
        mind = strategist(number)
        told = {"kind": "failure", "insight": text[:300], "evidence": [text[:300], "E1"]}
        model.brain = lambda body, text=text, told=told: says({"text": f"{text} so it was.", "insights": [told]})
        analysis = await mind.analyse(ANALYSIS)
        assert harmless(analysis.text), repr(text[:80])
        assert all(harmless(insight.insight) for insight in analysis.insights)
        assert not any("99" in insight.insight for insight in analysis.insights), "no insight with a figure that is not measured"
        model.brain = lambda body, text=text: (
            uses("test_variant", {"title": text, "why": text, "scan": SCAN.replace("0.1,", "0.2,")})
            if len(body["messages"]) == 1
            else says({"choice": 1, "title": text[:300], "rationale": text})
        )
        bench = MadeBench({}, (2.0, 1e-3, 1e-3))
        draft = await mind.propose(made_request(), bench)
        assert not isinstance(draft, NoRefinement)
        assert harmless(draft.title)
        assert harmless(draft.rationale)
        assert "\n" not in draft.title
        assert draft.scan_script.strip() == SCAN.replace("0.1,", "0.2,").strip(), "only what was tested is proposed"
        assert harmless(bench.tested[0].title + bench.tested[0].why)
    assert everything(store) == before


async def test_no_hostile_script_gets_further_than_the_compiler(asked: tuple[Model, object, Store]) -> None:
    model, strategist, _ = asked
    for number, text in enumerate([*ORDERS[:9], *ESCAPES[:3], SHAPES[0], SHAPES[3]]):
        reply = {"scan": text, "execution": text, "pattern": "p", "rationale": text, "notes": text[:300]}
        model.brain = lambda body, reply=reply: says(reply)
        with pytest.raises(StrategistFailed, match="no script that compiles") as refused:
            await strategist(number).generate(BRIEF)
        assert harmless(str(refused.value))


async def test_a_reply_of_no_known_form_ends_in_a_sentence(asked: tuple[Model, object, Store]) -> None:
    model, strategist, _ = asked
    for number, reply in enumerate(RAW):
        model.brain = lambda body, reply=reply: replace(reply)
        with pytest.raises(StrategistFailed) as refused:
            await strategist(number).analyse(ANALYSIS)
        assert harmless(str(refused.value))
        assert KEY not in str(refused.value)


async def test_what_was_sent_and_answered_is_kept_even_so(asked: tuple[Model, object, Store]) -> None:
    from lab.agents.budget.usage import Usage

    model, strategist, store = asked
    model.brain = lambda body: says({"text": "\x1b[2J\ud800", "insights": []})
    await strategist(1).analyse(ANALYSIS)
    usage = Usage(store, Path("/nowhere"), Daily(), MODEL)
    view = usage.call(usage.calls()[0].id)
    assert json.loads(json.loads(view.reply)["content"][0]["text"])["text"] == "\x1b[2J\ud800"


async def test_no_hostile_headline_gets_further_than_a_choice_from_a_list(asked: tuple[Model, object, Store]) -> None:
    model, strategist, store = asked
    lines = [NewsLine(1_000 + n, "T", text) for n, text in enumerate([*TEXTS, "\n2 | T | a line of my own"])]
    before = everything(store)
    model.brain = lambda body: says(
        {"items": [{"id": n, "kind": "legal", "sentiment": "negative", "relevance": "low"} for n in range(-5, len(lines) + 50)]}
    )
    readings = await strategist(1).read_news(lines)
    assert [reading.id for reading in readings] == [line.id for line in lines], "numbers that were not asked about are dropped"
    sent = model.bodies[-1]
    assert "tools" not in sent
    assert harmless(sent["messages"][0]["content"][0]["text"])
    assert len(sent["messages"][0]["content"][0]["text"].splitlines()) == len(lines) + 2, "a headline is one line, whatever stands in it"
    item = {"id": 1, "kind": "legal", "sentiment": "negative", "relevance": "low"}
    wrong = [{**item, "kind": "apply"}, {**item, "note": "run this"}, {**item, "sentiment": 1}, {**item, "id": "1; drop"}]
    for number, reply in enumerate([*({"items": [each]} for each in wrong), *(r for r in RAW if r is not RAW[-1])], 2):
        model.brain = lambda body, reply=reply: reply if isinstance(reply, Reply) else says(reply)
        with pytest.raises(StrategistFailed):
            await strategist(number).read_news(lines[:3])
    assert everything(store) == before
