"""Columns for what a search compares and for the conditions of forecasts: finding a few jobs reads not all."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026_searched"
down_revision = "0025_covering"
branch_labels = None
depends_on = None

_BATCH = 500
_ORDERS = {
    "ix_jobs_created": [],
    "ix_jobs_owner": ["owner"],
    "ix_jobs_status": ["status"],
    "ix_jobs_method": ["method"],
    "ix_jobs_method_status": ["method", "status"],
    "ix_jobs_accuracy": ["accuracy"],
    "ix_jobs_ipc": ["ipc"],
}
_FILTERED = ["dataset", "dataset_title", "method", "owner", "status"]


def upgrade() -> None:
    op.add_column("jobs", sa.Column("searched", sa.String(), server_default="", nullable=False))
    op.add_column("jobs", sa.Column("conditions", sa.String(), nullable=True))
    _fill(op.get_bind())
    _index(*_FILTERED, "searched")
    op.create_index("ix_jobs_conditions", "jobs", ["conditions", "status", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_conditions", "jobs")
    _index(*_FILTERED)
    op.drop_index("ix_jobs_owner", "jobs")
    op.create_index("ix_jobs_owner", "jobs", ["owner", "created_at", "id"])
    op.drop_column("jobs", "conditions")
    op.drop_column("jobs", "searched")


def _index(*columns: str) -> None:
    for name, first in _ORDERS.items():
        op.drop_index(name, "jobs")
        op.create_index(name, "jobs", [*first, "created_at", "id", *(each for each in columns if each not in first)])


def _fill(connection: sa.Connection) -> None:
    """Both columns of the jobs there are; read here, as PostgreSQL's JSON functions refuse a NUL in a text."""
    forecast = sa.column("forecast", sa.JSON(none_as_null=True))
    texts = [sa.column(name) for name in ("id", "dataset", "dataset_title", "method")]
    jobs = sa.table("jobs", *texts, forecast, sa.column("searched"), sa.column("conditions"))
    known = sa.select(*texts, forecast).order_by(jobs.c.id).limit(_BATCH)
    last = ""
    while rows := connection.execute(known.where(jobs.c.id > last)).all():
        last = rows[-1].id
        for row in rows:
            searched = "\n".join((row.id, row.dataset, row.dataset_title or "", row.method)).casefold()
            found = {"searched": searched, "conditions": _conditions(row.forecast)}
            connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(found))


def _conditions(forecast: Any) -> str | None:
    found = forecast.get("conditions") if isinstance(forecast, dict) else None
    return found if isinstance(found, str) else None
