"""A column for the content of the dataset that a job was submitted for, which its worker compares."""

import sqlalchemy as sa
from alembic import op

revision = "0027_dataset_digest"
down_revision = "0026_searched"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("dataset_digest", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "dataset_digest")
