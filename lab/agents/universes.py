"""Universes: named lists of tickers an agent trades, named by a person, read from a file or chosen by a rule as of a date.

A rule sees only sessions before its date, and a universe chosen so begins there: tickers picked for what they did later would carry
their success into every result. No universe learns from bars that are another one's vault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from lab.agents.data_views import Candidate, UniverseDetail, UniverseRule
from lab.agents.errors import BadUniverse, NotThere
from lab.agents.gaps import VIX_NAMES, covered, find_gaps, gaps_of, new_york_day
from lab.agents.news_files import restore_news_files
from lab.agents.queries import universe_view
from lab.agents.views import UniverseView
from lab.store.database import Store
from lab.store.models import AgentIteration, TradingAgent, Universe
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from lab.market import BarsCache

LEARNING_SHARE = 0.8
"""The first four fifths of a universe's sessions are the learning span; the rest is the vault."""
LEAST_SESSIONS = 10
NAME_LENGTH = 60
MOST_TICKERS = 2_000


class Universes:
    """The universes of one workspace."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self._workspace, self._store = workspace, store

    def all(self) -> tuple[UniverseDetail, ...]:
        """All universes, oldest first."""
        with self._store.read() as session:
            return tuple(_detail(session, universe) for universe in session.exec(select(Universe).order_by(col(Universe.id))))

    def show(self, universe_id: int) -> UniverseDetail:
        """Raises NotThere."""
        with self._store.read() as session:
            return _detail(session, _universe(session, universe_id))

    def named(self, name: str) -> UniverseDetail:
        """The universe of this name, letter case aside. Raises NotThere, which lists those that are there."""
        found = self.all()
        for one in found:
            if one.view.name.casefold() == name.strip().casefold():
                return one
        known = ", ".join(one.view.name for one in found) or "none yet"
        raise NotThere(f"There is no universe named {name!r}. Universes here: {known}.")

    def missing_context(self, universe_id: int) -> tuple[str, ...]:
        """What context a universe lacks by now, a sentence each; empty where nothing is missing.

        Looks anew at what is cached, and writes the files of the news again where they are gone.
        """
        from lab.market import BarsCache

        with self._store.write() as session:
            universe = _universe(session, universe_id)
            restore_news_files(session, self._workspace.bars)
            find_gaps(session, universe, BarsCache(_folder(self._workspace.bars, universe.synthetic)))
            return tuple(gap.sentence for gap in gaps_of(universe))

    def candidates(self, timeframe: str, as_of: date, rule: UniverseRule, *, synthetic: bool = False) -> tuple[Candidate, ...]:
        """The cached tickers a rule chooses from the sessions before `as_of`, best first.

        Reads the bars of those sessions, a ticker at a time. Raises BadUniverse for a rule that can't be meant.
        """
        from lab.agents.choosing import choose

        return choose(_folder(self._workspace.bars, synthetic), timeframe, as_of, rule)

    def make(
        self,
        name: str,
        timeframe: str,
        tickers: Sequence[str] = (),
        *,
        rule: UniverseRule | None = None,
        as_of: date | None = None,
        first: date | None = None,
        last: date | None = None,
        synthetic: bool = False,
    ) -> UniverseView:
        """Make a universe of cached tickers, named or chosen by a rule, over the sessions from `first` to `last` (all that are cached).

        Raises BadUniverse, whose `field` is "name", "tickers", "rule", "as_of" or "span".
        """
        from lab.market import BarsCache, trading_sessions

        name = _checked_name(name)
        cache = BarsCache(_folder(self._workspace.bars, synthetic))
        if rule is not None:
            if tickers:
                raise BadUniverse("tickers", "Give either tickers or a rule, not both.")
            if as_of is None:
                raise BadUniverse("as_of", "A rule needs the date before which it looks: without one it would choose by what came later.")
            tickers = [one.ticker for one in self.candidates(timeframe, as_of, rule, synthetic=synthetic)]
            if not tickers:
                raise BadUniverse("rule", f"No ticker with {timeframe} bars before {as_of} meets the rule: {rule.words}.")
            first = max(first, as_of) if first is not None else as_of
        chosen = _checked_tickers(tickers, cache, timeframe)
        first, last = _span(cache, chosen, timeframe, first, last)
        sessions: list[date] = trading_sessions(first, last)["session"].to_list()
        if len(sessions) < LEAST_SESSIONS:
            raise BadUniverse("span", f"From {first} to {last} there are {len(sessions)} sessions; a universe needs {LEAST_SESSIONS}.")
        with self._store.write() as session:
            _refuse_taken_name(session, name, None)
            learning_until = _outside_vaults(session, chosen, synthetic, sessions)
            universe = Universe(
                name=name,
                tickers=list(chosen),
                timeframe=timeframe,
                source=_source(cache, chosen, timeframe),
                synthetic=synthetic,
                first_session=sessions[0],
                learning_until=learning_until,
                last_session=sessions[-1],
                rule=None if rule is None else asdict(rule),
                as_of=as_of if rule is not None else None,
            )
            session.add(universe)
            session.flush()
            find_gaps(session, universe, cache)
            session.flush()
            return universe_view(universe)

    def edit(
        self,
        universe_id: int,
        *,
        name: str | None = None,
        tickers: Sequence[str] | None = None,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> UniverseView:
        """Rename a universe, or change its tickers; its spans stay. A rule's universe whose tickers are changed by hand is one no more.

        Takes effect with the next iteration of the agents that trade it. Raises BadUniverse as `make` does, NotThere.
        """
        from lab.market import BarsCache

        with self._store.write() as session:
            universe = _universe(session, universe_id)
            cache = BarsCache(_folder(self._workspace.bars, universe.synthetic))
            if name is not None:
                universe.name = _checked_name(name)
                _refuse_taken_name(session, universe.name, universe_id)
            strange = [ticker for ticker in remove if ticker not in universe.tickers]
            if strange:
                raise BadUniverse("tickers", f"{universe.name} does not hold {', '.join(strange)}.")
            wanted = list(universe.tickers) if tickers is None else list(tickers)
            wanted = [ticker for ticker in (*wanted, *add) if ticker not in remove]
            if dict.fromkeys(wanted) != dict.fromkeys(universe.tickers):
                chosen = _checked_tickers(wanted, cache, universe.timeframe)
                _refuse_vaults(session, universe, [ticker for ticker in chosen if ticker not in universe.tickers])
                universe.tickers, universe.rule, universe.as_of = list(chosen), None, None
            find_gaps(session, universe, cache)
            session.flush()
            return universe_view(universe)

    def extend(self, universe_id: int) -> int:
        """Let a universe end where the bars of its tickers do; the number of sessions its vault gains.

        The learning span stays. Raises BadUniverse with the field "span" where that can't be done, NotThere.
        """
        from lab.agents.extending import extend_universe
        from lab.market import BarsCache

        with self._store.write() as session:
            universe = _universe(session, universe_id)
            return extend_universe(session, universe, BarsCache(_folder(self._workspace.bars, universe.synthetic)))

    def delete(self, universe_id: int) -> None:
        """Forget a universe; its bars stay cached and its trials counted. Raises BadUniverse while agents trade it, NotThere."""
        with self._store.write() as session:
            universe = _universe(session, universe_id)
            owners = session.exec(select(TradingAgent.name).where(TradingAgent.universe_id == universe_id)).all()
            if owners:
                raise BadUniverse(
                    "", f"{universe.name} is traded by {', '.join(owners)}: give {'them' if len(owners) > 1 else 'it'} another one first."
                )
            if session.exec(select(AgentIteration.id).where(AgentIteration.universe_id == universe_id)).first() is not None:
                raise BadUniverse("", f"Iterations ran on {universe.name}: it is kept as long as their agents are.")
            session.delete(universe)


def refresh_context(session: Session, bars: Path, synthetic: bool | None = None) -> None:
    """Look for every universe's context anew: it may come with a later import than the universe's own. Inside the caller's transaction."""
    from lab.market import BarsCache

    for universe in session.exec(select(Universe)).all():
        if synthetic is None or universe.synthetic == synthetic:
            find_gaps(session, universe, BarsCache(_folder(bars, universe.synthetic)))


