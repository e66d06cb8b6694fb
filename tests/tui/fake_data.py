"""The cached bars, fetches, news and universes of the laboratory in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from lab.agents.data_views import (
    Candidate,
    DamageRow,
    DayCoverage,
    FetchPartView,
    FetchView,
    QualityLine,
    QualityReport,
    SessionCoverage,
    SessionState,
    UniverseDetail,
    UniverseRule,
    VerifyReport,
)
from lab.agents.errors import BadUniverse
from lab.agents.session_counts import Series, SessionCount
from lab.agents.views import UniverseView
from lab.market.news import NewsCoverage
from lab.store.fetch_states import FetchKind, FetchState

START = datetime(2024, 7, 1, tzinfo=UTC)


def sessions(first: date, days: int) -> tuple[SessionCoverage, ...]:
    """Weekdays; the third is missing, the fourth has few bars, the fifth most of them, the sixth is a half day."""
    weekdays = [day for day in (first + timedelta(days=n) for n in range(days)) if day.weekday() < 5]
    told = {
        2: (SessionState.MISSING, 0, 390, False),
        3: (SessionState.PARTIAL, 40, 390, False),
        4: (SessionState.PARTIAL, 300, 390, False),
        5: (SessionState.COMPLETE, 210, 210, True),
    }
    return tuple(SessionCoverage(day, *told.get(n, (SessionState.COMPLETE, 390, 390, False))) for n, day in enumerate(weekdays))


class FakeCache:
    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.damaged: tuple[DamageRow, ...] = ()
        self.refetch = False
        self.stopped = False
        self.counted: dict[Series, SessionCount] = {}

    def coverage_days(self, ticker: str, timeframe: str, synthetic: bool | None = None) -> DayCoverage:
        return DayCoverage(ticker, timeframe, True, sessions(date(2024, 1, 1), 100), (2023,) if ticker == "AMD" else ())

    def session_counts(self) -> dict[Series, SessionCount]:
        return dict(self.counted)

    def count_sessions(self, ticker: str, timeframe: str, synthetic: bool) -> SessionCount:
        days = self.coverage_days(ticker, timeframe, synthetic)
        self.counted[ticker, timeframe, synthetic] = SessionCount(len(days.sessions), days.count(SessionState.COMPLETE))
        return self.counted[ticker, timeframe, synthetic]

    def quality(self, ticker: str, timeframe: str, synthetic: bool | None = None) -> QualityReport:
        lines = (QualityLine("duplicate", "12 bars were there twice.", "left out", 12),) if ticker == "AAPL" else ()
        splits = ((date(2024, 6, 10), "10:1"),) if ticker == "NVDA" else ()
        return QualityReport(ticker, timeframe, timeframe, True, "demo", 46_800, START, START + timedelta(days=90), lines, splits, ())

    def made_of(self, ticker: str, timeframe: str) -> tuple[str, ...]:
        return ("5m",) if timeframe == "1m" else ()

    def verify(self, progress: Callable[[float, str], None] = lambda share, note: None) -> VerifyReport:
        try:
            progress(0.25, "AAPL 1m")
            end = time.monotonic() + 60.0  # a test that failed before it let this go on is to end as well
            while not self.go_on.wait(0.02) and time.monotonic() < end:
                progress(0.5, "MSFT 1m")
        except BaseException:
            self.stopped = True
            raise
        return VerifyReport(8, self.damaged, (), self.refetch)

    repair = verify


class FakeNews:
    def coverage(self, ticker: str | None = None) -> tuple[NewsCoverage, ...]:
        return (NewsCoverage("polygon", (ticker or "",), START, START + timedelta(days=60)),) if ticker == "AAPL" else ()


def fetch(fetch_id: int, state: FetchState, **changes: object) -> FetchView:
    part = FetchPartView(FetchKind.BARS, "AAPL", "1m", START.date(), START.date(), FetchState.QUEUED, 0.25, 1000, ())
    view = FetchView(
        id=fetch_id,
        title=f"AAPL and {fetch_id} more 1m",
        tickers=("AAPL",),
        timeframe="1m",
        first_session=START.date(),
        last_session=START.date(),
        universe="",
        state=state,
        interrupted=False,
        sentence="",
        progress=0.25,
        note="AAPL: page 3" if state is FetchState.RUNNING else "",
        bars=12_345,
        calls=3,
        bars_per_second=250.0 if state is FetchState.RUNNING else None,
        seconds_left=125.0 if state is FetchState.RUNNING else None,
        parts_done=0,
        parts=(part,),
        created_at=START,
        finished_at=None,
    )
    return replace(view, **changes)


class FakeFetchList:
    """Fetches that only change by what a person does."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.views: list[FetchView] = []
        self.calls: list[str] = []
        self._changed = changed

    def all(self) -> tuple[FetchView, ...]:
        return tuple(self.views)

    def waiting(self) -> bool:
        return any(view.interrupted for view in self.views)

    def fetcher_alive(self) -> bool:
        return False

    def set(self, fetch_id: int, **changes: object) -> None:
        self.views = [replace(view, **changes) if view.id == fetch_id else view for view in self.views]
        self._changed()

    def pause(self, fetch_id: int) -> None:
        self.calls.append(f"pause {fetch_id}")
        self.set(fetch_id, state=FetchState.PAUSED, bars_per_second=None, seconds_left=None)

    def resume(self, fetch_id: int, *, calls_per_minute: int | None = None) -> None:
        self.calls.append(f"resume {fetch_id}")
        self.set(fetch_id, state=FetchState.QUEUED)

    def cancel(self, fetch_id: int) -> None:
        self.calls.append(f"cancel {fetch_id}")
        self.set(fetch_id, state=FetchState.CANCELLED)

    def update(self, *, calls_per_minute: int, dividends: bool = False) -> int:
        self.calls.append("update")
        self.views.insert(0, fetch(len(self.views) + 1, FetchState.QUEUED, title="Update of 4 tickers"))
        self._changed()
        return self.views[0].id

    def splits(self, ticker: str) -> tuple[tuple[date, float], ...]:
        return ()

    def dividends(self, ticker: str) -> tuple[tuple[date, float], ...]:
        return ()


