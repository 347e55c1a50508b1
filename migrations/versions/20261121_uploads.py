"""Uploaded datasets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_uploads"
down_revision = "0003_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('inspecting', 'ready', 'invalid')", name=op.f("ck_uploads_state_known")),
        sa.CheckConstraint("(state = 'ready') = (sha256 IS NOT NULL)", name=op.f("ck_uploads_bundle_when_ready")),
        sa.CheckConstraint("(state = 'invalid') = (problem IS NOT NULL)", name=op.f("ck_uploads_problem_when_invalid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_owner"), "uploads", ["owner"])
    op.create_index(op.f("ix_uploads_sha256"), "uploads", ["sha256"])


def downgrade() -> None:
    op.drop_table("uploads")
