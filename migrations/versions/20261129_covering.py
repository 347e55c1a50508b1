"""Indexes of lists hold all that lists are filtered by, so that a search for what few jobs have reads no job."""

from __future__ import annotations

from alembic import op

revision = "0025_covering"
down_revision = "0024_queues"
branch_labels = None
depends_on = None

_ORDERS = {
    "ix_jobs_created": [],
    "ix_jobs_status": ["status"],
    "ix_jobs_method": ["method"],
    "ix_jobs_method_status": ["method", "status"],
    "ix_jobs_accuracy": ["accuracy"],
    "ix_jobs_ipc": ["ipc"],
}
_FILTERED = ["dataset", "dataset_title", "method", "owner", "status"]


def upgrade() -> None:
    for name, first in _ORDERS.items():
        op.drop_index(name, table_name="jobs")
        further = [column for column in _FILTERED if column not in first]
        op.create_index(name, "jobs", [*first, "created_at", "id", *further])


def downgrade() -> None:
    for name, first in _ORDERS.items():
        op.drop_index(name, table_name="jobs")
        op.create_index(name, "jobs", [*first, "created_at", "id"])
