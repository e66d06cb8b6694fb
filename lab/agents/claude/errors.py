"""What can go wrong on the line to a model: what it means for the money, whether to try again, and the sentence for a person."""

from __future__ import annotations

from enum import Enum
from typing import Any

from lab.agents.errors import StrategistFailed


class Bill(Enum):
    """What a failed call costs."""

    NOTHING = "nothing"
    UNKNOWN = "unknown"


class CallFailed(StrategistFailed):
    """A call gave no reply that can be used."""

    def __init__(self, sentence: str, bill: Bill, *, again: bool, retry_after_seconds: float | None = None, reply: str = "") -> None:
        super().__init__(sentence)
        self.bill, self.again, self.retry_after_seconds, self.reply = bill, again, retry_after_seconds, reply


def refused(status: int, body: Any, model: str, headers: Any) -> CallFailed:
    """The sentence for an answer with an error status. `body` is its JSON where it has one, else its text."""
    error = body.get("error") if isinstance(body, dict) else None
    kind = str(error.get("type", "")) if isinstance(error, dict) else ""
    said = str(error.get("message", "")) if isinstance(error, dict) else str(body or "")
    details = error.get("details") if isinstance(error, dict) else None
    code = str(details.get("error_code", "")) if isinstance(details, dict) else ""
    said = "".join(letter for letter in " ".join(said.split()) if letter.isprintable())[:300]
    wait = _seconds(headers.get("retry-after"))
    limit = "usage limit" in said.lower() or code == "enforced_spend_limit_reached" or "credit balance" in said.lower()
    # An error in the API's own form is not billed; one by something in between may stand for a reply that was.
    bill = Bill.NOTHING if kind or 400 <= status < 500 else Bill.UNKNOWN
    if limit or status == 402:
        return CallFailed(f"The account behind the key may not spend more: {said or 'its limit is reached'}.", Bill.NOTHING, again=False)
    match status:
        case 401:
            return CallFailed(
                "The key was not accepted: it is wrong, has expired or was revoked. Make a new one at platform.claude.com "
                "and give it in ANTHROPIC_API_KEY or with `lab usage key`.",
                bill,
                again=False,
            )
        case 403:
            return CallFailed(f"The key may not use the model {model!r}: {said}.", bill, again=False)
        case 404:
            return CallFailed(
                f"The server does not know the model {model!r}: {said}. Set LAB_CLAUDE_MODEL to a model it has, "
                "or LAB_CLAUDE_URL to the right server.",
                bill,
                again=False,
            )
        case 400 | 413 | 422:
            return CallFailed(f"The server refused the request: {said or status}.", bill, again=False)
        case 429:
            return CallFailed(
                "The server asks for patience: too many requests or tokens a minute.", bill, again=True, retry_after_seconds=wait
            )
        case 529:
            return CallFailed("The model's server is overloaded; try again later.", bill, again=True, retry_after_seconds=wait)
        case _ if status >= 500:
            sentence = f"The model's server failed with status {status}; try again later."
            return CallFailed(sentence, bill, again=bill is Bill.NOTHING, retry_after_seconds=wait)
        case _:
            return CallFailed(f"The server answered with status {status}: {said}.", bill, again=False)


def _seconds(value: Any) -> float | None:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return None
