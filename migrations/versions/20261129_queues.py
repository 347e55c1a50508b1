"""The priority of a job, the kind of worker that may have it, and its memory; of a worker what it can take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024_queues"
down_revision = "0023_named_webhooks"
branch_labels = None
depends_on = None

_QUEUED = sa.text("status = 'queued'")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("rank", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("jobs", sa.Column("device", sa.String(), server_default="any", nullable=False))
    op.add_column("jobs", sa.Column("memory_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("workers", sa.Column("takes", sa.JSON(), nullable=True))
    _queue("rank", "created_at", "id")


def downgrade() -> None:
    _queue("created_at", "id")
    op.drop_column("workers", "takes")
    for column in ("memory_bytes", "device", "rank"):
        op.drop_column("jobs", column)


def _queue(*columns: str) -> None:
    op.drop_index("ix_jobs_queue", table_name="jobs")
    op.create_index("ix_jobs_queue", "jobs", [*columns], sqlite_where=_QUEUED, postgresql_where=_QUEUED)
