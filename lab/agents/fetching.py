"""Fetches from Polygon as a person sees them: started, paused, resumed, cancelled and watched, from any terminal.

What is to be fetched and how far it is stands in the database; a process of its own does the work (`lab.work.fetcher`), so that it
goes on when the program that started it is closed. The key is never stored here: that process alone has it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import update as change
from sqlmodel import col, select

from lab.agents.data_views import UNDER_WAY, FetchPartView, FetchView
from lab.agents.errors import BadFetch, NotThere
from lab.agents.fetch_lock import fetcher_lock
from lab.agents.fetch_parts import Part, parts_of_fetch, parts_of_update
from lab.store.database import Store
from lab.store.fetch_models import ActionKind, CorporateAction, DataFetch, DataFetchPart
from lab.store.fetch_states import FetchKind, FetchState
from lab.store.filelock import FileLock
from lab.store.models import Universe, utc_now
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from sqlmodel import Session

PLANS = {"free": 5, "starter": 0, "developer": 0, "advanced": 0}
"""Calls a minute by the vendor's name of the plan; 0 for no limit."""


class Fetches:
    """The fetches of one workspace. Each call is short; after `start`, `update` and `resume` see that a fetcher runs."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self._workspace, self._store = workspace, store

    def start(
        self,
        tickers: Sequence[str],
        timeframe: str,
        first: date,
        last: date,
        *,
        news: bool = False,
        dividends: bool = False,
        vix: bool = False,
        universe: str | None = None,
        calls_per_minute: int = PLANS["free"],
        anew: bool = False,
        now: datetime | None = None,
    ) -> int:
        """Queue a fetch of the bars of `tickers` in the sessions from `first` to `last` that are not cached yet; its id.

        With it go the splits, and where wanted the dividends, the news and the daily VIX. `universe` is the name of the universe
        that is made in the end: None for one made from what is asked for, "" for none. With `anew` all is fetched, whatever is
        cached. The very same fetch, unfinished, is resumed instead. Raises BadFetch, whose `field` says what to change.
        """
        from lab.market.polygon.line import PolygonError
        from lab.market.polygon.storing import checked_tickers, settled

        try:
            wanted = checked_tickers(tickers)
            span = settled(first, last, now or datetime.now(UTC))
            parts = parts_of_fetch(self._workspace, self._store, wanted, timeframe, span, news, dividends, vix, anew)
        except PolygonError as error:
            raise BadFetch(error.field, str(error)) from None
        others = f" and {len(wanted) - 1} more" if len(wanted) > 1 else ""
        title = f"{wanted[0]}{others} {timeframe} {first} to {last}"
        name = title if universe is None else " ".join(universe.split())
        with self._store.write() as session:
            same = self._same(session, wanted, timeframe, span.first, span.last, name)
            if same is not None:
                return _requeue(session, same, calls_per_minute)
            if name and session.exec(select(Universe).where(Universe.name == name)).first() is not None:
                raise BadFetch("universe", f"A universe named {name!r} exists already; choose another name.")
            return _add(session, title, wanted, timeframe, span.first, span.last, name, calls_per_minute, parts)

    def update(self, *, calls_per_minute: int = PLANS["free"], dividends: bool = False, now: datetime | None = None) -> int:
        """Queue a fetch that brings up to date all that came from Polygon: bars, splits, news and the VIX; its id.

        Raises BadFetch where nothing came from Polygon.
        """
        from lab.market.polygon.line import PolygonError

        try:
            tickers, parts = parts_of_update(self._workspace, self._store, dividends, now or datetime.now(UTC))
        except PolygonError as error:
            raise BadFetch(error.field, str(error)) from None
        first, last = min(part.first for part in parts), max(part.last for part in parts)
        count = f"{len(tickers)} ticker{'' if len(tickers) == 1 else 's'}"
        with self._store.write() as session:
            same = self._same(session, tickers, "", first, last, "")
            if same is not None:
                return _requeue(session, same, calls_per_minute)
            return _add(session, f"Update of {count} to {last}", tickers, "", first, last, "", calls_per_minute, parts)

    def pause(self, fetch_id: int) -> None:
        """Stop a fetch within a second, keeping what has come. Raises BadFetch where it is not under way."""
        self._move(fetch_id, UNDER_WAY, FetchState.PAUSED, "is not under way")

    def resume(self, fetch_id: int, *, calls_per_minute: int | None = None) -> None:
        """Queue a paused, failed or interrupted fetch again: it goes on where it was. Raises BadFetch where it has ended."""
        with self._store.write() as session:
            fetch = _get(session, fetch_id)
            if fetch.state in (FetchState.FINISHED, FetchState.CANCELLED):
                raise BadFetch("", f"Fetch {fetch_id} is {fetch.state}: there is nothing to resume.")
            if fetch.state != FetchState.RUNNING or not self.fetcher_alive():
                _requeue(session, fetch, fetch.calls_per_minute if calls_per_minute is None else calls_per_minute)

    def cancel(self, fetch_id: int) -> None:
        """End a fetch for good. Tickers that are complete stay in the cache. Raises BadFetch where it has ended."""
        self._move(fetch_id, (*UNDER_WAY, FetchState.PAUSED, FetchState.FAILED), FetchState.CANCELLED, "has already ended")
        if not self.fetcher_alive():
            shutil.rmtree(spool_folder(self._workspace, fetch_id), ignore_errors=True)

    def get(self, fetch_id: int) -> FetchView:
        """Raises NotThere."""
        with self._store.read() as session:
            return self._view(session, _get(session, fetch_id), self.fetcher_alive())

    def all(self, most: int = 50) -> tuple[FetchView, ...]:
        """The fetches of the workspace, newest first, at most `most`."""
        with self._store.read() as session:
            rows = session.exec(select(DataFetch).order_by(col(DataFetch.id).desc()).limit(most)).all()
            alive = any(row.state in UNDER_WAY for row in rows) and self.fetcher_alive()
            return tuple(self._view(session, row, alive) for row in rows)

    def waiting(self) -> bool:
        """Whether some fetch is queued or was left running, so that a fetcher is needed."""
        with self._store.read() as session:
            return session.exec(select(DataFetch.id).where(col(DataFetch.state).in_(UNDER_WAY))).first() is not None

    def fetcher_alive(self) -> bool:
        """Whether a process is at the fetches of this workspace now."""
        lock = FileLock(fetcher_lock(self._workspace))
        if not lock.acquire():
            return True
        lock.release()
        return False

    def splits(self, ticker: str) -> tuple[tuple[date, float], ...]:
        """The listed splits of a ticker, as (first session at the new price, new shares for one), oldest first."""
        return tuple((action.session, action.ratio or 1.0) for action in self._actions(ticker, ActionKind.SPLIT))

    def dividends(self, ticker: str) -> tuple[tuple[date, float], ...]:
        """The listed dividends of a ticker, as (ex-date, cash for a share), oldest first."""
        return tuple((action.session, action.cash_amount or 0.0) for action in self._actions(ticker, ActionKind.DIVIDEND))

    # Inside

    def _actions(self, ticker: str, kind: ActionKind) -> Sequence[CorporateAction]:
        with self._store.read() as session:
            mine = select(CorporateAction).where(CorporateAction.ticker == ticker, CorporateAction.kind == kind)
            return session.exec(mine.order_by(col(CorporateAction.session))).all()

    def _same(self, session: Session, tickers: Sequence[str], timeframe: str, first: date, last: date, universe: str) -> DataFetch | None:
        rows = session.exec(
            select(DataFetch).where(
                col(DataFetch.state).in_((*UNDER_WAY, FetchState.PAUSED, FetchState.FAILED)),
                DataFetch.timeframe == timeframe,
                DataFetch.first_session == first,
                DataFetch.last_session == last,
                DataFetch.universe == universe,
            )
        ).all()
        return next((row for row in rows if row.tickers == list(tickers)), None)

    def _move(self, fetch_id: int, states: Sequence[FetchState], to: FetchState, why_not: str) -> None:
        with self._store.write() as session:
            _get(session, fetch_id)
            ended = utc_now() if to is FetchState.CANCELLED else None
            moved = session.execute(
                change(DataFetch)
                .where(col(DataFetch.id) == fetch_id, col(DataFetch.state).in_(states))
                .values(state=to, progress_note="", rate=None, seconds_left=None, updated_at=utc_now(), finished_at=ended)
                .returning(col(DataFetch.id))
            ).one_or_none()
            if moved is None:
                raise BadFetch("", f"Fetch {fetch_id} {why_not}.")

    def _view(self, session: Session, row: DataFetch, alive: bool) -> FetchView:
        parts = session.exec(select(DataFetchPart).where(DataFetchPart.fetch_id == row.id).order_by(col(DataFetchPart.number))).all()
        assert row.id is not None
        return FetchView(
            id=row.id,
            title=row.title,
            tickers=tuple(row.tickers),
            timeframe=row.timeframe,
            first_session=row.first_session,
            last_session=row.last_session,
            universe=row.universe,
            state=FetchState(row.state),
            interrupted=row.state in UNDER_WAY and not alive,
            sentence=row.sentence,
            progress=row.progress,
            note=row.progress_note,
            bars=row.bars,
            calls=row.calls,
            bars_per_second=row.rate,
            seconds_left=row.seconds_left,
            parts_done=sum(part.state == FetchState.FINISHED for part in parts),
            parts=tuple(_part_view(part) for part in parts),
            created_at=row.created_at,
            finished_at=row.finished_at,
        )


def spool_folder(workspace: Workspace, fetch_id: int) -> Path:
    """Where the pages of an unfinished fetch lie."""
    return workspace.home / "fetches" / str(fetch_id)


def _add(
    session: Session,
    title: str,
    tickers: Sequence[str],
    timeframe: str,
    first: date,
    last: date,
    universe: str,
    calls_per_minute: int,
    parts: Sequence[Part],
) -> int:
    fetch = DataFetch(
        title=title,
        tickers=list(tickers),
        timeframe=timeframe,
        first_session=first,
        last_session=last,
        universe=universe,
        calls_per_minute=calls_per_minute,
    )
    session.add(fetch)
    session.flush()
    assert fetch.id is not None
    for number, part in enumerate(parts):
        session.add(
            DataFetchPart(
                fetch_id=fetch.id,
                number=number,
                kind=part.kind,
                ticker=part.ticker,
                timeframe=part.timeframe,
                first_session=part.first,
                last_session=part.last,
            )
        )
    return fetch.id


def _requeue(session: Session, fetch: DataFetch, calls_per_minute: int) -> int:
    assert fetch.id is not None
    fetch.state, fetch.sentence, fetch.calls_per_minute, fetch.updated_at = FetchState.QUEUED, "", calls_per_minute, utc_now()
    session.add(fetch)
    failed = change(DataFetchPart).where(col(DataFetchPart.fetch_id) == fetch.id, col(DataFetchPart.state) == FetchState.FAILED)
    session.execute(failed.values(state=FetchState.QUEUED, sentence=""))
    return fetch.id


def _get(session: Session, fetch_id: int) -> DataFetch:
    fetch = session.get(DataFetch, fetch_id)
    if fetch is None:
        raise NotThere(f"There is no fetch {fetch_id}; `lab data fetches` lists them.")
    return fetch


def _part_view(part: DataFetchPart) -> FetchPartView:
    return FetchPartView(
        kind=FetchKind(part.kind),
        ticker=part.ticker,
        timeframe=part.timeframe,
        first_session=part.first_session,
        last_session=part.last_session,
        state=FetchState(part.state),
        progress=part.progress,
        rows=part.rows,
        sentences=tuple(part.sentence.splitlines()),
    )
