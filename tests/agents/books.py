"""Whether the lab's books agree with a model server's bill: exactly, call by call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lab.agents.budget.prices import Tokens, load_prices
from lab.store.models import CallState, ModelCall
from tests.agents.model_server import MODEL, Usage, request_of

PRICE = load_prices(Path("/nowhere")).of(MODEL, date(2026, 11, 22))


@dataclass(frozen=True, slots=True)
class Books:
    """All in micro-dollars."""

    spent: int
    settled: int
    in_doubt: int
    billed: int
    calls_in_doubt: int
    unread: int
    """Calls that the server billed and the lab could not settle: each of them is among those in doubt."""


def cost(used: Usage) -> int:
    return PRICE.cost_micros(Tokens(used.input, used.cache_write, 0, used.cache_read, used.output))


def agree(rows: Sequence[ModelCall], bill: Sequence[Usage]) -> Books:
    """Fails unless what is recorded as spent is the server's bill plus what is declared in doubt, to the micro-dollar.

    A settled call is one line of the bill, at its cost. Every other line of the bill is a call in doubt that sent the same request,
    at its whole reservation, which covers the line. What was refused costs nothing.
    """
    open_lines = {used.message: used for used in bill}
    assert len(open_lines) == len(bill)
    doubtful = [row for row in rows if row.state == CallState.IN_DOUBT]
    settled = 0
    for row in rows:
        match row.state:
            case CallState.SETTLED:
                line = open_lines.pop(json.loads(row.reply)["id"])  # raises where the books have a call twice, or one never billed
                assert row.charged_micros == cost(line), "a call was charged otherwise than it was billed"
                settled += row.charged_micros
            case CallState.IN_DOUBT:
                assert row.charged_micros == row.reserved_micros, "what is in doubt counts in full"
            case CallState.RELEASED:
                assert row.charged_micros == 0, "a refused call costs nothing"
            case other:
                raise AssertionError(f"call {row.id} is left {other}")
        assert row.charged_micros <= row.reserved_micros
    reserved: dict[str, list[int]] = {}
    for row in doubtful:
        reserved.setdefault(request_of(json.loads(row.prompt)), []).append(row.reserved_micros)
    for used in open_lines.values():
        assert reserved.get(used.request), "the server billed what the books neither settled nor declared in doubt"
        assert cost(used) <= reserved[used.request].pop(), "a reservation did not cover the call"
    in_doubt = sum(row.charged_micros for row in doubtful)
    spent = sum(row.charged_micros for row in rows)
    billed = sum(cost(used) for used in bill)
    assert spent == settled + in_doubt
    assert settled == billed - sum(cost(used) for used in open_lines.values())
    return Books(spent, settled, in_doubt, billed, len(doubtful), len(open_lines))
