"""Jobs that are paused, and jobs that are to end early."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_pauses"
down_revision = "0008_job_metadata"
branch_labels = None
depends_on = None

OPEN = "status IN ('queued', 'running')"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("finish_requested_at", sa.DateTime(timezone=True), nullable=True))
    _indexes("'running', 'pausing', 'cancelling'", f"{OPEN} AND finish_requested_at IS NULL")
    _checks("'queued', 'running', 'pausing', 'paused', 'cancelling'", "'running', 'pausing', 'cancelling'")


def downgrade() -> None:
    # to what the older code knows and may take up again; a job that was ended early answers nobody there either
    op.execute("UPDATE jobs SET status = 'cancelled', finished_at = updated_at WHERE status = 'paused'")
    op.execute("UPDATE jobs SET status = 'running' WHERE status = 'pausing'")
    op.execute("UPDATE jobs SET fingerprint = NULL WHERE finish_requested_at IS NOT NULL")
    _indexes("'running', 'cancelling'", OPEN)
    _checks("'queued', 'running', 'cancelling'", "'running', 'cancelling'")
    op.drop_column("jobs", "finish_requested_at")


def _indexes(held: str, is_open: str) -> None:
    for name in ("uq_jobs_open_fingerprint", "ix_jobs_leases"):
        op.drop_index(name, "jobs")
    _index("uq_jobs_open_fingerprint", ["fingerprint", "owner"], is_open, unique=True)
    _index("ix_jobs_leases", ["lease_expires_at"], f"status IN ({held})")


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, "jobs", columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _checks(unfinished: str, held: str) -> None:
    checks = {
        "status_known": f"status IN ({unfinished}, 'succeeded', 'failed', 'cancelled')",
        "lease_while_held": f"(status IN ({held})) = (lease_expires_at IS NOT NULL)",
    }
    with op.batch_alter_table("jobs") as batch:
        for name, condition in checks.items():
            batch.drop_constraint(op.f(f"ck_jobs_{name}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_jobs_{name}"), condition)
