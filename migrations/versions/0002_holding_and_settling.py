"""The ledger's functions, and the house's own wallets."""

from pathlib import Path

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

LEDGER = Path(__file__).parents[1] / "sql" / "0002_ledger.sql"


def upgrade() -> None:
    """Add it."""
    for statement in LEDGER.read_text().split("\n\n-- "):
        op.execute(statement if statement.startswith("--") else f"-- {statement}")
    op.execute(
        "INSERT INTO wallet (id, kind, balance, held) "
        "VALUES (gen_random_uuid(), 'market', 0, 0), (gen_random_uuid(), 'grants', 0, 0)"
    )


def downgrade() -> None:
    """Take it away."""
    for name in ("place_holds", "settle_calls", "release_expired"):
        op.execute(f"DROP FUNCTION {name}")
    op.execute("DELETE FROM wallet WHERE kind <> 'account'")
