"""What models were asked, what it cost and what may still be spent: the service behind the usage screen and `lab usage`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, case, func, select, update
from sqlmodel import Session, col

from lab.agents.budget.estimate import estimate
from lab.agents.budget.money import WHOLE_LAB, Daily, budget_day, daily_limit, next_day_at
from lab.agents.budget.prices import Price, load_prices
from lab.agents.budget.views import BEFORE, OUTSIDE, BudgetView, By, CallRow, CallView, Estimate, PriceRow, Streaming, UsageRow
from lab.agents.errors import BadAgent, NotThere
from lab.store.database import Store
from lab.store.models import NO_ITERATION, UNFINISHED, AgentIteration, Budget, CallState, ModelCall, TradingAgent, utc_now

LARGEST_DAILY_MICROS = 100_000 * 1_000_000


class Usage:
    """Reads and sets what belongs to money. Every call is one short transaction."""

    def __init__(self, store: Store, home: Path, daily: Daily, model: str) -> None:
        self._store, self._home, self._daily, self._model = store, home, daily, model

    # --- what was used

    def by(self, what: By, days: int = 30, agent_id: int | None = None) -> list[UsageRow]:
        """Usage of the last so many New York days (today is one), of all agents or one; days in order, all else dearest first."""
        since = budget_day(utc_now()) - timedelta(days=days - 1)
        keys: dict[By, Any] = {
            By.AGENT: col(ModelCall.agent_id),
            By.PURPOSE: col(ModelCall.purpose),
            By.MODEL: col(ModelCall.model),
            By.DAY: col(ModelCall.day),
            By.ITERATION: col(ModelCall.iteration_id),
        }
        with self._store.read() as session:
            rows = session.execute(select(keys[what], *_sums()).where(*_of(since, agent_id)).group_by(keys[what])).all()
            name = _namer(session, what)
            found = [_usage_row(name(row[0]), row[1:]) for row in rows]
        return sorted(found, key=lambda row: row.key if what is By.DAY else (-row.cost_micros, row.key))

    def total(self, days: int = 30, agent_id: int | None = None) -> UsageRow:
        """Usage of the last so many New York days in one row, of all agents or one."""
        since = budget_day(utc_now()) - timedelta(days=days - 1)
        with self._store.read() as session:
            row = session.execute(select(*_sums()).where(*_of(since, agent_id))).one()
        return _usage_row("all", row)

    def calls(self, agent_id: int | None = None, iteration_id: int | None = None, limit: int = 200) -> list[CallRow]:
        """The newest calls, newest first."""
        query = _call_columns().order_by(col(ModelCall.id).desc()).limit(limit)
        if agent_id is not None:
            query = query.where(col(ModelCall.agent_id) == agent_id)
        if iteration_id is not None:
            query = query.where(col(ModelCall.iteration_id) == iteration_id)
        with self._store.read() as session:
            return [_call_row(row) for row in session.execute(query)]

    def call(self, call_id: int) -> CallView:
        """One call with what was sent and came back. Raises NotThere."""
        with self._store.read() as session:
            row = session.execute(_call_columns().where(col(ModelCall.id) == call_id)).one_or_none()
            call = session.get(ModelCall, call_id)
        if row is None or call is None:
            raise NotThere("There is no such call.")
        return CallView(
            row=_call_row(row),
            prompt=_indented(call.prompt),
            prompt_text=_prompt_text(call.prompt),
            reply=_indented(call.reply),
            reply_text=_reply_text(call.reply),
            prompt_version=call.prompt_version,
            prices_of=call.prices_of,
        )

    def streaming(self, iteration_id: int) -> Streaming | None:
        """The reply that is coming in for this iteration, or None."""
        with self._store.read() as session:
            call = session.execute(
                select(ModelCall)
                .where(col(ModelCall.iteration_id) == iteration_id, col(ModelCall.state) == CallState.RESERVED)
                .order_by(col(ModelCall.id).desc())
                .limit(1)
            ).scalar_one_or_none()
        return None if call is None or call.id is None else Streaming(call.id, iteration_id, call.purpose, call.partial)

    # --- what may be spent

    def budgets(self) -> list[BudgetView]:
        """The whole lab's budget, then each agent's, as they stand today."""
        now = utc_now()
        day = budget_day(now)
        with self._store.read() as session:
            agents: list[tuple[int, str]] = [(WHOLE_LAB, "the whole lab")]
            agents += [
                (row[0], row[1])
                for row in session.execute(select(col(TradingAgent.id), col(TradingAgent.name)).order_by(col(TradingAgent.id)))
            ]
            return [self._budget(session, agent_id, name, day) for agent_id, name in agents]

    def budget(self, agent_id: int) -> BudgetView:
        """The budget of one agent, or of the whole lab (0). Raises NotThere."""
        found = next((each for each in self.budgets() if each.agent_id == agent_id), None)
        if found is None:
            raise NotThere("That agent no longer exists.")
        return found

    def spent_today(self) -> dict[int, int]:
        """What each agent that asked a model today has spent, in micro-dollars, calls under way included."""
        with self._store.read() as session:
            rows = session.execute(
                select(col(ModelCall.agent_id), func.sum(col(ModelCall.charged_micros)))
                .where(col(ModelCall.day) == budget_day(utc_now()))
                .group_by(col(ModelCall.agent_id))
            ).all()
        return {int(row[0]): int(row[1]) for row in rows}

    def whole_lab(self) -> BudgetView:
        """The whole lab's budget as it stands today."""
        with self._store.read() as session:
            return self._budget(session, WHOLE_LAB, "the whole lab", budget_day(utc_now()))

    def set_budget(self, agent_id: int, daily_micros: int) -> BudgetView:
        """Set what an agent (or the whole lab: 0) may spend in a New York day; iterations that waited for budget go on at once.

        What is spent already stays spent. Raises BadAgent (`field` "budget") for an amount out of bounds, NotThere.
        """
        if not 0 <= daily_micros <= LARGEST_DAILY_MICROS:
            raise BadAgent("budget", f"A budget has to be between $0 and ${LARGEST_DAILY_MICROS // 1_000_000:,} a day.")
        with self._store.write() as session:
            if agent_id != WHOLE_LAB and session.get(TradingAgent, agent_id) is None:
                raise NotThere("That agent no longer exists.")
            session.merge(Budget(agent_id=agent_id, daily_micros=daily_micros, updated_at=utc_now()))
            waiting = update(AgentIteration).where(
                col(AgentIteration.iteration_status).in_(UNFINISHED), col(AgentIteration.paused_until).is_not(None)
            )
            if agent_id != WHOLE_LAB:
                waiting = waiting.where(col(AgentIteration.agent_id) == agent_id)
            session.execute(waiting.values(paused_until=None, pause_reason=""))
        return self.budget(agent_id)

    def estimate(self, agent_id: int) -> Estimate:
        """What the agent's next iteration may cost with the model that is set. Raises Unpriced."""
        price = load_prices(self._home).of(self._model, budget_day(utc_now()))
        with self._store.read() as session:
            return estimate(session, agent_id, price)

    # --- prices

    def prices(self) -> list[PriceRow]:
        """The price of each model that holds today. Raises BadPrices."""
        loaded, today = load_prices(self._home), budget_day(utc_now())
        models = sorted({price.model for price in loaded.all if price.since <= today})
        return [_price_row(loaded.of(model, today)) for model in models]

    def prices_path(self) -> Path:
        """Where a person's own prices go."""
        return load_prices(self._home).path

    def _budget(self, session: Session, agent_id: int, name: str, day: date) -> BudgetView:
        now = utc_now()
        sums = select(
            func.coalesce(func.sum(case((col(ModelCall.state) == CallState.RESERVED, 0), else_=col(ModelCall.charged_micros))), 0),
            func.coalesce(func.sum(case((col(ModelCall.state) == CallState.RESERVED, col(ModelCall.charged_micros)), else_=0)), 0),
        ).where(col(ModelCall.day) == day)
        spent, reserved = session.execute(sums if agent_id == WHOLE_LAB else sums.where(col(ModelCall.agent_id) == agent_id)).one()
        return BudgetView(
            agent_id=agent_id,
            name=name,
            daily_micros=daily_limit(session, agent_id, self._daily),
            own=session.get(Budget, agent_id) is not None,
            spent_micros=int(spent),
            reserved_micros=int(reserved),
            day=day,
            next_day_at=next_day_at(now),
        )


