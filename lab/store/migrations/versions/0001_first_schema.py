"""The first schema: the plan's four tables and what the learning loop needs beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("iteration_id", sa.Integer(), nullable=False),
        sa.Column("universe_id", sa.Integer(), nullable=False),
        sa.Column("script_hash", sa.String(), nullable=False),
        sa.Column("data_fingerprint", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("sharpe_daily", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("iteration_id", "script_hash", "data_fingerprint"),
    )
    op.create_index("ix_trials_data_fingerprint", "trials", ["data_fingerprint"])
    op.create_table(
        "universes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tickers", sa.JSON(), nullable=False),
        sa.Column("timeframe", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("market_ticker", sa.String(), nullable=True),
        sa.Column("vix_ticker", sa.String(), nullable=True),
        sa.Column("first_session", sa.Date(), nullable=False),
        sa.Column("learning_until", sa.Date(), nullable=False),
        sa.Column("last_session", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "trading_agents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column("system_prompt", sa.Text(), nullable=False),
        sa.Column("risk_tolerance", sa.String(), nullable=False),
        sa.Column("trading_style", sa.String(), nullable=False),
        sa.Column("pattern_focus", sa.JSON(), nullable=False),
        sa.Column("market_conditions", sa.JSON(), nullable=False),
        sa.Column("risk_config", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("universe_id", sa.Integer(), nullable=False),
        sa.Column("strategist", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe_id"],
            ["universes.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "agent_strategies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("scan_script", sa.Text(), nullable=False),
        sa.Column("execution_script", sa.Text(), nullable=False),
        sa.Column("backtest_sharpe", sa.Float(), nullable=True),
        sa.Column("backtest_win_rate", sa.Float(), nullable=True),
        sa.Column("is_current_version", sa.Boolean(), nullable=False),
        sa.Column("parent_version", sa.String(), nullable=True),
        sa.Column("changes_from_parent", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("script_hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["trading_agents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("agent_id", "version"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_agent_strategies_agent_id", "agent_strategies", ["agent_id"])
    op.create_index(
        "one_current_version",
        "agent_strategies",
        ["agent_id"],
        unique=True,
        sqlite_where=sa.text("is_current_version"),
        postgresql_where=sa.text("is_current_version"),
    )
    op.create_table(
        "agent_iterations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("iteration_number", sa.Integer(), nullable=False),
        sa.Column("scan_script", sa.Text(), nullable=False),
        sa.Column("execution_script", sa.Text(), nullable=False),
        sa.Column("version_notes", sa.Text(), nullable=False),
        sa.Column("signals_found", sa.Integer(), nullable=True),
        sa.Column("backtest_results", sa.JSON(), nullable=True),
        sa.Column("win_rate", sa.Float(), nullable=True),
        sa.Column("sharpe_ratio", sa.Float(), nullable=True),
        sa.Column("expert_analysis", sa.Text(), nullable=False),
        sa.Column("refinements_suggested", sa.JSON(), nullable=False),
        sa.Column("iteration_status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=True),
        sa.Column("universe_id", sa.Integer(), nullable=False),
        sa.Column("guidance", sa.Text(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("progress_note", sa.String(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("script_hash", sa.String(), nullable=False),
        sa.Column("data_fingerprint", sa.String(), nullable=False),
        sa.Column("engine_version", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["trading_agents.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["strategy_id"], ["agent_strategies.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["universe_id"],
            ["universes.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("agent_id", "iteration_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_agent_iterations_agent_id", "agent_iterations", ["agent_id"])
    op.create_index("ix_agent_iterations_iteration_status", "agent_iterations", ["iteration_status"])
    op.create_table(
        "agent_knowledge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("knowledge_type", sa.String(), nullable=False),
        sa.Column("pattern_type", sa.String(), nullable=False),
        sa.Column("insight", sa.Text(), nullable=False),
        sa.Column("supporting_data", sa.JSON(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("learned_from_iteration", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("retired_reason", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["trading_agents.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["learned_from_iteration"], ["agent_iterations.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_agent_knowledge_agent_id", "agent_knowledge", ["agent_id"])
    op.create_table(
        "iteration_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("iteration_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("output", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["iteration_id"], ["agent_iterations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("iteration_id", "step"),
    )
    op.create_index("ix_iteration_steps_iteration_id", "iteration_steps", ["iteration_id"])
    op.create_table(
        "proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("iteration_id", sa.Integer(), nullable=False),
        sa.Column("parent_strategy_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("scan_script", sa.Text(), nullable=False),
        sa.Column("execution_script", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("effect", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resulting_strategy_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["trading_agents.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["iteration_id"], ["agent_iterations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["parent_strategy_id"], ["agent_strategies.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resulting_strategy_id"], ["agent_strategies.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("iteration_id"),
    )
    op.create_index("ix_proposals_agent_id", "proposals", ["agent_id"])
    op.create_index("ix_proposals_state", "proposals", ["state"])


def downgrade() -> None:
    op.drop_table("proposals")
    op.drop_table("iteration_steps")
    op.drop_table("agent_knowledge")
    op.drop_table("agent_iterations")
    op.drop_table("agent_strategies")
    op.drop_table("trading_agents")
    op.drop_table("universes")
    op.drop_table("trials")
    op.drop_table("preferences")
