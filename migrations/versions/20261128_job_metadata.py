"""Words that clients put on their jobs, and the accuracy of a result: both are searched and sorted by in an index."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008_job_metadata"
down_revision = "0007_job_titles"
branch_labels = None
depends_on = None

_BATCH = 500


def upgrade() -> None:
    op.create_table(
        "job_metadata",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_metadata_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "key", name=op.f("pk_job_metadata")),
    )
    op.create_index("ix_job_metadata_search", "job_metadata", ["key", "value", "created_at", "job_id"])
    op.add_column("jobs", sa.Column("accuracy", sa.Double(), server_default=sa.text("-1"), nullable=False))
    _measure(op.get_bind())
    op.create_index("ix_jobs_accuracy", "jobs", ["accuracy", "created_at", "id"])
    op.create_index("ix_jobs_ipc", "jobs", ["ipc", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_ipc", "jobs")
    op.drop_index("ix_jobs_accuracy", "jobs")
    op.drop_column("jobs", "accuracy")
    op.drop_index("ix_job_metadata_search", "job_metadata")
    op.drop_table("job_metadata")


def _measure(connection: sa.Connection) -> None:
    """The accuracies of the results there are; read here, since PostgreSQL's JSON functions refuse a NUL in a text."""
    jobs = sa.table(
        "jobs", sa.column("id"), sa.column("metrics", sa.JSON(none_as_null=True)), sa.column("accuracy", sa.Double())
    )
    known = sa.select(jobs.c.id, jobs.c.metrics).where(jobs.c.metrics.is_not(None)).order_by(jobs.c.id).limit(_BATCH)
    last = ""
    while rows := connection.execute(known.where(jobs.c.id > last)).all():
        last = rows[-1].id
        for row in rows:
            if (accuracy := _accuracy(row.metrics)) is not None:
                connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(accuracy=accuracy))


def _accuracy(metrics: Any) -> float | None:
    for name in ("results", "distilled", "accuracy_mean"):
        metrics = metrics.get(name) if isinstance(metrics, dict) else None
    return float(metrics) if isinstance(metrics, int | float) else None
