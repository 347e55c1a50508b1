"""An index by which jobs of a method and a status are listed, of which there may be few although each has many."""

from __future__ import annotations

from alembic import op

revision = "0021_method_status"
down_revision = "0020_rare_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_method_status", "jobs", ["method", "status", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_method_status", table_name="jobs")
