"""Calls that read what others wrote and have no tools: headlines, and a person's words on who an agent shall be.

Both answer with choices from lists and nothing else (a person's own words are quoted, and found again or left out). So whatever
a text says, it can change no more than the one choice it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.agents.claude.blind import Veil
from lab.agents.claude.calls import Caller, Request
from lab.agents.claude.prompts import Prompt, prompt
from lab.agents.claude.schemas import NewsReply, PersonalityReply, R, clean_line, read, schema_of
from lab.agents.errors import StrategistFailed
from lab.agents.personality import normalised
from lab.agents.strategist import NewsLine, NewsReading
from lab.agents.views import DetectedPersonality, Personality

HEADLINE_LENGTH = 200
"""Characters of a headline that are read."""
_TOKENS_A_HEADLINE, _TOKENS_OVER, _PERSONALITY_TOKENS = 60, 500, 1_500


async def read_news(caller: Caller, veil: Veil, lines: Sequence[NewsLine]) -> tuple[NewsReading, ...]:
    """What each headline reports, as far as the model said so; what it says of numbers it was not asked about is dropped.

    Raises StrategistFailed or OutOfBudget, each with its sentence.
    """
    asked = "\n".join(
        f"{number} | {veil.ticker(line.ticker)} | {clean_line(veil.hide(line.title))[:HEADLINE_LENGTH]}"
        for number, line in enumerate(lines, 1)
    )
    most = _TOKENS_OVER + _TOKENS_A_HEADLINE * len(lines)
    reply, _ = await _ask(caller, "news", prompt("news"), f"<data>\n{asked}\n</data>", NewsReply, most)
    said = {item.id: item for item in reply.items}
    return tuple(
        NewsReading(line.id, item.kind, item.sentiment, item.relevance, caller.model)
        for number, line in enumerate(lines, 1)
        if (item := said.get(number)) is not None
    )


async def read_personality(caller: Caller, veil: Veil, words: str) -> tuple[DetectedPersonality, int]:
    """Who the words describe, with the words each part was read from; and the call's id. Raises StrategistFailed or OutOfBudget."""
    question = f"<person>{veil.hide(words.strip())}</person>"
    reply, call_id = await _ask(caller, "personality", prompt("personality"), question, PersonalityReply, _PERSONALITY_TOKENS)
    typed = " ".join(words.split()).casefold()

    def quoted(quotes: Sequence[str]) -> tuple[str, ...]:
        found = (" ".join(veil.reveal(quote).strip(" “”\"'.,;").split()) for quote in quotes)
        return tuple(dict.fromkeys(quote for quote in found if quote and quote.casefold() in typed))[:4]

    found = DetectedPersonality(
        personality=normalised(Personality(reply.risk, reply.style, tuple(reply.focus), tuple(reply.markets))),
        because={
            "risk": quoted(reply.risk_words),
            "style": quoted(reply.style_words),
            "focus": quoted(reply.focus_words),
            "markets": quoted(reply.markets_words),
        },
        has_trading_content=True,
    )
    return found, call_id


async def _ask(caller: Caller, purpose: str, asked: Prompt, text: str, form: type[R], max_tokens: int) -> tuple[R, int]:
    system: list[dict[str, Any]] = [{"type": "text", "text": asked.text}]
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    answer = await caller.call(Request(purpose, asked.label, system, messages, schema_of(form), max_tokens))
    try:
        return read(form, answer), answer.call_id
    except StrategistFailed as error:
        raise await caller.rejected(answer, str(error)) from error
