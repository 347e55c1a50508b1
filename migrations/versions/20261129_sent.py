"""The hash of the file that an upload was sent as, known as soon as it has arrived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018_sent"
down_revision = "0017_parts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("sent", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("uploads", "sent")
