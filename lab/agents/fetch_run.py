"""Doing the fetches that are queued: part by part, each page durable, each finished ticker in the cache, progress in the database."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import col, select

from lab.agents.data_views import UNDER_WAY
from lab.agents.fetch_lock import fetcher_lock
from lab.agents.fetch_work import FetchedPart, PartWork, save_universe
from lab.agents.fetching import spool_folder
from lab.errors import LabError
from lab.market.errors import CacheUnwritable
from lab.market.polygon.line import Clock, Limits, NotInPlan, PolygonError, PolygonLine, Unreachable
from lab.market.polygon.pace import WINDOW_SECONDS, Pace
from lab.store.database import Store
from lab.store.errors import StoreError
from lab.store.fetch_models import DataFetch, DataFetchPart
from lab.store.fetch_states import FetchKind, FetchState
from lab.store.filelock import FileLock
from lab.store.models import utc_now
from lab.store.workspace import Workspace

log = logging.getLogger("lab.fetch")

AT_ONCE = 4
"""Series fetched side by side on a plan without a limit of calls."""
_TELL_SECONDS = 0.5
_BARS_A_PAGE = 50_000
_MINUTES_A_SESSION = 960
_BESIDE_THE_BARS = {FetchKind.INDEX, FetchKind.NEWS, FetchKind.DIVIDENDS}
"""What a plan may lack without making a fetch of bars fail."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How Polygon is reached; tests have a clock and a minute of their own."""

    key: SecretStr
    base_url: str
    clock: Clock | None = None
    limits: Limits | None = None
    window_seconds: float = WINDOW_SECONDS

    def line(self, workspace: Workspace, calls_per_minute: int) -> PolygonLine:
        """A line whose calls are counted with those of every other process of the workspace."""
        now = {} if self.clock is None else {"now": self.clock.now}
        pace = Pace(calls_per_minute, workspace.locks / "polygon.calls", window_seconds=self.window_seconds, **now)
        return PolygonLine(self.key, self.base_url, calls_per_minute, self.clock, self.limits, pace)


class _Stopped(Exception):
    """The fetch was paused, cancelled or taken away, or the process is to end."""


class _Fatal(Exception):
    """Going on with other parts makes no sense: the sentence says why."""


def run_fetches(workspace: Workspace, store: Store, wire: Wire, stop: threading.Event | None = None) -> int:
    """Work until no fetch is queued; returns how many came to an end. 0 at once where another process is at them.

    Setting `stop` gives the fetch under way back unfinished. Raises StoreError where the database can't be used any more.
    """
    lock = FileLock(fetcher_lock(workspace))
    ended = 0
    while lock.acquire(wait_seconds=0.5):
        try:
            lock.write(str(os.getpid()))
            fine = True
            while fine and not (stop is not None and stop.is_set()) and (fetch := _next(store)) is not None:
                run = _Run(workspace, store, wire, fetch, stop or threading.Event())
                ended += run.run()
                fine = not run.bad_key
        finally:
            lock.release()
        # Looked at after the lock is free: whoever queued something while it was held saw a process and started none.
        # With a key that was refused, the next fetch is left to a process that may have another.
        if not fine or (stop is not None and stop.is_set()) or not _next(store):
            break
    return ended


def _next(store: Store) -> DataFetch | None:
    """The oldest fetch that waits; what another process left running waits too, since this one holds the lock."""
    with store.read() as session:
        return session.exec(select(DataFetch).where(col(DataFetch.state).in_(UNDER_WAY)).order_by(col(DataFetch.id))).first()


@dataclass(slots=True)
class _Gauge:
    """How far each part is, and how fast that goes."""

    weights: dict[int, float]
    shares: dict[int, float]
    bars: dict[int, int]
    note: str = ""
    began: float = field(default_factory=time.monotonic)
    first_share: float = 0.0
    first_bars: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def share(self) -> float:
        total = sum(self.weights.values())
        return sum(weight * self.shares[number] for number, weight in self.weights.items()) / total if total else 1.0

    def start(self) -> None:
        self.first_share, self.first_bars = self.share, sum(self.bars.values())

    def figures(self) -> dict[str, object]:
        """What a person is shown, as columns of the fetch."""
        elapsed, share, bars = time.monotonic() - self.began, self.share, sum(self.bars.values())
        gained = share - self.first_share
        rate = (bars - self.first_bars) / elapsed if elapsed > 0 and bars > self.first_bars else None
        left = (1 - share) * elapsed / gained if gained > 0.001 else None
        return {"progress": share, "progress_note": self.note[:200], "bars": bars, "rate": rate, "seconds_left": left}


