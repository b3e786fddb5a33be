"""Versions say which archives of the data store they are, so that other machines find them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

_NEW = ("source_archive", "environment_archive")


def upgrade() -> None:
    """Add them."""
    for name in _NEW:
        column = sa.Column(name, sa.String(length=64), nullable=False, server_default="")
        op.add_column("version", column)
        op.alter_column("version", name, server_default=None)


def downgrade() -> None:
    """Take them away."""
    for name in _NEW:
        op.drop_column("version", name)
