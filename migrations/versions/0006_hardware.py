"""Versions have hardware with a rate, and replicas that are kept and paid for by the minute."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

_NEW = (
    sa.Column("hardware", sa.String(length=32), nullable=False, server_default="cpu-1"),
    sa.Column("compute_rate", sa.BigInteger(), nullable=False, server_default="1000"),
    sa.Column("min_replicas", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("reservation_end", sa.String(length=16), nullable=False, server_default=""),
)


def upgrade() -> None:
    """Add them."""
    for column in _NEW:
        op.add_column("version", column)
        op.alter_column("version", column.name, server_default=None)
    op.create_check_constraint(
        op.f("ck_version_min_replicas"), "version", "min_replicas BETWEEN 0 AND max_replicas"
    )
    op.create_table(
        "hardware",
        sa.Column("name", sa.String(length=32), primary_key=True),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("lacks", sa.String(length=200), nullable=False),
    )
    op.create_table(
        "reservation",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("version_id", sa.Uuid(), sa.ForeignKey("version.id"), nullable=False),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("account.id"), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replicas", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("version_id", "minute"),
    )
    op.create_index("ix_reservation_account_id_minute", "reservation", ["account_id", "minute"])


def downgrade() -> None:
    """Take them away."""
    op.drop_table("reservation")
    op.drop_table("hardware")
    op.drop_constraint(op.f("ck_version_min_replicas"), "version")
    for column in reversed(_NEW):
        op.drop_column("version", column.name)
