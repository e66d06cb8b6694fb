"""Calls: every way an answer can end has its sentence, its money and its next step; nothing usable is bought twice."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlmodel import select

from lab.agents.claude.strategist import ClaudeStrategist
from lab.agents.errors import StrategistFailed
from lab.agents.personality import detect, risk_config
from lab.agents.strategist import Brief, NoRefinement, StrategyDraft
from lab.store.database import Store
from lab.store.models import ModelCall
from tests.agents.made import CONTEXT, EXECUTION, INSTRUCTIONS, SCAN, MadeBench, made_request
from tests.agents.model_server import KEY, Body, Model, Reply, fails, says, uses

Asked = tuple[Model, Callable[[int], ClaudeStrategist], Store]
WHO = detect(INSTRUCTIONS).personality
BRIEF = Brief("A", INSTRUCTIONS, "You are A.", WHO, risk_config(WHO), "1m", CONTEXT)
GOOD = {"scan": SCAN, "execution": EXECUTION, "pattern": "VWAP bounce", "rationale": "r", "notes": "n"}
BAD = {**GOOD, "scan": "long = clsoe > 1"}


def rows(store: Store) -> list[ModelCall]:
    with store.read() as session:
        return list(session.exec(select(ModelCall).order_by(ModelCall.id)))


@pytest.mark.parametrize(
    ("reply", "sentence", "state"),
    [
        (
            Reply([], "refusal", extra={"stop_details": {"type": "refusal", "explanation": "not this"}}),
            "refused this request .not this",
            "settled",
        ),
        (says("{}", stop_reason="model_context_window_exceeded"), "longer than the model can read", "settled"),
        (says("{}", stop_reason="new_reason"), "does not know: 'new_reason'", "settled"),
        (says("no json"), "does not have the form", "settled"),
        (says({"scan": 3}), "does not have the form", "settled"),
        (fails(529, "overloaded_error"), "overloaded", "released"),
        (fails(500, "api_error"), "failed with status 500", "released"),
        (Reply(status=502, error=b"<html>Bad gateway</html>"), "failed with status 502", "in doubt"),
        (fails(429, "rate_limit_error", headers={"retry-after": "0"}), "asks for patience", "released"),
        (
            fails(429, "rate_limit_error", "You have reached your API usage limits", error_code="enforced_spend_limit_reached"),
            "may not spend",
            "released",
        ),
        (fails(400, "invalid_request_error", "You have reached your specified API usage limits."), "may not spend more", "released"),
        (fails(402, "billing_error", "card expired"), "may not spend more: card expired", "released"),
        (fails(401, "authentication_error"), "key was not accepted", "released"),
        (fails(404, "not_found_error", "model: x"), "does not know the model", "released"),
        (Reply(hang=True), "did not answer within", "in doubt"),
        (says({"a": "b" * 400}, cut_after_events=4), "cut off|connection broke", "in doubt"),
        (says({"a": "b" * 400}, event_error="overloaded_error"), "broke the reply off", "in doubt"),
        (says({"a": "b" * 400}, raw_event=b"data: {not json\n\n"), "does not have the form", "settled"),
    ],
)
async def test_whatever_goes_wrong_ends_in_a_sentence_with_the_money_accounted_for(
    asked: Asked, reply: Reply, sentence: str, state: str
) -> None:
    model, strategist, store = asked
    model.brain = lambda body: reply
    with pytest.raises(StrategistFailed, match=sentence):
        await strategist(1).generate(BRIEF)
    found = rows(store)
    assert {row.state for row in found} == {state}
    assert all(row.error for row in found)
    spent = sum(row.charged_micros for row in found)
    if state == "settled":
        assert 0 < spent <= sum(row.reserved_micros for row in found)
    else:
        assert spent == (sum(row.reserved_micros for row in found) if state == "in doubt" else 0)
    model.brain = lambda body: says(GOOD)
    assert isinstance(await strategist(1).generate(BRIEF), StrategyDraft), "gone on with, it asks anew"


async def test_a_busy_server_is_asked_three_times_each_with_a_reservation_of_its_own(asked: Asked) -> None:
    model, strategist, store = asked
    model.brain = lambda body: says(GOOD)
    model.script |= {1: fails(529, "overloaded_error"), 2: fails(429, "rate_limit_error", headers={"retry-after": "1"})}
    await strategist(1).generate(BRIEF)
    assert [(row.attempt, row.state) for row in rows(store)] == [(1, "released"), (2, "released"), (3, "settled")]


async def test_who_is_told_to_wait_for_long_is_told_so_at_once(asked: Asked) -> None:
    model, strategist, store = asked
    model.brain = lambda body: fails(429, "rate_limit_error", headers={"retry-after": "3600"})
    with pytest.raises(StrategistFailed, match="asks for patience"):
        await strategist(1).generate(BRIEF)
    assert len(rows(store)) == 1


async def test_a_paid_reply_is_not_bought_again(asked: Asked) -> None:
    model, strategist, _ = asked
    model.brain = lambda body: says(GOOD)
    first = await strategist(1).generate(BRIEF)
    assert await strategist(1).generate(BRIEF) == first
    assert len(model.bill) == 1
    await strategist(2).generate(BRIEF)
    assert len(model.bill) == 2, "another iteration asks for itself"


async def test_a_script_that_does_not_compile_goes_back_with_its_error_at_most_three_times(asked: Asked) -> None:
    model, strategist, store = asked
    model.brain = lambda body: says(GOOD)
    model.script |= {1: says(BAD), 2: says({**BAD, "scan": "long = close >"})}
    assert (await strategist(1).generate(BRIEF)).scan_script.strip() == SCAN.strip()
    assert [row.attempt for row in rows(store)] == [1, 2, 3]
    assert "clsoe" in json.loads(rows(store)[1].prompt)["messages"][-1]["content"][0]["text"]
    model.brain = lambda body: says(BAD)
    with pytest.raises(StrategistFailed, match=r"told its mistakes 3 times.*clsoe"):
        await strategist(2).generate(BRIEF)
    assert len(rows(store)) == 3 + 4


async def test_a_reply_cut_by_its_token_limit_is_asked_for_again_with_more_room(asked: Asked) -> None:
    model, strategist, _ = asked
    model.brain = lambda body: says(GOOD)
    model.script[1] = says('{"scan": "long = cl', stop_reason="max_tokens")
    await strategist(1).generate(BRIEF)
    assert [body["max_tokens"] for body in model.bodies] == [3_000, 6_000]
    model.brain = lambda body: says("{", stop_reason="max_tokens")
    with pytest.raises(StrategistFailed, match="more than 16,000 tokens"):
        await strategist(2).generate(BRIEF)


async def test_a_paused_turn_is_continued_with_what_was_said(asked: Asked) -> None:
    model, strategist, _ = asked
    model.brain = lambda body: says(GOOD)
    model.script[1] = Reply([{"type": "server_tool_use", "id": "s1", "name": "x", "input": {}}], "pause_turn")
    await strategist(1).generate(BRIEF)
    said = model.bodies[1]["messages"][-1]
    assert (said["role"], said["content"][0]["id"]) == ("assistant", "s1")


@pytest.mark.parametrize("counts", [True, False])
async def test_a_server_that_does_not_stream_or_count_works_too(asked: Asked, counts: bool) -> None:
    model, strategist, store = asked
    model.counts_tokens = counts
    model.brain = lambda body: says(GOOD, whole=True)
    await strategist(1).generate(BRIEF)
    (row,) = rows(store)
    assert 0 < row.charged_micros <= row.reserved_micros


async def test_the_search_for_a_refinement_ends_after_its_turns(asked: Asked) -> None:
    model, strategist, _ = asked

    def endless(body: Body) -> Reply:
        return uses("own_history", {}, f"t{len(body['messages'])}")

    model.brain = endless
    ended = await strategist(1).propose(made_request(), MadeBench({}))
    assert isinstance(ended, NoRefinement)
    assert "used all 10 turns" in ended.reason
    assert len(model.bill) == 10


async def test_what_does_not_hold_up_on_unseen_sessions_is_not_proposed_and_never_shown_to_the_model(asked: Asked) -> None:
    model, strategist, _ = asked
    changed = SCAN.replace("0.1,", "0.2,")
    model.brain = lambda body: (
        uses("test_variant", {"title": "nearer", "why": "[S1]", "scan": changed})
        if len(body["messages"]) == 1
        else says({"choice": 1, "title": "nearer", "rationale": "It gained."})
    )
    ended = await strategist(1).propose(made_request(), MadeBench({}, (2.0, 1e-3, -7.77e-4)))
    assert isinstance(ended, NoRefinement)
    assert "did not hold up" in ended.reason
    assert "7.8" not in json.dumps(model.bodies[-1]["messages"][1:])


async def test_a_server_that_repeats_the_key_in_its_error_does_not_bring_it_into_the_database(asked: Asked) -> None:
    model, strategist, store = asked
    model.brain = lambda body: fails(400, "invalid_request_error", f"bad header: x-api-key: {KEY}")
    with pytest.raises(StrategistFailed, match=r"bad header: x-api-key: \(the key\)"):
        await strategist(1).generate(BRIEF)
    assert KEY not in repr(rows(store))
