"""In which iteration a model read an article: one that goes on after a break reads no more than it was to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("news_mentions", sa.Column("read_in", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("news_mentions", "read_in")
