"""The tables of what is fetched from a vendor: fetches with their parts, and the corporate actions they brought."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import JSON, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from lab.store.fetch_states import FetchState
from lab.store.models import UtcDateTime, utc_now


class ActionKind(StrEnum):
    SPLIT = "split"
    DIVIDEND = "dividend"


class DataFetch(SQLModel, table=True):
    """What a person asked a vendor for, and how far it is. It outlives the program that started it."""

    __tablename__ = "data_fetches"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    title: str
    """What is fetched, in a person's words."""
    tickers: list[str] = Field(sa_column=Column(JSON, nullable=False))
    timeframe: str
    """Empty where it brings several up to date."""
    first_session: date
    last_session: date
    universe: str = ""
    """The universe that is made of the tickers when all are there; empty for none."""
    calls_per_minute: int
    """Of the plan; 0 for no limit."""
    state: str = Field(default=FetchState.QUEUED, index=True)
    sentence: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Why it failed, or what came of it."""
    progress: float = 0.0
    """The share that is done, 0 to 1."""
    progress_note: str = ""
    bars: int = 0
    """Bars of the asked spans received so far."""
    calls: int = 0
    """Answers received so far."""
    rate: float | None = None
    """Bars a second since it was last started or resumed; null before the first page."""
    seconds_left: float | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    """When it last began or went on."""
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class DataFetchPart(SQLModel, table=True):
    """One series of a fetch: the bars of a ticker over a span, its news, the splits of some tickers."""

    __tablename__ = "data_fetch_parts"
    __table_args__ = (UniqueConstraint("fetch_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    fetch_id: int = Field(foreign_key="data_fetches.id", ondelete="CASCADE", index=True)
    number: int
    kind: str
    ticker: str
    """Empty for splits of all tickers of the fetch."""
    timeframe: str
    """Empty where it is not about bars."""
    first_session: date
    last_session: date
    state: str = FetchState.QUEUED
    sentence: str = Field(default="", sa_column=Column(Text, nullable=False))
    progress: float = 0.0
    rows: int = 0
    """Bars, articles or actions received so far."""
    reached_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    """Everything before this time is stored; where news go on."""


class CorporateAction(SQLModel, table=True):
    """A split or dividend of a stock, as the vendor lists it."""

    __tablename__ = "corporate_actions"
    __table_args__ = (UniqueConstraint("source", "kind", "ticker", "session", "dividend_type"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str
    """Who gave it: "polygon"."""
    kind: str
    ticker: str = Field(index=True)
    session: date
    """The first session at the new price: execution date of a split, ex-date of a dividend."""
    ratio: float | None = None
    """New shares for one old share; null for a dividend."""
    cash_amount: float | None = None
    """Dollars (or units of `currency`) a share; null for a split."""
    currency: str = ""
    dividend_type: str = ""
    """"CD" regular, "SC" special, "LT" and "ST" capital gains; empty for a split."""
    fetched_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
