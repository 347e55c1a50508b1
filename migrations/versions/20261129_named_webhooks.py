"""The webhook that a job named, to be told of its end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023_named_webhooks"
down_revision = "0022_sent_as"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("webhook_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "webhook_id")
