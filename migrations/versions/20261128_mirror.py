"""The uploader's word on whether a mirrored picture stays what it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_mirror"
down_revision = "0005_key_parents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("mirror", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("uploads", "mirror")
