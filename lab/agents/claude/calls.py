"""A call that is paid for: reserved, made, stored and settled; tried again where that helps; never bought twice."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from lab.agents.budget.money import CallEnd, CallStart, Till, budget_day
from lab.agents.budget.prices import Prices
from lab.agents.claude.errors import Bill, CallFailed
from lab.agents.claude.line import Answer, ModelLine, Watch, answer_from
from lab.agents.claude.schemas import clean_line, whole
from lab.agents.errors import StrategistFailed
from lab.store.errors import DatabaseBusy, DiskFull
from lab.store.models import utc_now

log = logging.getLogger("lab.claude")

ATTEMPTS = 3
"""So often is one request made where the server is busy or the line breaks."""
LONGEST_WAIT_SECONDS = 60.0
LARGEST_MAX_TOKENS = 16_000
_SHOW_SECONDS = 0.5
_STORE_PAUSES_SECONDS = (0.5, 2.0, 5.0)
_PAUSED_TURNS = 4

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, without the model and its settings."""

    purpose: str
    prompt_version: str
    system: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    schema: Mapping[str, Any]
    """Of the JSON that the reply has to be."""
    max_tokens: int
    tools: Sequence[Mapping[str, Any]] = ()
    use_tools: bool = True
    """False where they are sent only because they stand before all else in what the server has cached."""


class Caller:
    """Makes the calls of one iteration with one model."""

    def __init__(
        self,
        line: ModelLine,
        till: Till,
        prices: Prices,
        model: str,
        effort: str,
        agent_id: int,
        iteration_id: int,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._line, self._till, self._prices, self._model, self._effort = line, till, prices, model, effort
        self._agent_id, self._iteration_id, self._pause = agent_id, iteration_id, pause

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._model

    async def call(self, request: Request, watch: Callable[[str], str] | None = None) -> Answer:
        """The reply to a request, with every stop reason dealt with but "tool_use", which is the caller's to answer.

        `watch` turns the reply's text so far into what a screen shows of it.
        Raises StrategistFailed or OutOfBudget, each with its sentence.
        """
        messages, max_tokens = list(request.messages), request.max_tokens
        for _ in range(_PAUSED_TURNS):
            answer = await self._attempts(request, messages, max_tokens, watch)
            match answer.stop_reason:
                case "end_turn" | "tool_use" | "stop_sequence":
                    return answer
                case "max_tokens" if max_tokens < LARGEST_MAX_TOKENS:
                    max_tokens = min(LARGEST_MAX_TOKENS, 2 * max_tokens)
                case "pause_turn":
                    messages = [*messages, {"role": "assistant", "content": list(answer.content)}]
                case reason:
                    raise await self.rejected(answer, _ended_by(reason, answer))
        raise await self.rejected(answer, "The model paused again and again without coming to an end.")

    async def rejected(self, answer: Answer, sentence: str) -> StrategistFailed:
        """The error for a reply that is of no use. It stays paid and stored, but is not taken for an answer again."""
        await asyncio.to_thread(self._till.reject, answer.call_id, sentence)
        return StrategistFailed(sentence)

    def _body(self, request: Request, messages: Sequence[Mapping[str, Any]], max_tokens: int) -> dict[str, Any]:
        output: dict[str, Any] = {"format": {"type": "json_schema", "schema": request.schema}}
        if self._effort:
            output["effort"] = self._effort
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": max_tokens,
            "system": list(request.system),
            "messages": list(messages),
            "output_config": output,
        }
        if request.tools:
            body |= {"tools": list(request.tools)} | ({} if request.use_tools else {"tool_choice": {"type": "none"}})
        sent: dict[str, Any] = whole(body)
        return sent

    async def _attempts(
        self, request: Request, messages: Sequence[Mapping[str, Any]], max_tokens: int, watch: Callable[[str], str] | None
    ) -> Answer:
        body = self._body(request, messages, max_tokens)
        sent = json.dumps(body, ensure_ascii=True)
        request_hash = sha256(sent.encode()).hexdigest()
        bought = await asyncio.to_thread(self._till.bought, self._iteration_id, request_hash)
        if bought is not None:
            return answer_from(bought[1], bought[0])
        price = self._prices.of(self._model, budget_day(utc_now()))
        start = CallStart(self._agent_id, self._iteration_id, request.purpose, self._model, sent, request.prompt_version, request_hash)
        for attempt in range(1, ATTEMPTS + 1):
            most = price.most_micros(await self._line.most_prompt_tokens(body), max_tokens)
            call_id = await asyncio.to_thread(self._till.reserve, start, price, most)
            try:
                answer = await self._line.ask(body, _shown(self._till, call_id, watch))
            except CallFailed as error:
                close = self._till.release if error.bill is Bill.NOTHING else self._till.doubt
                await self._stored(close, call_id, str(error), error.reply)
                log.info("Call %d: %s", call_id, error)
                wait = error.retry_after_seconds if error.retry_after_seconds is not None else 2.0**attempt
                if not error.again or attempt == ATTEMPTS or wait > LONGEST_WAIT_SECONDS:
                    raise
                await self._pause(wait)
            except BaseException:
                # Also when the program stops: whoever waits for this thread to end must not lose sight of the money.
                self._till.doubt(call_id, "The lab stopped waiting for the model's answer.")
                raise
            else:
                end = CallEnd(answer.tokens, answer.raw, answer.stop_reason, answer.latency_ms)
                await self._stored(self._till.settle, call_id, price, end)
                return replace(answer, call_id=call_id)
        raise AssertionError("the last attempt returns or raises")

    async def _stored(self, store: Callable[..., Any], *values: Any) -> None:
        """A reply is paid for, so a database that is busy or full for a moment must not lose it."""
        for pause in _STORE_PAUSES_SECONDS:
            try:
                return await asyncio.to_thread(store, *values)
            except (DatabaseBusy, DiskFull) as error:
                log.warning("A reply waits to be stored: %s", error)
                await asyncio.sleep(pause)
        return await asyncio.to_thread(store, *values)


def _shown(till: Till, call_id: int, watch: Callable[[str], str] | None) -> Watch | None:
    """Write the text so far where screens see it, at most twice a second."""
    if watch is None:
        return None
    last = time.monotonic()

    async def show(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _SHOW_SECONDS:
            last = time.monotonic()
            await asyncio.to_thread(till.show, call_id, watch(text))

    return show


def _ended_by(reason: str, answer: Answer) -> str:
    match reason:
        case "max_tokens":
            return f"The model wrote more than {LARGEST_MAX_TOKENS:,} tokens without coming to an end."
        case "refusal":
            return f"The model refused this request{_why_refused(answer)}. Change the agent's words and try again."
        case "model_context_window_exceeded":
            return "The conversation has become longer than the model can read."
        case other:
            return f"The model stopped for a reason this lab does not know: {other[:60]!r}."


def _why_refused(answer: Answer) -> str:
    details = json.loads(answer.raw).get("stop_details")
    said = details.get("explanation") or details.get("category") if isinstance(details, dict) else None
    return f" ({clean_line(str(said))[:200]})" if said else ""
