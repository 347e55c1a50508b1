"""How people call a job's dataset, where that is not its name: the title of an upload, which may be deleted later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_job_titles"
down_revision = "0006_mirror"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("dataset_title", sa.String(), nullable=True))
    op.execute("UPDATE jobs SET dataset_title = (SELECT name FROM uploads WHERE uploads.id = jobs.dataset)")


def downgrade() -> None:
    op.drop_column("jobs", "dataset_title")