def _folder(bars: Path, synthetic: bool) -> Path:
    from lab.agents.span import bars_folder

    return bars_folder(bars, synthetic)


def _detail(session: Session, universe: Universe) -> UniverseDetail:
    agents = session.exec(select(TradingAgent.name).where(TradingAgent.universe_id == universe.id).order_by(col(TradingAgent.id))).all()
    rule = None if universe.rule is None else UniverseRule(**universe.rule)
    return UniverseDetail(universe_view(universe), rule, universe.as_of, tuple(agents))


def _universe(session: Session, universe_id: int) -> Universe:
    universe = session.get(Universe, universe_id)
    if universe is None:
        raise NotThere("That universe no longer exists.")
    return universe


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise BadUniverse("name", "Give the universe a name.")
    if len(name) > NAME_LENGTH:
        raise BadUniverse("name", f"A name has at most {NAME_LENGTH} characters.")
    return name


def _refuse_taken_name(session: Session, name: str, own_id: int | None) -> None:
    for universe in session.exec(select(Universe)):
        if universe.name.casefold() == name.casefold() and universe.id != own_id:
            raise BadUniverse("name", f"A universe named {universe.name!r} exists already; choose another name.")


def _checked_tickers(tickers: Sequence[str], cache: BarsCache, timeframe: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(tickers))
    if not chosen:
        raise BadUniverse("tickers", "Name at least one ticker.")
    if len(chosen) > MOST_TICKERS:
        raise BadUniverse("tickers", f"A universe holds at most {MOST_TICKERS:,} tickers, not {len(chosen):,}.")
    index = [ticker for ticker in chosen if ticker in VIX_NAMES]
    if index:
        raise BadUniverse("tickers", f"{index[0]} can't be traded: it is kept as market context of your universes.")
    missing = [ticker for ticker in chosen if not cache.has(ticker, timeframe)]
    if missing:
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        raise BadUniverse("tickers", f"No {timeframe} bars of {shown} are cached: import or fetch them first, or leave them out.")
    return chosen


