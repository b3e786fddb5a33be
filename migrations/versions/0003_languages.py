"""Versions say what they are written in; until now all were in Python."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add it."""
    op.add_column(
        "version",
        sa.Column("language", sa.String(length=32), nullable=False, server_default="python"),
    )
    op.alter_column("version", "language", server_default=None)


def downgrade() -> None:
    """Take it away."""
    op.drop_column("version", "language")
