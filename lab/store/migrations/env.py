"""What Alembic runs: the migrations on the connection it was handed, inside that connection's transaction."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from lab.store import fetch_models, models, proof_models  # noqa: F401  (they register their tables with SQLModel.metadata)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
