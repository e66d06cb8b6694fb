"""Doing one part of a fetch: bars with their splits into the cache, dividends and news into the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, update
from sqlmodel import col, select

from lab.agents.fetch_parts import midnight, news_since
from lab.market import BarsCache
from lab.market.news import NewsCoverage
from lab.market.polygon import SOURCE
from lab.market.polygon.actions import fetch_dividends, fetch_splits
from lab.market.polygon.aggregates import NO_INDICES, Progress, Span, fetch_series
from lab.market.polygon.line import PolygonError, PolygonLine
from lab.market.polygon.news import news_pages
from lab.market.polygon.spool import Spool
from lab.market.polygon.storing import OtherShares, apply_listed_splits, missing_spans, session_span, store_bars
from lab.market.splits import Split
from lab.store.database import Store
from lab.store.fetch_models import ActionKind, CorporateAction, DataFetch, DataFetchPart
from lab.store.fetch_states import FetchKind
from lab.store.models import Universe
from lab.store.workspace import Workspace

_AFTER_MIDNIGHT = timedelta(hours=29)
"""From a day's first midnight, in UTC, to the end of that day in New York."""

Count = Callable[[int], None]
"""Told how many rows of the part have come."""


@dataclass(frozen=True, slots=True)
class FetchedPart:
    rows: int
    sentences: tuple[str, ...] = ()
    """What was found in it."""


