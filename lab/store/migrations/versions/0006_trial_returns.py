"""The daily returns of trials, only ever added to like the trials themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trial_returns",
        sa.Column("data_fingerprint", sa.String(), nullable=False),
        sa.Column("script_hash", sa.String(), nullable=False),
        sa.Column("returns", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("data_fingerprint", "script_hash"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER trial_returns_no_{change.lower()} BEFORE {change} ON trial_returns "
                "BEGIN SELECT RAISE(ABORT, 'trial_returns is only ever added to'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER trial_returns_only_added_to BEFORE UPDATE OR DELETE ON trial_returns "
        "FOR EACH ROW EXECUTE FUNCTION lab_only_added_to()"
    )


def downgrade() -> None:
    op.drop_table("trial_returns")
