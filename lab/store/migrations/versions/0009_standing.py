"""Indices by which the standing of all agents is read without touching the iterations themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDICES = {
    "iterations_signalled": (["agent_id", "id", "sharpe_ratio"], "signals_found IS NOT NULL"),
    "iterations_measured": (["agent_id", "strategy_id", "id"], "backtest_results IS NOT NULL"),
}


def upgrade() -> None:
    for name, (columns, condition) in INDICES.items():
        op.create_index(name, "agent_iterations", columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def downgrade() -> None:
    for name in INDICES:
        op.drop_index(name, "agent_iterations")
