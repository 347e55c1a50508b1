"""Which key a key was made with: revoking one revokes what was made with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_key_parents"
down_revision = "0004_uploads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("parent_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_api_keys_parent_id"), "api_keys", ["parent_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_api_keys_parent_id"), "api_keys")
    op.drop_column("api_keys", "parent_id")
