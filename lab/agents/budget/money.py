"""The till: a call's upper bound is reserved before it and settled after it, each in one immediate transaction.

So that no two processes ever spend the same dollar, a reservation counts as spent until it is settled. What a call cost
can be unknown (the line was cut, the program was killed): then its whole reservation stays spent, and is shown as in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from lab.agents.budget.errors import OutOfBudget
from lab.agents.budget.prices import Price, Tokens, dollars
from lab.store.database import Store
from lab.store.models import Budget, CallState, ModelCall, TradingAgent, utc_now

AGENT_DAILY_MICROS = 1_000_000
"""What an agent may spend in a day where nothing else was set: one dollar."""
LAB_DAILY_MICROS = 5_000_000
WHOLE_LAB = 0
"""The agent id under which the whole lab's budget stands: real ids begin at 1."""
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Daily:
    """The budgets of a day where a person has set no other, in micro-dollars."""

    agent_micros: int = AGENT_DAILY_MICROS
    lab_micros: int = LAB_DAILY_MICROS


@dataclass(frozen=True, slots=True)
class CallStart:
    """What is known of a call before it is made."""

    agent_id: int
    iteration_id: int
    purpose: str
    model: str
    prompt: str
    """The request's body as it will be sent."""
    prompt_version: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class CallEnd:
    """What came of a call that was answered."""

    tokens: Tokens
    reply: str
    stop_reason: str
    latency_ms: int


def budget_day(at: datetime) -> date:
    """The New York day that a moment belongs to."""
    return at.astimezone(_NEW_YORK).date()


def next_day_at(at: datetime) -> datetime:
    """The start of the next New York day, in UTC."""
    return datetime.combine(budget_day(at) + timedelta(days=1), time(), _NEW_YORK).astimezone(UTC)


