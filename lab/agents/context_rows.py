"""Levels and regimes as rows of the database, for the screens: written by the enrich step, read by ticker and session."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sqlalchemy import delete, insert
from sqlmodel import Session, col, select

from lab.agents.news_files import in_parts
from lab.agents.outputs import LEVELS, REGIMES, read_output
from lab.agents.trade_views import LevelRow, RegimeRow
from lab.store.database import Store
from lab.store.models import MarketRegime, PriceLevel, Universe


def keep_context(session: Session, universe: Universe, folder: Path) -> None:
    """Put what an enrich step left in its folder in the place of what is kept of the same sessions. In the caller's transaction."""
    levels, regimes = read_output(folder, LEVELS), read_output(folder, REGIMES)
    same = {"synthetic": universe.synthetic, "timeframe": universe.timeframe}
    for (ticker,), part in levels.group_by("ticker", maintain_order=True):
        for days in in_parts(part["session"].unique().to_list()):
            session.execute(
                delete(PriceLevel).where(
                    col(PriceLevel.synthetic) == universe.synthetic,
                    col(PriceLevel.timeframe) == universe.timeframe,
                    col(PriceLevel.ticker) == ticker,
                    col(PriceLevel.session).in_(days),
                )
            )
    if rows := [{**row, **same} for row in levels.iter_rows(named=True)]:
        session.execute(insert(PriceLevel), rows)
    session.execute(delete(MarketRegime).where(col(MarketRegime.universe_id) == universe.id))
    if rows := [{**row, "universe_id": universe.id} for row in regimes.iter_rows(named=True)]:
        session.execute(insert(MarketRegime), rows)


def levels_before(store: Store, ticker: str, day: date, timeframe: str, *, synthetic: bool) -> tuple[LevelRow, ...]:
    """The levels of a ticker before a session opened, from the highest down; empty where no iteration had a signal in it."""
    with store.read() as session:
        rows = session.exec(
            select(PriceLevel)
            .where(
                PriceLevel.ticker == ticker,
                PriceLevel.session == day,
                PriceLevel.timeframe == timeframe,
                PriceLevel.synthetic == synthetic,
            )
            .order_by(col(PriceLevel.price).desc())
        )
        return tuple(LevelRow(row.price, row.side, row.touches, row.age_sessions, row.strength, row.known_at) for row in rows)


def regimes_of(store: Store, universe_id: int, first: date, last: date) -> tuple[RegimeRow, ...]:
    """The market around a universe after each session from `first` to `last`, in order; empty before its first iteration."""
    with store.read() as session:
        rows = session.exec(
            select(MarketRegime)
            .where(MarketRegime.universe_id == universe_id, MarketRegime.session >= first, MarketRegime.session <= last)
            .order_by(col(MarketRegime.session))
        )
        return tuple(RegimeRow(**{name: getattr(row, name) for name in RegimeRow.__dataclass_fields__}) for row in rows)
