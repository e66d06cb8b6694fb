"""Bars on behalf of the person: the demo market, imports, and the universes made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import col, delete, select

from lab.agents import errors
from lab.agents.errors import BadAgent
from lab.agents.gaps import VIX_NAMES
from lab.agents.news_files import SYNTHETIC
from lab.agents.queries import universe_view
from lab.agents.span import bars_folder
from lab.agents.universes import LEARNING_SHARE, refresh_context
from lab.agents.views import CoverageRow, FileGuess, ImportPreview, ImportReport, UniverseView
from lab.errors import LabError
from lab.store.database import Store
from lab.store.models import NewsEvent, NewsMention, NewsSpan, Universe
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from lab.market import DemoOutcome, FilePlan

Progress = Callable[[float, str], None]

DEMO_UNIVERSE = "Demo market"
MOST_PROBLEMS_KEPT = 200


@dataclass(frozen=True, slots=True)
class DemoChoice:
    """Which demo market is made; what is None is the generator's default."""

    seed: int | None = None
    sessions: int | None = None
    tickers: int | None = None
    edges: str | None = None
    """How strongly edges are planted: none, weak, medium or strong."""


def make_demo_market(workspace: Workspace, store: Store, progress: Progress, choice: DemoChoice | None = None) -> UniverseView:
    """Make the synthetic market, its news and its universe, in the place of those that the workspace has.

    The same choice gives the same again. Raises LabError for a choice the generator can't make.
    """
    from lab.market import BarsCache, EdgeStrength
    from lab.market import make_demo_market as make

    wanted = {name: value for name, value in asdict(choice or DemoChoice()).items() if value is not None}
    if "edges" in wanted:
        if wanted["edges"] not in list(EdgeStrength):
            raise LabError(f"There are no {wanted['edges']!r} edges: choose {', '.join(EdgeStrength)}.")
        wanted["edges"] = EdgeStrength(wanted["edges"])
    made = make(BarsCache(bars_folder(workspace.bars, synthetic=True)), progress, **wanted)
    keep_universe(workspace, store, DEMO_UNIVERSE, made.tickers, "1m", made.recipe, True, made.first_session, made.last_session)
    _keep_demo_news(workspace, store, made)
    with store.read() as session:
        return universe_view(session.exec(select(Universe).where(Universe.name == DEMO_UNIVERSE)).one())


def _keep_demo_news(workspace: Workspace, store: Store, made: DemoOutcome) -> None:
    """The market's news in the place of that of any demo market before it."""
    from lab.agents.news_store import News
    from lab.market.news import NewsCoverage

    with store.write() as session:
        old = select(NewsEvent.id).where(NewsEvent.source == SYNTHETIC)
        session.exec(delete(NewsMention).where(col(NewsMention.event_id).in_(old)))
        session.exec(delete(NewsEvent).where(col(NewsEvent.source) == SYNTHETIC))
        session.exec(delete(NewsSpan).where(col(NewsSpan.source) == SYNTHETIC))
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (made.first_session, made.last_session))
    News(workspace, store).keep(made.news, NewsCoverage(SYNTHETIC, made.tickers, first, last + timedelta(days=2)))


def preview_import(
    path: str, columns: Mapping[str, str] | None = None, time_zone: str | None = None, timeframe: str | None = None
) -> ImportPreview:
    """What an import of this file would do, with the person's corrections; of `columns` those that need one are enough.

    Raises LabError where the file holds no bars, UnknownColumns where it isn't known which of its columns is which.
    """
    from lab.market import UnknownColumns, file_head, inspect_file

    file = Path(path).expanduser()
    try:
        plan = inspect_file(file, columns, time_zone, timeframe)
    except UnknownColumns as error:
        raise errors.UnknownColumns(str(error), error.missing, error.recognised, *file_head(file)) from None
    return ImportPreview(
        path=str(plan.path),
        columns=dict(plan.columns),
        file_columns=tuple(plan.file_columns),
        time_zone=plan.time_zone,
        time_zone_reason=plan.time_zone_reason,
        timeframe=plan.timeframe,
        tickers=tuple(plan.tickers),
        rows=plan.rows,
        sample=tuple(plan.sample),
        assumptions=plan.assumptions,
        guesses=tuple(FileGuess(guess.what, guess.sentence, guess.confidence, guess.sure) for guess in plan.guesses),
    )


