"""Uploads on their way here, which take room as those that have arrived do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_arrivals"
down_revision = "0010_deleted_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arrivals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
    )
    op.create_index(op.f("ix_arrivals_owner"), "arrivals", ["owner"])


def downgrade() -> None:
    op.drop_table("arrivals")