class UniverseList(list[UniverseView]):
    """The universes' views, and the service over them."""

    def __init__(self, views: Sequence[UniverseView]) -> None:
        super().__init__(views)
        self.calls: list[str] = []
        self.owners: dict[int, tuple[str, ...]] = {}
        self.rules: dict[int, tuple[UniverseRule, date]] = {}

    def all(self) -> tuple[UniverseDetail, ...]:
        return tuple(UniverseDetail(one, *self.rules.get(one.id, (None, None)), self.owners.get(one.id, ())) for one in self)

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
        if not name:
            raise BadUniverse("name", "Give the universe a name.")
        if rule is not None and as_of is None:
            raise BadUniverse("as_of", "A rule needs the date before which it looks.")
        if "ZZZZ" in tickers:
            raise BadUniverse("tickers", f"No {timeframe} bars of ZZZZ are cached.")
        made = replace(self[0], id=len(self) + 1, name=name, tickers=tuple(tickers) or ("AAPL", "AMD"), timeframe=timeframe)
        self.calls.append(f"make {name} {timeframe} {' '.join(made.tickers)} synthetic={synthetic}")
        if rule is not None and as_of is not None:
            self.rules[made.id] = (rule, as_of)
        self.append(made)
        return made

    def edit(self, universe_id: int, *, name: str | None = None, tickers: Sequence[str] | None = None) -> UniverseView:
        self.calls.append(f"edit {universe_id} {name} {' '.join(tickers or ())}")
        at = next(n for n, one in enumerate(self) if one.id == universe_id)
        self[at] = replace(self[at], name=name or self[at].name, tickers=tuple(tickers or self[at].tickers))
        return self[at]

    def delete(self, universe_id: int) -> None:
        self.calls.append(f"delete {universe_id}")
        self[:] = [one for one in self if one.id != universe_id]

    def candidates(self, timeframe: str, as_of: date, rule: UniverseRule, *, synthetic: bool = False) -> tuple[Candidate, ...]:
        self.calls.append(f"candidates {timeframe} {as_of} {rule.words}")
        return (Candidate("AAPL", 190.12, 9.1e9, 1.4, 20), Candidate("AMD", 120.0, 5.2e9, 2.6, 20))
