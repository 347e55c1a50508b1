"""Indexes by which rare jobs among very many are listed: those of a status or of a method."""

from __future__ import annotations

from alembic import op

revision = "0020_rare_jobs"
down_revision = "0019_result_bytes"
branch_labels = None
depends_on = None

_BY = ("status", "method")


def upgrade() -> None:
    for column in _BY:
        op.create_index(f"ix_jobs_{column}", "jobs", [column, "created_at", "id"])


def downgrade() -> None:
    for column in _BY:
        op.drop_index(f"ix_jobs_{column}", table_name="jobs")
