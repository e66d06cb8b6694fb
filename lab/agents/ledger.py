"""The trial ledger: every variant ever tested on a data set, only added to, outliving the agent that tried it.

The number of trials behind a result is the number of variants on bars that overlap with its own, whoever tested them: a
share of the same tickers in a share of the same sessions, on whatever timeframe. A variant tested on two such data sets is two
trials. How much the best of them owes to their number depends on how alike they are, so their daily returns are kept too; a trial
without returns, or on other bars, counts as an idea of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import variance

from sqlmodel import Session, col, select

from lab.agents.jobs import BarsSlice, TrialsSoFar
from lab.store.models import AgentIteration, Trial, TrialOutcome, Universe
from lab.store.proof_models import DataSet, TrialReturns

VERSION, REFINEMENT, PERSON, SWEEP, EXITS = "iteration", "refinement", "person", "sweep", "exits"
"""What a trial was for: a version itself, a variant of it, scripts that a person ran by hand, a point of a sweep, an exit plan."""
STUDY = "study"
"""A variant of a version that a study of its parameters measured: one could choose it."""
NULL_ARM = "null arm"
"""A random variant beside an agent's: recorded, but no try at a strategy, for its scripts are never kept or shown."""
MOST_RETURNS = 1_000
"""So many variants are compared for likeness; further ones count as ideas of their own."""
BESIDE = -1
"""The iteration's id of a trial of the null arm: apart, so that the same scripts still become a trial when somebody tries them."""
NOBODY = 0
"""The agent's id of a trial by a person without one, and the iteration's id of a trial outside iterations: real ids begin at 1."""


def record_trial(
    session: Session,
    iteration: AgentIteration,
    script_hash: str,
    purpose: str,
    outcome: TrialOutcome,
    trades: int,
    sharpe_daily: float | None,
    returns: Sequence[float] = (),
) -> None:
    """Add a trial inside the caller's transaction. The same scripts on the same bars in one iteration are one trial."""
    assert iteration.id is not None
    _add_once(
        session,
        Trial(
            agent_id=iteration.agent_id,
            iteration_id=iteration.id,
            universe_id=iteration.universe_id,
            script_hash=script_hash,
            data_fingerprint=iteration.data_fingerprint,
            purpose=purpose,
            outcome=outcome,
            trades=trades,
            sharpe_daily=sharpe_daily,
        ),
        returns,
    )


def record_own_trial(
    session: Session,
    universe_id: int,
    data_fingerprint: str,
    script_hash: str,
    outcome: TrialOutcome,
    trades: int,
    sharpe_daily: float | None,
    *,
    purpose: str = PERSON,
    agent_id: int = NOBODY,
    returns: Sequence[float] = (),
) -> None:
    """Add what a person had tested inside the caller's transaction. The same scripts on the same bars are one trial."""
    _add_once(
        session,
        Trial(
            agent_id=agent_id,
            iteration_id=BESIDE if purpose == NULL_ARM else NOBODY,
            universe_id=universe_id,
            script_hash=script_hash,
            data_fingerprint=data_fingerprint,
            purpose=purpose,
            outcome=outcome,
            trades=trades,
            sharpe_daily=sharpe_daily,
        ),
        returns,
    )


def _add_once(session: Session, trial: Trial, returns: Sequence[float]) -> None:
    if len(returns):
        remember_returns(session, trial.data_fingerprint, trial.script_hash, returns)
    seen = select(Trial.id).where(
        Trial.iteration_id == trial.iteration_id,
        Trial.script_hash == trial.script_hash,
        Trial.data_fingerprint == trial.data_fingerprint,
    )
    if session.exec(seen).first() is None:
        _remember_data_set(session, trial.universe_id, trial.data_fingerprint)
        session.add(trial)


def remember_returns(session: Session, fingerprint: str, script_hash: str, returns: Sequence[float]) -> None:
    """Keep the daily returns of a trial inside the caller's transaction; those kept first stay."""
    import numpy as np

    if session.get(TrialReturns, (fingerprint, script_hash)) is None:
        packed = np.asarray(returns, dtype="<f4").tobytes()
        session.add(TrialReturns(data_fingerprint=fingerprint, script_hash=script_hash, returns=packed))


