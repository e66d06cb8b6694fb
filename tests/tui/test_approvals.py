"""The approvals queue by keyboard: one key decides, several at once, and a decision is taken back."""

from __future__ import annotations

import threading

import pytest

from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import session


async def test_a_decision_is_taken_back_by_a_key(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("p")
        await s.at("approvals")
        await s.sees("2 waiting")
        await s.press("a")
        await s.is_told("VWAP Guardian is now at version 1.2. X takes it back.")
        await s.sees("1 waiting")
        await s.press("X")
        await s.is_told("waits again, and VWAP Guardian is at version 1.1.")
        await s.sees("2 waiting")


async def test_marked_proposals_are_decided_together_with_one_reason(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("p")
        await s.at("approvals")
        await s.press("asterisk")
        await s.sees("2 waiting, 2 marked")
        # Typed without waiting for the question: no key may reach the queue below.
        await s.press("d", *"a", "x", "enter")
        await s.until(lambda: [proposal.reason for proposal in fake.proposals.values()] == ["ax", "ax"], "both discarded")
        await s.sees("Nothing waits for you.")
        assert not any(call.startswith("apply") for call in fake.calls)
        await s.sees("X takes the last decision back")
        await s.press("X", "X")
        await s.until(lambda: [proposal.state for proposal in fake.proposals.values()].count("pending") >= 1, "taken back")


async def test_leaving_the_reason_by_escape_discards_nothing(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("p")
        await s.at("approvals")
        await s.press("d", "escape")
        await s.at("approvals")
        assert [proposal.state for proposal in fake.proposals.values()] == ["pending", "pending"]
        await s.press("X")
        await s.is_told("There is no decision here that can still be taken back.")


async def test_keys_typed_ahead_go_to_the_editor(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("p")
        await s.at("approvals")
        await s.press("e", "d", "a")
        await s.at("editor")
        assert not any(call.startswith(("apply", "discard")) for call in fake.calls)


@pytest.mark.parametrize(
    ("opened", "asks"),
    [
        (("dashboard",), ("end", "x")),
        (("agent", 3), ("x",)),
        (("iteration", 31), ("x",)),
        (("approvals",), ("d",)),
        (("creation",), ("a", "escape")),
    ],
)
async def test_keys_typed_ahead_of_a_question_never_reach_the_place_below(
    make_app: MakeApp, fake: FakeLab, opened: tuple[str, ...], asks: tuple[str, ...]
) -> None:
    async with session(make_app, fake) as s:
        if opened[0] != "dashboard":
            await s.open(*opened)
        fake.calls.clear()
        await s.pilot.press(*asks, "D", "g", "p", "escape")  # in one go: below, these delete, go to a screen and open the approvals
        await s.at(opened[0])
        assert not [call for call in fake.calls if call.startswith(("delete", "cancel", "apply", "discard", "start", "create"))]
        assert not s.told()


async def test_a_decision_is_taken_back_on_the_iterations_own_screen(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("X")
        await s.is_told("There is no decision here")
        await s.press("d", *"no", "enter")
        await s.is_told("the reason is kept")
        await s.until(lambda: s.app.screen.why_not("undo") is None, "it can be taken back")  # type: ignore[attr-defined]
        await s.press("X")
        await s.until(lambda: any(call.startswith("undo") for call in fake.calls), "taken back")


async def test_a_key_pressed_before_the_queue_is_read_is_done_when_it_is(make_app: MakeApp, fake: FakeLab) -> None:
    read, approvals = threading.Event(), fake.approvals
    fake.approvals = lambda: approvals() if read.wait(10) else []  # type: ignore[method-assign]
    async with session(make_app, fake) as s:
        await s.press("p")
        await s.until(lambda: s.place == "approvals", "open")
        await s.press("e", "d")
        assert s.place == "approvals"
        assert not s.told()
        read.set()
        await s.at("editor")
        assert not any(call.startswith("discard") for call in fake.calls)
