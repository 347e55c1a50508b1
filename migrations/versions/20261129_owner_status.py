"""An index that counts jobs by owner and status without reading them."""

from __future__ import annotations

from alembic import op

revision = "0013_owner_status"
down_revision = "0012_chores"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_owner_status", "jobs", ["owner", "status"])


def downgrade() -> None:
    op.drop_index("ix_jobs_owner_status", "jobs")
