"""Calls to models with their money, budgets, and what agents with a language model need beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trading_agents", sa.Column("learning", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("agent_iterations", sa.Column("strategist", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("agent_iterations", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("agent_iterations", sa.Column("pause_reason", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("proposals", sa.Column("decided_by", sa.Text(), server_default=sa.text("'person'"), nullable=False))
    op.create_table(
        "budgets",
        sa.Column("agent_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("daily_micros", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agent_id"),
    )
    op.create_table(
        "model_calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("iteration_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reserved_micros", sa.BigInteger(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_hour_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_read_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("stop_reason", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.String(), nullable=False),
        sa.Column("prices_of", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("partial", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_model_calls_spent", "model_calls", ["day", "agent_id", "charged_micros"])
    op.create_index("ix_model_calls_iteration", "model_calls", ["iteration_id", "request_hash"])


def downgrade() -> None:
    op.drop_table("model_calls")
    op.drop_table("budgets")
    op.drop_column("proposals", "decided_by")
    op.drop_column("agent_iterations", "pause_reason")
    op.drop_column("agent_iterations", "paused_until")
    op.drop_column("agent_iterations", "strategist")
    op.drop_column("trading_agents", "learning")