def _returns_on(session: Session, bars: BarsSlice, counted: set[str]) -> tuple[tuple[float, ...], ...]:
    """The daily returns of the counted variants on exactly these bars, at most MOST_RETURNS of them."""
    import numpy as np

    rows = session.exec(
        select(TrialReturns.script_hash, TrialReturns.returns)
        .where(TrialReturns.data_fingerprint == bars.fingerprint)
        .order_by(col(TrialReturns.script_hash))
    ).all()
    kept = [packed for script_hash, packed in rows if script_hash in counted][:MOST_RETURNS]
    return tuple(tuple(np.frombuffer(packed, dtype="<f4").astype(float).tolist()) for packed in kept)


def _remember_data_set(session: Session, universe_id: int, fingerprint: str) -> None:
    universe = session.get(Universe, universe_id)
    if universe is None or session.get(DataSet, fingerprint) is not None:
        return
    session.add(
        DataSet(
            fingerprint=fingerprint,
            universe_id=universe_id,
            synthetic=universe.synthetic,
            timeframe=universe.timeframe,
            tickers=list(universe.tickers),
            first_session=universe.first_session,
            last_session=universe.learning_until,
        )
    )


def trials_so_far(session: Session, bars: BarsSlice, about_to_run: set[str]) -> TrialsSoFar:
    """All agents' variants on bars that overlap with these, with those about to run on them. Run twice on the same bars is one trial.

    The returns of those about to run are left out, though they may have run before: whoever asks brings them.
    """
    related = _overlapping(session, Place(bars.synthetic, bars.tickers, bars.first, bars.last)) | {bars.fingerprint}
    rows = session.exec(
        select(Trial.script_hash, Trial.data_fingerprint, Trial.sharpe_daily).where(
            col(Trial.data_fingerprint).in_(related), Trial.purpose != NULL_ARM
        )
    )
    sharpes: dict[tuple[str, str], float | None] = {}
    for script_hash, fingerprint, sharpe in rows:
        # a crashed run of a variant says nothing of it beside one that was measured
        if sharpe is not None or (script_hash, fingerprint) not in sharpes:
            sharpes[script_hash, fingerprint] = sharpe
    measured = [sharpe for sharpe in sharpes.values() if sharpe is not None]
    return TrialsSoFar(
        count=len(sharpes.keys() | {(script_hash, bars.fingerprint) for script_hash in about_to_run}),
        sharpe_variance=variance(measured) if len(measured) > 1 else None,
        returns=_returns_on(session, bars, {one for one, fingerprint in sharpes if fingerprint == bars.fingerprint} - about_to_run),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where bars lie: tickers of the real or the invented market, and the sessions they cover."""

    synthetic: bool
    tickers: Sequence[str]
    first: date
    last: date

    def overlaps(self, other: Place) -> bool:
        """Whether some ticker has a session in both."""
        shared = self.synthetic == other.synthetic and not set(self.tickers).isdisjoint(other.tickers)
        return shared and self.first <= other.last and other.first <= self.last


def _overlapping(session: Session, place: Place) -> set[str]:
    """The fingerprints of all data sets that were tested on and share bars with a place."""
    known = {
        row.fingerprint: Place(row.synthetic, row.tickers, row.first_session, row.last_session) for row in session.exec(select(DataSet))
    }
    # trials older than the table of data sets name a universe, as long as it is there
    for fingerprint, universe_id in session.exec(select(Trial.data_fingerprint, Trial.universe_id).distinct()).all():
        if fingerprint not in known and (universe := session.get(Universe, universe_id)) is not None:
            known[fingerprint] = Place(universe.synthetic, universe.tickers, universe.first_session, universe.learning_until)
    return {fingerprint for fingerprint, other in known.items() if place.overlaps(other)}


def trials_within(session: Session, place: Place) -> int:
    """How many variants were ever tested on learning spans that reach into a place, such as a vault: of any universe and agent."""
    related = _overlapping(session, place)
    rows = session.exec(
        select(Trial.script_hash, Trial.data_fingerprint)
        .where(col(Trial.data_fingerprint).in_(related), Trial.purpose != NULL_ARM)
        .distinct()
    )
    return len(rows.all())