class PartWork:
    """The parts of one fetch, over one line; safe for several threads at once."""

    def __init__(self, workspace: Workspace, store: Store, line: PolygonLine, folder: Path) -> None:
        self._workspace, self._store, self._line, self._folder = workspace, store, line, folder
        self._cache = BarsCache(workspace.bars)

    def do(self, part: DataFetchPart, tell: Progress, count: Count) -> FetchedPart:
        """Fetch a part from where it stands. Raises LabError where it fails, and what `tell` raises."""
        if part.kind == FetchKind.SPLITS:
            return self._splits(part, tell)
        if part.kind == FetchKind.DIVIDENDS:
            return self._dividends(part, tell)
        if part.kind == FetchKind.NEWS:
            return self._news(part, tell, count)
        return self._bars(part, tell, count)

    def refresh_context(self) -> None:
        """Let universes know of the market and the VIX that may be cached now."""
        from lab.agents.universes import refresh_context

        with self._store.write() as session:
            refresh_context(session, self._workspace.bars, synthetic=False)

    def extend_universes(self, parts: Sequence[DataFetchPart]) -> str:
        """Let universes that ended with their bars do so after these parts of an update; what is said of it."""
        from lab.agents.extending import extend_after_update

        # Each part begins with the last session that was cached before.
        ended: dict[str, date] = {}
        for part in parts:
            if part.kind == FetchKind.BARS:
                ended[part.ticker] = max(part.first_session, ended.get(part.ticker, part.first_session))
        with self._store.write() as session:
            return " ".join(extend_after_update(session, self._cache, ended))

    def _splits(self, part: DataFetchPart, tell: Progress) -> FetchedPart:
        found = fetch_splits(
            self._line, part.ticker, part.first_session, part.last_session, lambda waiting: tell(0.0, f"splits {waiting}".rstrip())
        )
        with self._store.read() as session:
            fetch_tickers = set(session.get_one(DataFetch, part.fetch_id).tickers)
        mine = [one for one in found if one.ticker in fetch_tickers]
        whose = [part.ticker] if part.ticker else sorted(fetch_tickers)
        with self._store.write() as session:
            session.execute(
                delete(CorporateAction).where(
                    col(CorporateAction.source) == SOURCE,
                    col(CorporateAction.kind) == ActionKind.SPLIT,
                    col(CorporateAction.ticker).in_(whose),
                    col(CorporateAction.session).between(part.first_session, part.last_session),
                )
            )
            for one in mine:
                session.add(
                    CorporateAction(
                        source=SOURCE, kind=ActionKind.SPLIT, ticker=one.ticker, session=one.split.session, ratio=one.split.ratio
                    )
                )
        told: list[str] = []
        for ticker in whose:
            sentences = apply_listed_splits(self._cache, ticker, [one.split for one in mine if one.ticker == ticker])
            told += sentences if part.ticker else [f"{ticker}: {sentence}" for sentence in sentences]
        return FetchedPart(len(mine), tuple(told))

    def _dividends(self, part: DataFetchPart, tell: Progress) -> FetchedPart:
        found = fetch_dividends(
            self._line, part.ticker, part.first_session, part.last_session, lambda waiting: tell(0.0, f"dividends {waiting}".rstrip())
        )
        with self._store.write() as session:
            session.execute(
                delete(CorporateAction).where(
                    col(CorporateAction.source) == SOURCE,
                    col(CorporateAction.kind) == ActionKind.DIVIDEND,
                    col(CorporateAction.ticker) == part.ticker,
                    col(CorporateAction.session).between(part.first_session, part.last_session),
                )
            )
            # The vendor may list two payments of one kind for a day: what a holder receives is their sum.
            sums: dict[tuple[date, str], CorporateAction] = {}
            for one in found:
                action = sums.setdefault(
                    (one.session, one.kind),
                    CorporateAction(
                        source=SOURCE,
                        kind=ActionKind.DIVIDEND,
                        ticker=part.ticker,
                        session=one.session,
                        cash_amount=0.0,
                        currency=one.currency,
                        dividend_type=one.kind,
                    ),
                )
                action.cash_amount = (action.cash_amount or 0.0) + one.cash_amount
            session.add_all(sums.values())
        return FetchedPart(len(found))

    def _bars(self, part: DataFetchPart, tell: Progress, count: Count) -> FetchedPart:
        spool = Spool(self._folder / str(part.number))
        span = Span(part.first_session, part.last_session)
        try:
            return self._series(part, span, spool, tell, count)
        except OtherShares as error:
            why = str(error)
        # All of it as traded, from the first cached bar on, takes the place of what can't be trusted. The pages have a folder of
        # their own; a fetch that breaks off meanwhile comes here again, because the first spool is kept until the end.
        whole = missing_spans(self._cache, part.ticker, part.timeframe, span, anew=True)[0]
        done = self._series(part, whole, Spool(spool.folder.with_name(f"{part.number}-anew")), tell, count)
        spool.clear()
        return FetchedPart(done.rows, (f"{why.split(':')[0]}: fetched anew.", *done.sentences))

    def _series(self, part: DataFetchPart, span: Span, spool: Spool, tell: Progress, count: Count) -> FetchedPart:
        def told(share: float, note: str) -> None:
            count(spool.bars)
            tell(0.97 * share, note)

        raw = fetch_series(self._line, part.ticker, part.timeframe, span, spool, told)
        if raw.is_empty():
            spool.clear()
            if part.kind == FetchKind.INDEX:
                return FetchedPart(0, (f"Polygon has no bars of {part.ticker} from {span.first} to {span.last}. {NO_INDICES}",))
            if not self._cache.has(part.ticker, part.timeframe):
                raise PolygonError(
                    f"Polygon has no bars of {part.ticker} from {span.first} to {span.last}: "
                    "check how the ticker is written and the dates.",
                    "tickers",
                )
            return FetchedPart(0, (f"Polygon has no {part.timeframe} bars from {span.first} to {span.last}.",))
        tell(0.97, "writing to the cache")
        stored = store_bars(self._cache, part.ticker, part.timeframe, raw, self._listed(part.ticker, span.first), span)
        spool.clear()
        return FetchedPart(stored.rows, tuple(problem.sentence for problem in stored.problems))

    def _listed(self, ticker: str, first: date) -> list[Split]:
        row = self._cache.coverage()
        since = min([first, *(session_span(one)[0] for one in row if one.ticker == ticker)])
        with self._store.read() as session:
            mine = select(CorporateAction).where(
                CorporateAction.source == SOURCE,
                CorporateAction.kind == ActionKind.SPLIT,
                CorporateAction.ticker == ticker,
                col(CorporateAction.session) >= since,
            )
            return [Split(one.session, one.ratio) for one in session.exec(mine.order_by(col(CorporateAction.session))) if one.ratio]

    def _news(self, part: DataFetchPart, tell: Progress, count: Count) -> FetchedPart:
        from lab.agents.news_store import News

        kept = News(self._workspace, self._store)
        begin = midnight(part.first_session)
        since = news_since(self._workspace, self._store, part.ticker, begin)
        until = min(datetime.now(UTC), midnight(part.last_session) + _AFTER_MIDNIGHT)
        rows, refused = part.rows, list[str]()
        if since >= until:
            return FetchedPart(rows)

        def tick(waiting: str) -> None:
            tell(_share(begin, since, until), f"news, {rows:,} articles {waiting}".rstrip())

        for page in news_pages(self._line, part.ticker, since, until, tick):
            what = kept.keep(page.items, NewsCoverage(SOURCE, (part.ticker,), since, page.reached_at))
            refused += what.refused
            rows, since = rows + what.new, page.reached_at
            count(rows)
            with self._store.write() as session:
                session.execute(update(DataFetchPart).where(col(DataFetchPart.id) == part.id).values(rows=rows, reached_at=since))
        return FetchedPart(rows, tuple(refused[:20]))


def save_universe(workspace: Workspace, store: Store, name: str, tickers: Sequence[str], timeframe: str, first: date, last: date) -> str:
    """Make the universe of fetched tickers over the sessions that any of them has; what is said of it."""
    from lab.agents.data import keep_universe
    from lab.market import trading_sessions

    cache = BarsCache(workspace.bars)
    spans = [session_span(row) for ticker in tickers if (row := cache.covered(ticker, timeframe)) is not None]
    sessions = trading_sessions(max(first, min(span[0] for span in spans)), min(last, max(span[1] for span in spans)))["session"].to_list()
    if not sessions:
        return f"Polygon has no bars between {first} and {last}: no universe was made."
    with store.read() as session:
        taken = session.exec(select(Universe.id).where(Universe.name == name)).first() is not None
    if taken:
        return f"The bars are in the cache. A universe named {name!r} exists already, so none was made of them."
    keep_universe(workspace, store, name, tuple(tickers), timeframe, SOURCE, False, sessions[0], sessions[-1])
    return f"The bars are in the cache as the universe {name}."


def _share(begin: datetime, since: datetime, until: datetime) -> float:
    return max(0.0, min(1.0, (since - begin) / (until - begin)))