def _span(cache: BarsCache, tickers: Sequence[str], timeframe: str, first: date | None, last: date | None) -> tuple[date, date]:
    spans = [found for ticker in tickers if (found := covered(cache, ticker, timeframe)) is not None]
    begin, end = new_york_day(min(one.first_at for one in spans)), new_york_day(max(one.last_at for one in spans))
    begin, end = max(begin, first or begin), min(end, last or end)
    if begin > end:
        raise BadUniverse("span", f"The bars of these tickers end on {end}, before {begin}.")
    return begin, end


def _source(cache: BarsCache, tickers: Sequence[str], timeframe: str) -> str:
    sources = {source for ticker in tickers if (source := cache.source(ticker, timeframe)) is not None}
    if len(sources) > 1:
        return "several sources"
    source = next(iter(sources))
    return source if source in ("demo", "polygon") else "import"


def _outside_vaults(session: Session, tickers: Sequence[str], synthetic: bool, sessions: Sequence[date]) -> date:
    """The last session to learn from: of four fifths of all, but of none that is another universe's vault."""
    until = sessions[max(0, int(len(sessions) * LEARNING_SHARE) - 1)]
    for other in _sharing(session, tickers, synthetic, None):
        if other.last_session >= sessions[0] and until > other.learning_until:
            before = [day for day in sessions if day <= other.learning_until]
            if len(before) < LEAST_SESSIONS:
                raise BadUniverse(
                    "span",
                    f"From {sessions[0]} on, bars of these tickers are the vault of {other.name!r} (after {other.learning_until}): "
                    "no universe learns from them. Begin earlier, or leave those tickers out.",
                )
            until = before[-1]
    return until


def _refuse_vaults(session: Session, universe: Universe, tickers: Sequence[str]) -> None:
    for other in _sharing(session, tickers, universe.synthetic, universe.id):
        if other.learning_until < universe.learning_until and other.last_session >= universe.first_session:
            shared = ", ".join(sorted(set(tickers) & set(other.tickers))[:5])
            raise BadUniverse(
                "tickers",
                f"Bars of {shared} after {other.learning_until} are the vault of {other.name!r}; {universe.name} learns until "
                f"{universe.learning_until} and would see them.",
            )


def _sharing(session: Session, tickers: Sequence[str], synthetic: bool, own_id: int | None) -> list[Universe]:
    """The other universes that trade any of these tickers."""
    wanted = set(tickers)
    rows = session.exec(select(Universe).where(Universe.synthetic == synthetic).order_by(col(Universe.id)))
    return [other for other in rows if other.id != own_id and wanted & set(other.tickers)]
