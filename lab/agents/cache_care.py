"""Looking after the cached bars for the person: what is there session by session, how good it is, every checksum, and repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from lab.agents.data_views import DamageRow, DayCoverage, QualityLine, QualityReport, SessionCoverage, SessionState, VerifyReport
from lab.agents.errors import NotThere
from lab.agents.session_counts import Series, SessionCount, SessionCounts
from lab.agents.span import bars_folder
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from lab.market import BarsCache, Coverage
    from lab.market.repairing import Damage

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done."""

COMPLETE_SHARE = 0.95
"""A session with this share of its bars counts as complete: in the last minutes before a holiday nobody may trade."""
POLYGON = "polygon"
DEMO = "demo"


class CacheCare:
    """The cached bars of one workspace, the demo market's included. Calls that read bars take seconds; run them in a thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._counts = SessionCounts(workspace.home / "session-counts.json")

    def coverage_days(self, ticker: str, timeframe: str, synthetic: bool | None = None) -> DayCoverage:
        """Each session between the first and the last bar. Raises NotThere where no such bars can be read."""
        from lab.market import DamagedBars, trading_sessions
        from lab.market.calendar import ZONE
        from lab.market.timeframes import DAILY, timeframe_minutes

        cache, synthetic = self._holding(ticker, timeframe, synthetic)
        base = self._base(cache, ticker, timeframe)
        try:
            bars = cache.read([ticker], timeframe)
        except DamagedBars:
            placed, _ = cache.read_undamaged(ticker, base.timeframe)
            bars = placed.filter("regular")
            timeframe = base.timeframe
        covered = self._base(cache, ticker, timeframe)
        counts = dict(bars.group_by("session").len().iter_rows())
        length = timeframe_minutes(timeframe)
        days = [at.astimezone(ZoneInfo(ZONE)).date() for at in (covered.first_at, covered.last_at)]
        rows = []
        for session, opening, close in trading_sessions(days[0], days[1]).select("session", "open_minute", "close_minute").iter_rows():
            expected = 1 if timeframe == DAILY else -(-(close - opening) // length)
            there = int(counts.get(session, 0))
            full = there >= COMPLETE_SHARE * expected
            state = SessionState.COMPLETE if full else SessionState.PARTIAL if there else SessionState.MISSING
            rows.append(SessionCoverage(session, state, there, expected, close - opening < 390))
        return DayCoverage(ticker, timeframe, covered.timeframe == timeframe, tuple(rows), covered.damaged_years)

    def session_counts(self) -> dict[Series, SessionCount]:
        """The counts that are known without reading bars, of every cached series."""
        return self._counts.known({(row.ticker, row.timeframe, invented): row.digest for row, invented in self._covered()})

    def count_sessions(self, ticker: str, timeframe: str, synthetic: bool) -> SessionCount:
        """Count a series' sessions, which reads its bars, and keep the count. Raises NotThere where no such bars can be read."""
        cache, _ = self._holding(ticker, timeframe, synthetic)
        digest = self._base(cache, ticker, timeframe).digest
        days = self.coverage_days(ticker, timeframe, synthetic)
        count = SessionCount(len(days.sessions), days.count(SessionState.COMPLETE))
        self._counts.keep((ticker, timeframe, synthetic), digest, count)
        return count

    def quality(self, ticker: str, timeframe: str, synthetic: bool | None = None) -> QualityReport:
        """The quality report kept with the bars. Raises NotThere where no such bars can be read."""
        cache, synthetic = self._holding(ticker, timeframe, synthetic)
        row = self._base(cache, ticker, timeframe)
        return QualityReport(
            ticker=ticker,
            timeframe=timeframe,
            cached_timeframe=row.timeframe,
            synthetic=synthetic,
            source=row.source,
            rows=row.rows,
            first_at=row.first_at,
            last_at=row.last_at,
            lines=tuple(QualityLine(one.kind.value, one.sentence, one.done.value, one.count) for one in row.report),
            splits=tuple((split.session, split.name) for split in row.splits),
            damaged_years=row.damaged_years,
        )

    def timeframes(self, ticker: str) -> dict[str, bool]:
        """The timeframes on which the ticker can be read, shortest first, and whether each is cached so or made on reading."""
        found: dict[str, bool] = {}
        for cache, _ in self._caches():
            for name, native in cache.readable(ticker).items():
                found[name] = found.get(name, False) or native
        return found

    def made_of(self, ticker: str, timeframe: str) -> tuple[str, ...]:
        """The timeframes that are made on reading of the ticker's cached bars on this one, shortest first."""
        from lab.market.resampling import base_for

        known = self.timeframes(ticker)
        cached = [name for name, native in known.items() if native]
        return tuple(name for name, native in known.items() if not native and base_for(name, cached) == timeframe)

    def verify(self, progress: Progress = lambda share, note: None) -> VerifyReport:
        """Read every file again and compare checksums; damaged ones are set aside."""
        from lab.market import DamagedBars

        rows: list[DamageRow] = []
        notes: list[str] = []
        files, refetch = 0, False
        for number, (cache, synthetic) in enumerate(self._caches()):

            def tell(share: float, note: str, number: int = number) -> None:
                progress((number + share) / 2, note)

            try:
                damaged = cache.verify(tell)
                files += cache.file_count()
            except DamagedBars as error:
                notes.append(str(error))
                continue
            rows += [_row(one, synthetic) for one in damaged]
            refetch |= not synthetic and any(POLYGON in one.sources for one in damaged)
        progress(1.0, f"{files:,} files read")
        return VerifyReport(files, tuple(rows), tuple(notes), refetch)

    def repair(self, progress: Progress = lambda share, note: None) -> VerifyReport:
        """Make damaged lists of bars anew, set damaged files aside, and say how the lost bars come back.

        What came from Polygon is marked as missing, so that the next update (`Lab.fetches.update`) fetches it; the report says
        so in `refetch`.
        """
        notes = []
        for cache, synthetic in self._caches():
            made = cache.rebuild(DEMO if synthetic else "unknown")
            if made is not None:
                which = "the demo market's bars" if synthetic else "the bars"
                lost = f"; {len(made.left_out):,} damaged files were set aside and are not in it" if made.left_out else ""
                notes.append(f"The list of {which} was made anew from {made.files:,} files of {made.series:,} series{lost}.")
        found = self.verify(progress)
        return VerifyReport(found.files, found.damaged, (*notes, *found.notes), found.refetch)

    # Inside

    def _caches(self) -> tuple[tuple[BarsCache, bool], tuple[BarsCache, bool]]:
        from lab.market import BarsCache

        real, invented = (BarsCache(bars_folder(self._workspace.bars, synthetic)) for synthetic in (False, True))
        return (real, False), (invented, True)

    def _covered(self) -> Iterator[tuple[Coverage, bool]]:
        for cache, invented in self._caches():
            yield from ((row, invented) for row in cache.coverage())

    def _holding(self, ticker: str, timeframe: str, synthetic: bool | None) -> tuple[BarsCache, bool]:
        """The cache that can read the bars: the real one before the demo market's, where `synthetic` doesn't say."""
        from lab.market import MarketError

        known: set[str] = set()
        for cache, invented in self._caches():
            if synthetic is not None and invented != synthetic:
                continue
            try:
                if cache.has(ticker, timeframe):
                    return cache, invented
            except MarketError as error:
                raise NotThere(str(error)) from None
            known |= set(cache.readable(ticker))
        there = f" There are {', '.join(sorted(known))}." if known else " See `lab data status` for what is there."
        raise NotThere(f"No {timeframe} bars of {ticker} are cached.{there}")

    def _base(self, cache: BarsCache, ticker: str, timeframe: str) -> Coverage:
        from lab.market.resampling import base_for

        row = cache.covered(ticker, timeframe)
        if row is None:
            native = [name for name, cached in cache.readable(ticker).items() if cached]
            row = cache.covered(ticker, base_for(timeframe, native) or "")
        assert row is not None
        return row


def _row(damage: Damage, synthetic: bool) -> DamageRow:
    if synthetic:
        advice = "Make the demo market again: lab data demo."
    else:
        files = [f"“{source}”" for source in damage.sources if source not in (POLYGON, "unknown")]
        ways = ["run `lab data update`, which fetches the year again from Polygon"] if POLYGON in damage.sources else []
        ways += [f"import {' and '.join(files)} again"] if files else []
        advice = " and ".join(ways) or "import the file again that these bars came from"
        advice = f"{advice[0].upper()}{advice[1:]}."
    return DamageRow(damage.ticker, damage.timeframe, damage.year, synthetic, damage.sentence, advice)
