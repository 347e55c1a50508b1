"""The bytes of each job's artifact in its own row: what an owner keeps is added up of one index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019_result_bytes"
down_revision = "0018_sent"
branch_labels = None
depends_on = None

_FILL = """
UPDATE jobs SET result_bytes =
    (SELECT COALESCE(SUM(job_files.bytes), 0) FROM job_files WHERE job_files.job_id = jobs.id)
"""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("result_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute(_FILL)
    op.create_index("ix_jobs_owner_bytes", "jobs", ["owner", "result_bytes"])


def downgrade() -> None:
    op.drop_index("ix_jobs_owner_bytes", table_name="jobs")
    op.drop_column("jobs", "result_bytes")