def _of(since: date, agent_id: int | None) -> list[Any]:
    """The calls that are summed up."""
    return [col(ModelCall.day) >= since, *([] if agent_id is None else [col(ModelCall.agent_id) == agent_id])]


def _sums() -> tuple[Any, ...]:
    def count(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    def total(column: Any, condition: Any = None) -> Any:
        return func.coalesce(func.sum(column if condition is None else case((condition, column), else_=0)), 0)

    state, charged = col(ModelCall.state), col(ModelCall.charged_micros)
    doubtful, open_ = state == CallState.IN_DOUBT, state == CallState.RESERVED
    return (
        func.count(),
        count(state == CallState.SETTLED),
        count(state == CallState.RELEASED),
        count(doubtful),
        total(col(ModelCall.input_tokens)),
        total(col(ModelCall.cache_write_tokens)),
        total(col(ModelCall.cache_read_tokens)),
        total(col(ModelCall.output_tokens)),
        total(charged, state != CallState.RESERVED),
        total(charged, doubtful),
        total(charged, open_),
    )


def _usage_row(key: str, values: Iterable[Any]) -> UsageRow:
    return UsageRow(key, *(int(value) for value in values))


def _namer(session: Session, what: By) -> Callable[[Any], str]:
    """How a key is told to a person."""
    if what is By.AGENT:
        names = {row[0]: row[1] for row in session.execute(select(col(TradingAgent.id), col(TradingAgent.name)))}
        return lambda key: _agent_name(key, names.get(key))
    if what is By.ITERATION:
        columns = select(col(AgentIteration.id), col(TradingAgent.name), col(AgentIteration.iteration_number))
        rows = session.execute(columns.join(TradingAgent, col(AgentIteration.agent_id) == col(TradingAgent.id)))
        numbers = {row[0]: f"{row[1]} #{row[2]}" for row in rows}
        return lambda key: OUTSIDE if key == NO_ITERATION else numbers.get(key) or f"iteration {key} (deleted)"
    return lambda key: key.isoformat() if isinstance(key, date) else str(key)


def _agent_name(agent_id: int, name: str | None) -> str:
    return BEFORE if agent_id == WHOLE_LAB else name or f"agent {agent_id} (deleted)"


def _call_columns() -> Any:
    return (
        select(ModelCall, col(TradingAgent.name), col(AgentIteration.iteration_number))
        .join(TradingAgent, col(ModelCall.agent_id) == col(TradingAgent.id), isouter=True)
        .join(AgentIteration, col(ModelCall.iteration_id) == col(AgentIteration.id), isouter=True)
    )


def _call_row(row: Row[Any]) -> CallRow:
    values: tuple[Any, ...] = tuple(row)
    call, name, number = values
    return CallRow(
        id=call.id,
        agent_id=call.agent_id,
        agent=_agent_name(call.agent_id, name),
        iteration_id=call.iteration_id,
        iteration_number=number,
        purpose=call.purpose,
        attempt=call.attempt,
        model=call.model,
        state=call.state,
        reserved_micros=call.reserved_micros,
        charged_micros=call.charged_micros,
        input_tokens=call.input_tokens,
        cache_write_tokens=call.cache_write_tokens,
        cache_read_tokens=call.cache_read_tokens,
        output_tokens=call.output_tokens,
        latency_ms=call.latency_ms,
        stop_reason=call.stop_reason,
        error=call.error,
        created_at=call.created_at,
    )


def _price_row(price: Price) -> PriceRow:
    rates = price.rates
    return PriceRow(
        model=price.model,
        since=price.since,
        input=rates.input / 1000,
        output=rates.output / 1000,
        cache_write=rates.cache_write / 1000,
        cache_write_hour=rates.cache_write_hour / 1000,
        cache_read=rates.cache_read / 1000,
        long_above=price.long_above,
    )


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except ValueError:
        return text


def _prompt_text(prompt: str) -> str:
    body = json.loads(prompt)
    parts = [str(block.get("text", "")) for block in body.get("system", [])]
    for message in body.get("messages", []):
        parts += [f"--- {message['role']}", *(_block_text(block) for block in message["content"])]
    return "\n\n".join(parts)


def _reply_text(reply: str) -> str:
    try:
        content = json.loads(reply).get("content", []) if reply else []
        return "\n\n".join(_block_text(block) for block in content)
    except (ValueError, AttributeError):
        return reply


def _block_text(block: dict[str, Any]) -> str:
    match block.get("type"):
        case "text":
            return str(block.get("text", ""))
        case "tool_use":
            return f"(uses {block.get('name')}: {json.dumps(block.get('input'), ensure_ascii=False)})"
        case "tool_result":
            return f"(answer: {block.get('content')})"
        case "thinking":
            return f"(thinks: {block.get('thinking', '')})"
        case other:
            return f"({other})"


__all__ = ["By", "Usage"]
