"""Alembic's entry: migrate through the connection that `core.ledger.schema` passes in, or open the ledger's own."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, NullPool

from core import logs
from core.ledger.database import address, connect, writing
from core.ledger.models import Base
from core.settings import settings


def migrate(connection: Connection) -> None:
    """Run the migrations in the transaction this connection is in."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    logs.configure(settings())
    engine = connect(address(settings().ledger_url), poolclass=NullPool, foreign_keys=False)
    with engine.connect() as plain, writing(plain) as connection, connection.begin():
        migrate(connection)