class Till:
    """Takes and settles money for calls. Safe between threads and processes: the database decides."""

    def __init__(self, store: Store, daily: Daily) -> None:
        self._store, self._daily = store, daily

    def reserve(self, start: CallStart, price: Price, most_micros: int, now: datetime | None = None) -> int:
        """Set the call's upper bound aside and write its row. Returns the call's id.

        Raises OutOfBudget where the agent's or the lab's budget of this day does not cover it; then nothing is written.
        """
        at = now or utc_now()
        day = budget_day(at)
        with self._store.write() as session:
            for scope in (start.agent_id, WHOLE_LAB):
                limit, spent = daily_limit(session, scope, self._daily), spent_micros(session, scope, day)
                if spent + most_micros > limit:
                    raise OutOfBudget(_refusal(session, scope, limit, spent, most_micros, at), next_day_at(at))
            of_purpose = ModelCall.iteration_id == start.iteration_id, ModelCall.purpose == start.purpose
            attempt = session.exec(select(func.count()).where(*of_purpose)).one() + 1
            call = ModelCall(
                agent_id=start.agent_id,
                iteration_id=start.iteration_id,
                day=day,
                purpose=start.purpose,
                attempt=attempt,
                model=start.model,
                reserved_micros=most_micros,
                charged_micros=most_micros,
                prompt_version=start.prompt_version,
                prices_of=price.since.isoformat(),
                request_hash=start.request_hash,
                prompt=start.prompt,
                created_at=at,
            )
            session.add(call)
            session.flush()
            assert call.id is not None
            return call.id

    def settle(self, call_id: int, price: Price, end: CallEnd) -> int:
        """Store a reply and its usage, and charge what it cost. Returns the cost. A call is settled once, be it in doubt or not."""
        cost = price.cost_micros(end.tokens)
        self._close(
            call_id,
            CallState.SETTLED,
            charged_micros=cost,
            input_tokens=end.tokens.input,
            cache_write_tokens=end.tokens.cache_write + end.tokens.cache_write_hour,
            cache_write_hour_tokens=end.tokens.cache_write_hour,
            cache_read_tokens=end.tokens.cache_read,
            output_tokens=end.tokens.output,
            latency_ms=end.latency_ms,
            stop_reason=end.stop_reason,
            reply=end.reply,
            partial="",
        )
        return cost

    def release(self, call_id: int, error: str, reply: str = "") -> None:
        """The server refused the call and bills nothing for it."""
        self._close(call_id, CallState.RELEASED, charged_micros=0, error=error, reply=reply, partial="")

    def doubt(self, call_id: int, error: str, reply: str = "") -> None:
        """Whether the call is billed can't be known: its whole reservation counts as spent."""
        self._close(call_id, CallState.IN_DOUBT, error=error, reply=reply)

    def doubt_left_open(self, iteration_id: int) -> int:
        """Put in doubt what a program that ended left reserved. Only for who holds the iteration's lease. Returns how many."""
        with self._store.write() as session:
            left = session.exec(
                update(ModelCall)
                .where(col(ModelCall.iteration_id) == iteration_id, col(ModelCall.state) == CallState.RESERVED)
                .values(state=CallState.IN_DOUBT, error="The lab was closed or killed while the model answered.", settled_at=utc_now())
            )
            return left.rowcount

    def bought(self, iteration_id: int, request_hash: str) -> tuple[int, str] | None:
        """The call and its reply to the very same request of this iteration, where one was paid for already and is of use."""
        with self._store.read() as session:
            found = session.exec(
                select(ModelCall.id, ModelCall.reply).where(
                    ModelCall.iteration_id == iteration_id,
                    ModelCall.request_hash == request_hash,
                    ModelCall.state == CallState.SETTLED,
                    ModelCall.error == "",
                )
            ).first()
        return None if found is None or found[0] is None else (found[0], found[1])

    def reject(self, call_id: int, error: str) -> None:
        """Say why a paid reply is of no use: asked again, the lab does not take it for an answer."""
        with self._store.write() as session:
            session.exec(update(ModelCall).where(col(ModelCall.id) == call_id).values(error=error))

    def show(self, call_id: int, text: str) -> None:
        """Let screens see how far a reply has come."""
        with self._store.write() as session:
            session.exec(update(ModelCall).where(col(ModelCall.id) == call_id).values(partial=text))

    def _close(self, call_id: int, state: CallState, **values: object) -> None:
        with self._store.write() as session:
            session.exec(
                update(ModelCall)
                .where(col(ModelCall.id) == call_id, col(ModelCall.state).in_((CallState.RESERVED, CallState.IN_DOUBT)))
                .values(state=state, settled_at=utc_now(), **values)
            )


def daily_limit(session: Session, agent_id: int, daily: Daily) -> int:
    """What the agent (or the whole lab) may spend in a day."""
    own = session.get(Budget, agent_id)
    if own is not None:
        return own.daily_micros
    return daily.lab_micros if agent_id == WHOLE_LAB else daily.agent_micros


def spent_micros(session: Session, agent_id: int, day: date) -> int:
    """What the agent (or the whole lab) has spent and reserved on that day."""
    query = select(func.coalesce(func.sum(ModelCall.charged_micros), 0)).where(ModelCall.day == day)
    return int(session.exec(query if agent_id == WHOLE_LAB else query.where(ModelCall.agent_id == agent_id)).one())


def _refusal(session: Session, scope: int, limit: int, spent: int, most: int, at: datetime) -> str:
    if scope == WHOLE_LAB:
        whose, how = "The whole lab's", "raise it with `lab usage budget --lab DOLLARS`"
    else:
        agent = session.get(TradingAgent, scope)
        name = agent.name if agent is not None else "the agent"
        whose, how = f"{name}'s", f"raise it with `lab usage budget {name!r} DOLLARS`"
    left, a_day = max(0, limit - spent), dollars(limit, 2 if limit % 10_000 == 0 else 4)
    new_york = next_day_at(at).astimezone(_NEW_YORK)
    return (
        f"{whose} budget of {a_day} a day has {dollars(left)} left, and the next call may cost up to {dollars(most)}. "
        f"It goes on by itself at {new_york:%H:%M} New York time on {new_york:%A, %d %B}; {how} to go on now."
    )