class _Run:
    """One fetch from where it stands to where it ends, or is stopped."""

    def __init__(self, workspace: Workspace, store: Store, wire: Wire, fetch: DataFetch, stop: threading.Event) -> None:
        assert fetch.id is not None
        self.workspace, self.store, self.wire, self.fetch, self.id, self.stop = workspace, store, wire, fetch, fetch.id, stop
        with store.read() as session:
            mine = select(DataFetchPart).where(DataFetchPart.fetch_id == self.id).order_by(col(DataFetchPart.number))
            self.parts = list(session.exec(mine).all())
        self.gauge = _Gauge(
            weights={part.number: _weight(part) for part in self.parts},
            shares={part.number: 1.0 if part.state == FetchState.FINISHED else part.progress for part in self.parts},
            bars={part.number: part.rows if part.kind in (FetchKind.BARS, FetchKind.INDEX) else 0 for part in self.parts},
        )
        self.calls_before = fetch.calls
        self.told_at = 0.0
        self.bad_key = False
        """The key was refused, here or there."""
        self.over = threading.Event()
        """Set when one part stops all of them."""

    def run(self) -> int:
        """1 where the fetch came to an end, 0 where it was stopped before."""
        try:
            self._set({"state": FetchState.RUNNING, "started_at": utc_now(), "sentence": ""}, only_from=UNDER_WAY)
            line = self.wire.line(self.workspace, self.fetch.calls_per_minute)
            self.work = PartWork(self.workspace, self.store, line, self.folder)
            self.gauge.start()
            self._all_parts(line)
            self._finish()
        except _Stopped:
            return self._left()
        except (_Fatal, PolygonError) as error:
            self.bad_key |= isinstance(error, PolygonError) and error.field == "key"
            self._end(FetchState.FAILED, str(error))
        except (StoreError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # BaseException, because what Polars raises in a panic is not an Exception. Without its values: they may hold the key.
            log.error("Fetch %d broke off: %s at %s", self.id, type(error).__name__, _place(error))
            self._end(FetchState.FAILED, f"A mistake in the lab itself stopped this fetch ({type(error).__name__}): see logs/fetch.log.")
        return 1

    @property
    def folder(self) -> Path:
        return spool_folder(self.workspace, self.id)

    def _all_parts(self, line: PolygonLine) -> None:
        todo = [part for part in self.parts if part.state != FetchState.FINISHED]
        # How to adjust has to be known before the first bar is stored.
        for part in todo:
            if part.kind == FetchKind.SPLITS:
                self._one(part, line)
        rest = [part for part in todo if part.kind != FetchKind.SPLITS]
        if 0 < self.fetch.calls_per_minute <= 60 or len(rest) < 2:
            for part in rest:
                self._one(part, line)
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="lab-fetch") as pool:
            running: list[Future[None]] = [pool.submit(self._one, part, line) for part in rest]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
                for future in running:
                    if future.done():
                        future.result()
            except BaseException:
                self.over.set()
                raise
            finally:
                pool.shutdown(cancel_futures=True)

    def _one(self, part: DataFetchPart, line: PolygonLine) -> None:
        """One part to its end; a part that fails by itself leaves the others alone."""

        def tell(share: float, note: str) -> None:
            self._tell(part, share, f"{part.ticker or 'all tickers'}: {note}", line)

        tell(self.gauge.shares[part.number], f"{part.kind}")
        try:
            done = self.work.do(part, tell, self._rows_of(part))
        except NotInPlan as error:
            if part.kind in _BESIDE_THE_BARS:
                self._part_ended(part, FetchState.FINISHED, FetchedPart(0, (str(error),)), line)
            else:
                self._part_ended(part, FetchState.FAILED, FetchedPart(0, (str(error),)), line)
        except (Unreachable, CacheUnwritable, StoreError) as error:
            raise (error if isinstance(error, StoreError) else _Fatal(str(error))) from None
        except PolygonError as error:
            if error.field == "key":
                self.bad_key = True
                raise _Fatal(str(error)) from None
            self._part_ended(part, FetchState.FAILED, FetchedPart(part.rows, (str(error),)), line)
        except _Stopped:
            raise
        except LabError as error:
            self._part_ended(part, FetchState.FAILED, FetchedPart(part.rows, (str(error),)), line)
        else:
            self._part_ended(part, FetchState.FINISHED, done, line)

    def _rows_of(self, part: DataFetchPart) -> Callable[[int], None]:
        def count(rows: int) -> None:
            part.rows = rows
            if part.kind in (FetchKind.BARS, FetchKind.INDEX):
                self.gauge.bars[part.number] = rows

        return count

    def _tell(self, part: DataFetchPart, share: float, note: str, line: PolygonLine) -> None:
        """Note how far a part is; twice a second write it down and see whether to go on."""
        if self.over.is_set() or self.stop.is_set():
            raise _Stopped
        with self.gauge.lock:
            self.gauge.shares[part.number], self.gauge.note = share, note
            if time.monotonic() - self.told_at < _TELL_SECONDS:
                return
            self.told_at = time.monotonic()
            figures = {**self.gauge.figures(), "calls": self.calls_before + line.calls}
        self._set(figures, part, {"progress": share, "rows": part.rows, "state": FetchState.RUNNING})

    def _part_ended(self, part: DataFetchPart, state: FetchState, done: FetchedPart, line: PolygonLine) -> None:
        with self.gauge.lock:
            self.gauge.shares[part.number] = 1.0 if state is FetchState.FINISHED else 0.0
            figures = {**self.gauge.figures(), "calls": self.calls_before + line.calls}
        part.state, part.rows, part.sentence = state, done.rows, "\n".join(done.sentences)
        share = self.gauge.shares[part.number]
        self._set(figures, part, {"state": state, "rows": done.rows, "progress": share, "sentence": part.sentence}, also_stopped=True)

    def _set(
        self,
        values: Mapping[str, object],
        part: DataFetchPart | None = None,
        of_part: Mapping[str, object] | None = None,
        *,
        only_from: Sequence[FetchState] = (FetchState.RUNNING,),
        also_stopped: bool = False,
    ) -> None:
        """Change the fetch, and a part of it, while it is this process's to change; raises _Stopped where it is not any more.

        With `also_stopped` the part is changed all the same: what it got is in the cache.
        """
        with self.store.write() as session:
            changed = session.execute(
                update(DataFetch)
                .where(col(DataFetch.id) == self.id, col(DataFetch.state).in_(only_from))
                .values(updated_at=utc_now(), **values)
                .returning(col(DataFetch.id))
            ).one_or_none()
            if part is not None and (changed is not None or also_stopped):
                session.execute(update(DataFetchPart).where(col(DataFetchPart.id) == part.id).values(**(of_part or {})))
        if changed is None:
            raise _Stopped

    def _finish(self) -> None:
        failed = [part for part in self.parts if part.state == FetchState.FAILED]
        if failed:
            first = failed[0]
            count = f"{len(failed)} of {len(self.parts)} parts failed, the others are stored. " if len(self.parts) > 1 else ""
            named = f"{first.ticker}: " if first.ticker else ""
            self._end(FetchState.FAILED, f"{count}{named}{first.sentence.splitlines()[0]}")
            return
        sentence = ""
        if self.fetch.universe:
            tickers = list(dict.fromkeys(self.fetch.tickers))
            sentence = save_universe(
                self.workspace,
                self.store,
                self.fetch.universe,
                tickers,
                self.fetch.timeframe,
                self.fetch.first_session,
                self.fetch.last_session,
            )
        else:
            self.work.refresh_context()
            sentence = "" if self.fetch.timeframe else self.work.extend_universes(self.parts)
        self._end(FetchState.FINISHED, sentence)

    def _end(self, state: FetchState, sentence: str) -> None:
        values: dict[str, object] = {
            "state": state,
            "sentence": sentence,
            "finished_at": utc_now(),
            "seconds_left": None,
            "progress_note": "",
        }
        if state is FetchState.FINISHED:
            values["progress"] = 1.0
        try:
            self._set(values)
        except _Stopped:
            self._left()
            return
        log.info("Fetch %d %s: %s", self.id, state, sentence)
        if state is FetchState.FINISHED:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _left(self) -> int:
        """Leave a fetch that was stopped: what has come stays for the next time, unless a person cancelled it."""
        with self.store.write() as session:
            state = session.exec(select(DataFetch.state).where(col(DataFetch.id) == self.id)).first()
            going = update(DataFetchPart).where(col(DataFetchPart.fetch_id) == self.id, col(DataFetchPart.state) == FetchState.RUNNING)
            session.execute(going.values(state=FetchState.QUEUED))
        if state in (None, FetchState.CANCELLED):
            shutil.rmtree(self.folder, ignore_errors=True)
            return 1
        if state == FetchState.RUNNING:
            with self.store.write() as session:
                mine = update(DataFetch).where(col(DataFetch.id) == self.id, col(DataFetch.state) == FetchState.RUNNING)
                session.execute(mine.values(state=FetchState.QUEUED, progress_note="", rate=None, seconds_left=None))
        return 0


def _weight(part: DataFetchPart) -> float:
    """About how many calls a part takes."""
    if part.kind not in (FetchKind.BARS, FetchKind.INDEX):
        return 1.0
    sessions = ((part.last_session - part.first_session).days + 1) * 5 / 7
    base = sessions * (1 if part.timeframe == "1d" else _MINUTES_A_SESSION)
    return max(1.0, base / _BARS_A_PAGE)


def _place(error: BaseException) -> str:
    """File and line where an error came from, without the values around it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