def import_bars(workspace: Workspace, store: Store, preview: ImportPreview, universe_name: str, progress: Progress) -> ImportReport:
    """Import the file as the (corrected) preview says, all of it or nothing, and make a universe of its tickers.

    Raises BadAgent with the field "universe" for an empty or taken name, LabError for a file that can't be read so.
    """
    from lab.market import BarsCache, import_file

    name = " ".join(universe_name.split())
    if not name:
        raise BadAgent("universe", "Give the universe a name.")
    with store.read() as session:
        if session.exec(select(Universe).where(Universe.name == name)).one_or_none() is not None:
            raise BadAgent("universe", f"A universe named {name!r} exists already; choose another name.")
    plan = _corrected(preview)
    outcome = import_file(BarsCache(workspace.bars), plan, progress)
    traded = tuple(ticker for ticker in outcome.tickers if ticker not in VIX_NAMES)
    problems = [f"{ticker}: {problem}" for ticker, found in outcome.quality.items() for problem in found]
    if traded:
        keep_universe(workspace, store, name, traded, outcome.timeframe, "import", False, outcome.first_session, outcome.last_session)
    else:
        name = ""
        problems.insert(0, "The VIX can't be traded: it is kept as market context of your universes, and no universe is made of it.")
        with store.write() as session:
            refresh_context(session, workspace.bars, synthetic=False)
    return ImportReport(
        rows=outcome.rows,
        tickers=tuple(outcome.tickers),
        timeframe=outcome.timeframe,
        universe=name,
        problems=tuple(problems[:MOST_PROBLEMS_KEPT]),
        assumptions=plan.assumptions,
    )


def coverage(workspace: Workspace) -> list[CoverageRow]:
    """What is cached, by ticker and timeframe."""
    from lab.market import BarsCache

    return [
        CoverageRow(
            ticker=row.ticker,
            timeframe=row.timeframe,
            source=row.source,
            rows=row.rows,
            first_at=row.first_at,
            last_at=row.last_at,
            problems=tuple(row.problems),
            synthetic=synthetic,
            damaged_years=row.damaged_years,
        )
        for synthetic in (True, False)
        for row in BarsCache(bars_folder(workspace.bars, synthetic)).coverage()
    ]


def _corrected(preview: ImportPreview) -> FilePlan:
    """The file looked at again with the person's corrections, since one column may change what the others and the times are."""
    from lab.market import inspect_file

    path = Path(preview.path)
    # A ticker or volume column that is not named is not to be recognised again.
    columns = {"ticker": "", "volume": "", **preview.columns}
    plan = inspect_file(path, columns)
    zone = preview.time_zone if preview.time_zone != plan.time_zone else None
    timeframe = preview.timeframe if preview.timeframe != plan.timeframe else None
    if zone is not None or timeframe is not None:
        plan = inspect_file(path, columns, zone, timeframe)
    # Where another column than before names the tickers, those shown before say nothing.
    chosen = preview.tickers if set(preview.tickers) & set(plan.tickers) else plan.tickers
    return replace(plan, tickers=tuple(chosen))


def keep_universe(
    workspace: Workspace,
    store: Store,
    name: str,
    tickers: tuple[str, ...],
    timeframe: str,
    source: str,
    synthetic: bool,
    first: date,
    last: date,
) -> UniverseView:
    from lab.market import trading_sessions

    sessions: list[date] = trading_sessions(first, last)["session"].to_list()
    learning_until = sessions[max(0, int(len(sessions) * LEARNING_SHARE) - 1)]
    with store.write() as session:
        universe = session.exec(select(Universe).where(Universe.name == name)).one_or_none()
        if universe is None:
            universe = Universe(
                name=name,
                tickers=[],
                timeframe=timeframe,
                source=source,
                first_session=first,
                learning_until=learning_until,
                last_session=last,
            )
        universe.tickers, universe.timeframe, universe.source, universe.synthetic = list(tickers), timeframe, source, synthetic
        universe.first_session, universe.learning_until, universe.last_session = first, learning_until, last
        session.add(universe)
        session.flush()
        refresh_context(session, workspace.bars, synthetic)
        session.flush()
        return universe_view(universe)
