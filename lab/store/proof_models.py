"""The tables of proof: which bars were ever tested on, vault openings, decisions on graduation, and stored studies of a result.

`data_sets`, `trial_returns`, `vault_openings` and `graduations`, like the trial ledger, are only ever added to: triggers in the
database see to it. They hold no foreign keys, so they outlive the agents and universes they speak of.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary, Text
from sqlmodel import Field, SQLModel

from lab.store.models import UtcDateTime, utc_now


class ProofKind(StrEnum):
    """The studies that can be made of an iteration's result."""

    WALK_FORWARD = "walk-forward"
    ROBUSTNESS = "robustness"
    NULL_ARM = "null arm"
    VAULT = "vault"


class ProofState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


UP_AGAIN = "up for graduation"
"""What a decision on graduation that was taken back leaves: the agent is learning, and it waits for another."""


class DataSet(SQLModel, table=True):
    """The bars behind a fingerprint of the trial ledger, so that spans and tickers that overlap are known to."""

    __tablename__ = "data_sets"

    fingerprint: str = Field(primary_key=True)
    universe_id: int
    synthetic: bool
    timeframe: str
    tickers: list[str] = Field(sa_column=Column(JSON, nullable=False))
    first_session: date
    last_session: date
    recorded_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class TrialReturns(SQLModel, table=True):
    """The daily returns of a trial: what tells variants of one idea from different ideas."""

    __tablename__ = "trial_returns"

    data_fingerprint: str = Field(primary_key=True)
    script_hash: str = Field(primary_key=True)
    returns: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """Little-endian 32-bit floats, a session each, in order."""


class VaultOpening(SQLModel, table=True):
    """One look into a vault, written down before its bars are read: counted for ever, whatever came of it."""

    __tablename__ = "vault_openings"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    universe_id: int = Field(index=True)
    agent_id: int
    iteration_id: int
    version: str
    script_hash: str
    synthetic: bool
    timeframe: str
    tickers: list[str] = Field(sa_column=Column(JSON, nullable=False))
    first_session: date
    last_session: date
    opened_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class Graduation(SQLModel, table=True):
    """A person's decision to let an agent trade on paper, or to send it back to learning, with the checklist as it then stood."""

    __tablename__ = "graduations"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    agent_id: int = Field(index=True)
    agent: str
    """Its name, which outlives it."""
    version: str
    from_status: str
    to_status: str
    """An `AgentStatus`, the same as before where it was turned down; or `UP_AGAIN`."""
    opening_id: int | None = None
    checklist: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    note: str = Field(sa_column=Column(Text, nullable=False))
    """The person's words."""
    decided_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class ProofRun(SQLModel, table=True):
    """A study of an iteration's result: asked for by a screen or command, done by a worker, kept."""

    __tablename__ = "proof_runs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    agent_id: int = Field(foreign_key="trading_agents.id", ondelete="CASCADE", index=True)
    iteration_id: int = Field(foreign_key="agent_iterations.id", ondelete="CASCADE", index=True)
    opening_id: int | None = None
    """Of the vault, where the study is what was found in it."""
    state: str = Field(default=ProofState.QUEUED, index=True)
    progress: float = 0.0
    note: str = ""
    owner: str | None = None
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    output: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    failure: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Why there is no output, in a sentence; empty otherwise."""
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
