"""The ledger's functions take arrays, and what they write is checked by them alone."""

from pathlib import Path

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parents[1] / "sql"

# What every call writes: to look each of these up again was half of the work of writing it.
_REFERENCES = (
    ("hold", "wallet_id", "wallet"),
    ("entry", "wallet_id", "wallet"),
    ("call", "account_id", "account"),
    ("call", "key_id", "key"),
    ("call", "algorithm_id", "algorithm"),
    ("call", "version_id", "version"),
)
_NAMED = ("wallet", "account", "key", "algorithm", "version")


def upgrade() -> None:
    """Change it."""
    op.execute("DROP FUNCTION settle_calls(jsonb)")
    _run("0007_ledger.sql")
    for table, column, named in _REFERENCES:
        op.drop_constraint(f"fk_{table}_{column}_{named}", table)
    # Instead, nothing that the books may name can go.
    op.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the books may name a row of %, so none is deleted', TG_TABLE_NAME; "
        "END $$"
    )
    for named in _NAMED:
        op.execute(
            f"CREATE TRIGGER keep BEFORE DELETE ON {named} FOR EACH ROW EXECUTE FUNCTION keep()"
        )


def downgrade() -> None:
    """Change it back."""
    for named in _NAMED:
        op.execute(f"DROP TRIGGER keep ON {named}")
    op.execute("DROP FUNCTION keep")
    for table, column, named in _REFERENCES:
        op.create_foreign_key(f"fk_{table}_{column}_{named}", table, named, [column], ["id"])
    for name in ("place_holds", "settle_calls", "release_expired"):
        op.execute(f"DROP FUNCTION {name}")
    _run("0002_ledger.sql")


def _run(name: str) -> None:
    for statement in (SQL / name).read_text().split("\n\n-- "):
        op.execute(statement if statement.startswith("--") else f"-- {statement}")
