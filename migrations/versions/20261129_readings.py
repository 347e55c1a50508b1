"""The uploader's word on how a table or series are to be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_readings"
down_revision = "0013_owner_status"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("reading", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("uploads", "reading")
