"""Links by which a finished job's files are had without a key, for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_links"
down_revision = "0014_readings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_links_job_id_jobs"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_links_key_id_api_keys"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_job_id"), "links", ["job_id"])
    op.create_index(op.f("ix_links_key_id"), "links", ["key_id"])


def downgrade() -> None:
    op.drop_table("links")
