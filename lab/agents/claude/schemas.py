"""The forms a model's replies must have: a JSON schema that is sent along, and the reading of what comes back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lab.agents.claude.line import Answer
from lab.agents.errors import StrategistFailed
from lab.agents.personality import FOCUSES, MARKETS, RISKS, STYLES
from lab.agents.strategist import NewsKind, Relevance
from lab.market.news import Sentiment

R = TypeVar("R", bound="Reply")


def clean(text: str) -> str:
    """A model's words without what a terminal, a log or a database would act on: controls, escapes, reordering, lone surrogates."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " if letter in "\t\r\u2028\u2029" else "" for letter in text)


def clean_line(text: str) -> str:
    return " ".join(clean(text).split())


Short = Annotated[str, StringConstraints(max_length=300), AfterValidator(clean_line)]
Script = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(clean)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000), AfterValidator(clean)]


class Reply(BaseModel):
    """A reply's form. Too much of anything is refused here, since what is sent can't say so."""

    model_config = ConfigDict(extra="forbid")


class StrategyReply(Reply):
    scan: Script
    execution: Script
    pattern: Short
    rationale: Prose
    notes: Short


class InsightReply(Reply):
    kind: Literal["pattern rule", "parameter preference", "market rule", "failure"]
    insight: Short
    evidence: list[Short]


class AnalysisReply(Reply):
    text: Prose
    insights: Annotated[list[InsightReply], Field(max_length=20)]


class ProposalReply(Reply):
    choice: int
    title: Short
    rationale: Prose


class NewsItemReply(Reply):
    id: int
    kind: NewsKind
    sentiment: Sentiment
    relevance: Relevance


class NewsReply(Reply):
    items: Annotated[list[NewsItemReply], Field(max_length=500)]


def _among(choices: Sequence[str]) -> AfterValidator:
    def known(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text[:40]!r} is none of the choices")
        return text

    return AfterValidator(known)


def _said(choices: Sequence[str]) -> Any:
    """The choices for the schema."""
    return Field(json_schema_extra={"enum": list(choices)})


Risk = Annotated[str, _among(RISKS), _said(RISKS)]
Style = Annotated[str, _among(STYLES), _said(STYLES)]
Focus = Annotated[str, _among(FOCUSES), _said(FOCUSES)]
Market = Annotated[str, _among(MARKETS), _said(MARKETS)]
Quotes = Annotated[list[Short], Field(max_length=20)]


class PersonalityReply(Reply):
    risk: Risk
    style: Style
    focus: Annotated[list[Focus], Field(min_length=1, max_length=len(FOCUSES))]
    markets: Annotated[list[Market], Field(min_length=1, max_length=len(MARKETS))]
    risk_words: Quotes
    style_words: Quotes
    focus_words: Quotes
    markets_words: Quotes


_UNSENT = ("maxLength", "minLength", "maxItems", "minItems", "title", "default")
"""What structured outputs do not take."""


def schema_of(kind: type[Reply]) -> dict[str, Any]:
    """The schema as it is sent: every field required, no references."""
    schema = kind.model_json_schema()
    definitions = schema.pop("$defs", {})

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return plain(definitions[value["$ref"].rpartition("/")[2]])
            kept = {key: plain(item) for key, item in value.items() if key not in _UNSENT or not isinstance(item, str | int)}
            return {key: item for key, item in kept.items() if key != "description"}
        return [plain(item) for item in value] if isinstance(value, list) else value

    found: dict[str, Any] = plain(schema)
    return found


@cache
def one_of(*kinds: type[Reply]) -> dict[str, Any]:
    """The schema of a reply of any of these kinds, inside "reply".

    A server keeps a prompt in its cache for one schema only. So requests that shall share what is cached share their schema, and
    the question says which of its forms is wanted.
    """
    reply = {"anyOf": [schema_of(kind) for kind in kinds]}
    return {"type": "object", "properties": {"reply": reply}, "required": ["reply"], "additionalProperties": False}


def read(kind: type[R], answer: Answer) -> R:
    """The reply in its form, inside "reply" or, from servers that know no schemas, without. Raises StrategistFailed for any other."""
    text = "".join(str(block.get("text", "")) for block in answer.content if block.get("type") == "text").strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    try:
        value = whole(json.loads(text))
        return kind.model_validate(value["reply"] if isinstance(value, dict) and value.keys() == {"reply"} else value)
    except (ValueError, RecursionError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is no JSON"
        raise StrategistFailed(f"The model's reply does not have the form that was asked for ({what}).") from error


def whole(value: Any) -> Any:
    """The JSON value without halves of characters, which JSON can hold, but no line and no database takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "ignore").decode()
    if isinstance(value, dict):
        return {whole(key): whole(item) for key, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, list) else value


def growing_text(partial: str, name: str = "text") -> str:
    """The value of a text field of a JSON reply that is still coming in, as far as it has come."""
    mark = f'"{name}"'
    at = partial.find(mark)
    opening = partial.find('"', at + len(mark)) if at >= 0 else -1
    if opening < 0:
        return ""
    value, place = [], opening + 1
    while place < len(partial) and partial[place] != '"':
        step = 1
        if partial[place] == "\\":
            step = 6 if partial[place + 1 : place + 2] == "u" else 2
            if place + step > len(partial):
                break
        value.append(partial[place : place + step])
        place += step
    try:
        return clean(str(json.loads(f'"{"".join(value)}"', strict=False)))
    except ValueError:
        return ""
