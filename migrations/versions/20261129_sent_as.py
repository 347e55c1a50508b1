"""The name that an upload came under, which another upload may have had."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022_sent_as"
down_revision = "0021_method_status"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("sent_as", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("uploads", "sent_as")
