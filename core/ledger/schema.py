"""The schema's version: bring a database up to date, and say whether it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import NullPool, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.ledger.database import Database, connect, writing
from core.ledger.filesystem import check_local

if TYPE_CHECKING:  # Alembic takes a tenth of a process's start, and is needed after it
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

_LOCK = 0x5717_1140
"""Any number, as long as every process that migrates takes the same advisory lock."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction; processes that start together do it one by one."""
    if database.file is not None:
        database.file.parent.mkdir(parents=True, exist_ok=True)
        check_local(database.file)
    from alembic import command

    _alembic(database, lambda config: command.upgrade(config, revision))


def downgrade(database: Database, revision: str) -> None:
    """Go back to a revision (`-1`: one step, `base`: no tables), losing what it does not know."""
    from alembic import command

    _alembic(database, lambda config: command.downgrade(config, revision))


@cache
def head() -> str:
    """The revision this code was written for."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None, f"no migration in {MIGRATIONS}"
    return revision


def current(session: Session) -> str | None:
    """The revision of the database, None when it has no tables yet."""
    from alembic.migration import MigrationContext

    return MigrationContext.configure(session.connection()).get_current_revision()


def ready(database: Database) -> dict[str, Any]:
    """Whether the database answers with this code's schema: `{ready, database, schema, detail}`. Never raises."""
    backend, expected = database.url.get_backend_name(), head()
    try:
        with database.read() as session:
            found = current(session)
    except SQLAlchemyError as error:
        return {"ready": False, "database": backend, "schema": None, "detail": f"No answer: {error.args[0]}"}
    detail = None if found == expected else f"The schema is at {found}, not {expected}: run `stillhouse serve`."
    return {"ready": found == expected, "database": backend, "schema": found, "detail": detail}


def configuration() -> Config:
    """Alembic's configuration, independent of the working directory."""
    from alembic.config import Config

    assert MIGRATIONS.is_dir(), f"{MIGRATIONS} is missing: run Stillhouse from a checkout or its image."
    return Config(MIGRATIONS / "alembic.ini")


def _alembic(database: Database, work: Callable[[Config], None]) -> None:
    engine = connect(database.url, poolclass=NullPool, foreign_keys=False)
    with engine.connect() as plain, writing(plain) as connection, connection.begin():
        if database.file is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = configuration()
        config.attributes["connection"] = connection
        work(config)
