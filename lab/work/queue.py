"""The queue of iterations, which is the database itself: leases say who works on what, and until when.

An iteration is taken by writing the owner into its row, kept by renewing the lease, and free again when the lease
runs out or its owner's process is seen to be dead. The oldest unfinished iteration of an agent goes first, and no other
of that agent runs beside it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select as columns
from sqlalchemy import update
from sqlmodel import Session, col, select

from lab.store.database import Store
from lab.store.models import UNFINISHED, AgentIteration, IterationStatus, utc_now
from lab.work.errors import IterationCancelled, LeaseLost
from lab.work.processes import surely_dead

LEASE_SECONDS = 10.0


class Held(StrEnum):
    """What a heartbeat found an iteration to be."""

    HELD = "held"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one owner to store the results of one iteration."""

    iteration_id: int
    owner: str

    def check(self, session: Session) -> None:
        """Makes sure, in the transaction that is about to store something, that this owner may; renews the lease.

        Raises `IterationCancelled` when a person cancelled it, `LeaseLost` when another worker took it or it was
        deleted. Both roll the transaction back when they leave its block.
        """
        match _beat(session, self.owner, self.iteration_id, utc_now()):
            case Held.CANCELLED:
                raise IterationCancelled("The iteration was cancelled.")
            case Held.LOST:
                raise LeaseLost("Another worker has taken this iteration over, or it was deleted.")


def claim(store: Store, owner: str, at: datetime | None = None) -> int | None:
    """Takes the next iteration that may run now and returns its id; None when there is none.

    `at` is the time that decides whether a lease has run out (now, where not given).
    """
    now = at or utc_now()
    with store.read() as session:
        if not _claimable(session, now):
            return None
    with store.write() as session:
        claimable = _claimable(session, now)
        if not claimable:
            return None
        session.exec(
            update(AgentIteration)
            .where(col(AgentIteration.id) == claimable[0])
            .values(lease_owner=owner, lease_expires_at=now + timedelta(seconds=LEASE_SECONDS))
        )
        return claimable[0]


def waiting(store: Store, paused: bool = False) -> int:
    """How many iterations are neither finished nor in the hands of a living worker; those on pause only where `paused`."""
    now = utc_now()
    with store.read() as session:
        return sum(_free(row.owner, row.expires_at, now) and (paused or not row.paused(now)) for row in _unfinished(session))


def heartbeat(store: Store, owner: str, iteration_ids: Collection[int]) -> dict[int, Held]:
    """Renews the leases of these iterations in one transaction and says how each stands."""
    if not iteration_ids:
        return {}
    with store.write() as session:
        now = utc_now()
        return {iteration_id: _beat(session, owner, iteration_id, now) for iteration_id in iteration_ids}


def release(store: Store, owner: str, iteration_id: int) -> None:
    """Gives the iteration back, so that anyone can take it at once; does nothing where it is not the owner's."""
    with store.write() as session:
        _release(session, owner, iteration_id)


def fail(store: Store, owner: str, iteration_id: int, reason: str) -> None:
    """Ends an unfinished iteration of this owner as failed, with the reason as a sentence, and gives it back."""
    with store.write() as session:
        session.exec(
            update(AgentIteration)
            .where(
                col(AgentIteration.id) == iteration_id,
                col(AgentIteration.lease_owner) == owner,
                col(AgentIteration.iteration_status).in_(UNFINISHED),
            )
            .values(iteration_status=IterationStatus.FAILED, failure=reason, finished_at=utc_now())
        )
        _release(session, owner, iteration_id)


def status(store: Store, iteration_id: int) -> str | None:
    """The iteration's status, or None where it was deleted."""
    with store.read() as session:
        return session.exec(select(AgentIteration.iteration_status).where(col(AgentIteration.id) == iteration_id)).first()


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """What decides whether an iteration may be taken."""

    iteration_id: int
    agent_id: int
    owner: str | None
    expires_at: datetime | None
    paused_until: datetime | None

    def paused(self, now: datetime) -> bool:
        return self.paused_until is not None and self.paused_until > now


def _claimable(session: Session, now: datetime) -> list[int]:
    """Of each agent the oldest unfinished iteration, where no living worker has any of that agent; oldest first."""
    first: dict[int, _Unfinished] = {}
    taken: set[int] = set()
    for row in _unfinished(session):
        first.setdefault(row.agent_id, row)
        if not _free(row.owner, row.expires_at, now):
            taken.add(row.agent_id)
    return sorted(row.iteration_id for row in first.values() if row.agent_id not in taken and not row.paused(now))


def _unfinished(session: Session) -> list[_Unfinished]:
    rows = session.execute(
        columns(
            col(AgentIteration.id),
            col(AgentIteration.agent_id),
            col(AgentIteration.lease_owner),
            col(AgentIteration.lease_expires_at),
            col(AgentIteration.paused_until),
        )
        .where(col(AgentIteration.iteration_status).in_(UNFINISHED))
        .order_by(col(AgentIteration.id))
    )
    return [_Unfinished(*row) for row in rows if row[0] is not None]


def _free(owner: str | None, expires_at: datetime | None, now: datetime) -> bool:
    return owner is None or expires_at is None or expires_at <= now or surely_dead(owner)


def _beat(session: Session, owner: str, iteration_id: int, now: datetime) -> Held:
    result = session.exec(
        update(AgentIteration)
        .where(
            col(AgentIteration.id) == iteration_id,
            col(AgentIteration.lease_owner) == owner,
            col(AgentIteration.iteration_status) != IterationStatus.CANCELLED,
        )
        .values(lease_expires_at=now + timedelta(seconds=LEASE_SECONDS))
        .execution_options(synchronize_session=False)
    )
    if result.rowcount == 1:
        return Held.HELD
    found = session.exec(select(AgentIteration.iteration_status).where(col(AgentIteration.id) == iteration_id)).first()
    return Held.CANCELLED if found == IterationStatus.CANCELLED else Held.LOST


def _release(session: Session, owner: str, iteration_id: int) -> None:
    session.exec(
        update(AgentIteration)
        .where(col(AgentIteration.id) == iteration_id, col(AgentIteration.lease_owner) == owner)
        .values(lease_owner=None, lease_expires_at=None)
    )
