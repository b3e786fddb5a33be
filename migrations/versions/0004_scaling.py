"""Versions say how they are scaled and kept apart; busy ones have an application of their own."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

_NEW = (
    sa.Column("isolation", sa.String(length=16), nullable=False, server_default="shared"),
    sa.Column("idempotent", sa.Boolean(), nullable=False, server_default="false"),
    sa.Column("timeout_s", sa.Integer(), nullable=False, server_default="300"),
    sa.Column("max_replicas", sa.Integer(), nullable=False, server_default="4"),
    sa.Column("target_ongoing", sa.Integer(), nullable=False, server_default="4"),
)


def upgrade() -> None:
    """Add them."""
    for column in _NEW:
        op.add_column("version", column)
        op.alter_column("version", column.name, server_default=None)
    op.create_table(
        "application",
        sa.Column("version_id", sa.Uuid(), sa.ForeignKey("version.id"), primary_key=True),
        sa.Column("replicas", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("replicas > 0", name=op.f("ck_application_replicas")),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("application")
    for column in _NEW:
        op.drop_column("version", column.name)
