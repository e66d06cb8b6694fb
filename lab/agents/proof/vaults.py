"""A universe's learning span and vault: where one ends and the other begins, and who looked into the vault."""

from __future__ import annotations

from datetime import date, timedelta

from sqlmodel import Session, col, select

from lab.agents.errors import BadAgent, CannotIterate, NotThere
from lab.agents.ledger import Place, trials_within
from lab.agents.proof.views import VaultView
from lab.store.models import AgentIteration, AgentStrategy, Trial, Universe
from lab.store.proof_models import ProofKind, ProofRun, ProofState, VaultOpening

LEAST_LEARNING_SESSIONS = 30
MOST_FOLDS = 12


def universe_of(session: Session, universe_id: int) -> Universe:
    """Raises NotThere."""
    universe = session.get(Universe, universe_id)
    if universe is None:
        raise NotThere("That universe no longer exists.")
    return universe


def vault_place(universe: Universe) -> Place:
    """The sessions after the learning span."""
    return Place(universe.synthetic, universe.tickers, universe.learning_until + timedelta(days=1), universe.last_session)


def learning_place(universe: Universe) -> Place:
    """The sessions of the learning span."""
    return Place(universe.synthetic, universe.tickers, universe.first_session, universe.learning_until)


def openings_of(session: Session, place: Place) -> list[VaultOpening]:
    """Every opening, ever, of a vault that shares sessions with a place."""
    rows = session.exec(select(VaultOpening).order_by(col(VaultOpening.id)))
    return [row for row in rows if place.overlaps(Place(row.synthetic, row.tickers, row.first_session, row.last_session))]


def vault_of(session: Session, universe: Universe) -> VaultView:
    place = vault_place(universe)
    openings = openings_of(session, place)
    return VaultView(
        universe_id=universe.id or 0,
        first_session=universe.first_session,
        learning_until=universe.learning_until,
        last_session=universe.last_session,
        folds=universe.folds,
        openings=len(openings),
        opened_at=tuple(row.opened_at for row in openings),
        seen_by=trials_within(session, place),
        fixed=_tested(session, universe) or bool(openings),
    )


def set_folds(universe: Universe, folds: int) -> None:
    """Raises BadAgent with the field "folds"."""
    if not 1 <= folds <= MOST_FOLDS:
        raise BadAgent("folds", f"From 1 to {MOST_FOLDS} folds can be walked, not {folds}.")
    universe.folds = folds


def move_boundary(session: Session, universe: Universe, learning_until: date) -> None:
    """Let the learning span end with the last session on or before a day. Raises BadAgent with the field "learning_until"."""
    if learning_until == universe.learning_until:
        return
    if _tested(session, universe) or openings_of(session, vault_place(universe)):
        raise BadAgent(
            "learning_until",
            f"Something was tested on {universe.name!r} already, so its vault begins after {universe.learning_until} for good.",
        )
    from lab.market import trading_sessions

    sessions: list[date] = trading_sessions(universe.first_session, universe.last_session)["session"].to_list()
    until = max((session for session in sessions if session <= learning_until), default=None)
    if until not in sessions[LEAST_LEARNING_SESSIONS - 1 : -1]:
        raise BadAgent(
            "learning_until",
            f"The learning span must end with a session from {sessions[min(LEAST_LEARNING_SESSIONS, len(sessions)) - 1]} on, "
            f"before the last one, {sessions[-1]}.",
        )
    _refuse_others_vault(session, universe, until)
    universe.learning_until = until


def write_opening(session: Session, agent_id: int, iteration: AgentIteration, strategy: AgentStrategy) -> VaultOpening:
    """Write down, before a bar of it is read, that the vault is opened for an iteration's version.

    Raises CannotIterate where it is being opened for it already, or was, or where there is no vault.
    """
    universe = universe_of(session, iteration.universe_id)
    known = session.exec(
        select(ProofRun).where(ProofRun.iteration_id == iteration.id, ProofRun.kind == ProofKind.VAULT, ProofRun.state != ProofState.FAILED)
    ).first()
    if known is not None:
        raise CannotIterate(f"The vault was opened for version {strategy.version} already; a second look would add nothing.")
    if universe.learning_until >= universe.last_session:
        raise CannotIterate(f"{universe.name!r} has no vault: its learning span reaches to its last session.")
    place = vault_place(universe)
    opening = VaultOpening(
        universe_id=iteration.universe_id,
        agent_id=agent_id,
        iteration_id=iteration.id or 0,
        version=strategy.version,
        script_hash=iteration.script_hash,
        synthetic=universe.synthetic,
        timeframe=universe.timeframe,
        tickers=list(universe.tickers),
        first_session=place.first,
        last_session=place.last,
    )
    session.add(opening)
    session.flush()
    return opening


def _tested(session: Session, universe: Universe) -> bool:
    return session.exec(select(Trial.id).where(Trial.universe_id == universe.id).limit(1)).first() is not None


def _refuse_others_vault(session: Session, universe: Universe, until: date) -> None:
    place = learning_place(universe)
    longer = Place(place.synthetic, place.tickers, place.first, until)
    for other in session.exec(select(Universe).where(Universe.id != universe.id)):
        if longer.overlaps(vault_place(other)):
            raise BadAgent(
                "learning_until",
                f"The sessions after {other.learning_until} are the vault of {other.name!r}, which shares tickers with {universe.name!r}: "
                f"end the learning span by then.",
            )
