"""What a model made of an article about a ticker: enums only, so that nothing an article says gets any further."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = (("read_kind", sa.String()), ("read_sentiment", sa.Integer()), ("read_relevance", sa.String()), ("read_by", sa.String()))


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("news_mentions", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name, _ in COLUMNS:
        op.drop_column("news_mentions", name)
