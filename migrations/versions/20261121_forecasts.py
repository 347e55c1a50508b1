"""Tables for the workers' measurements of their hardware and for the expected costs of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_forecasts"
down_revision = "0001_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("forecast", sa.JSON(), nullable=True))
    op.add_column("workers", sa.Column("calibration", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "calibration")
    op.drop_column("jobs", "forecast")
