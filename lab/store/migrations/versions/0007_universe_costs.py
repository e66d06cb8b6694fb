"""What trading a universe costs, where it is not what US large caps cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("universes", sa.Column("costs", sa.JSON(), nullable=True))
