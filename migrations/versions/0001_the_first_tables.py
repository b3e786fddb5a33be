"""The first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add it."""
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("person", "organization", name="accountkind", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=39), nullable=False),
        sa.Column("name_key", sa.String(length=39), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name_key", name=op.f("uq_account_name_key")),
    )
    op.create_table(
        "algorithm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", sa.String(length=64), nullable=False),
        sa.Column("summary", sa.String(length=160), nullable=False),
        sa.Column(
            "category",
            sa.Enum(
                "text",
                "vision",
                "audio",
                "operations",
                "data",
                "utilities",
                name="category",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("tags", postgresql.ARRAY(sa.String(length=32)), nullable=False),
        sa.Column("licence", sa.String(length=40), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum("public", "private", name="visibility", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("live_version_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_algorithm_owner_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_algorithm")),
        sa.UniqueConstraint("owner_id", "name_key", name=op.f("uq_algorithm_owner_id_name_key")),
    )
    op.create_index(op.f("ix_algorithm_category"), "algorithm", ["category"], unique=False)
    op.create_index(op.f("ix_algorithm_changed_at"), "algorithm", ["changed_at"], unique=False)
    op.create_index(
        op.f("ix_algorithm_live_version_id"), "algorithm", ["live_version_id"], unique=False
    )
    op.create_index(op.f("ix_algorithm_owner_id"), "algorithm", ["owner_id"], unique=False)
    op.create_table(
        "identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_identity_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_issuer_subject")),
    )
    op.create_index(op.f("ix_identity_account_id"), "identity", ["account_id"], unique=False)
    op.create_table(
        "key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("last_four", sa.String(length=4), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_key_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_key_digest")),
    )
    op.create_index(op.f("ix_key_account_id"), "key", ["account_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_session_account_id_account")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_account_id"), "session", ["account_id"], unique=False)
    op.create_table(
        "wallet",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("account", "market", "grants", name="walletkind", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "held >= 0 AND (kind <> 'account' OR held <= balance)", name=op.f("ck_wallet_held")
        ),
        sa.CheckConstraint("kind = 'grants' OR balance >= 0", name=op.f("ck_wallet_balance")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_wallet_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet")),
        sa.UniqueConstraint("account_id", name=op.f("uq_wallet_account_id")),
    )
    op.create_index(
        "uq_wallet_house", "wallet", ["kind"], unique=True, postgresql_where="kind <> 'account'"
    )
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "grant",
                "royalty",
                "compute",
                "share",
                "cut",
                name="entrykind",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("call_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_entry_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
    )
    op.create_index(op.f("ix_entry_transaction_id"), "entry", ["transaction_id"], unique=False)
    op.create_index("ix_entry_wallet_id_id", "entry", ["wallet_id", "id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_hold_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_hold")),
    )
    op.create_index(op.f("ix_hold_expires_at"), "hold", ["expires_at"], unique=False)
    op.create_index(op.f("ix_hold_wallet_id"), "hold", ["wallet_id"], unique=False)
    op.create_table(
        "rating",
        sa.Column("algorithm_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_rating_stars")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_rating_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["algorithm_id"], ["algorithm.id"], name=op.f("fk_rating_algorithm_id_algorithm")
        ),
        sa.PrimaryKeyConstraint("algorithm_id", "account_id", name=op.f("pk_rating")),
    )
    op.create_index(op.f("ix_rating_account_id"), "rating", ["account_id"], unique=False)
    op.create_table(
        "version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("algorithm_id", sa.Uuid(), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        sa.Column("minor", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "building",
                "live",
                "failed",
                name="versionstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("royalty", sa.BigInteger(), nullable=False),
        sa.Column("calls_others", sa.Boolean(), nullable=False),
        sa.Column("memory_mib", sa.Integer(), nullable=False),
        sa.Column("readme", sa.String(), nullable=False),
        sa.Column("sample_type", sa.String(length=8), nullable=True),
        sa.Column("sample_input", sa.LargeBinary(), nullable=True),
        sa.Column("sample_output_type", sa.String(length=8), nullable=True),
        sa.Column("sample_output", sa.LargeBinary(), nullable=True),
        sa.Column("source_digest", sa.String(length=64), nullable=False),
        sa.Column("environment_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("royalty >= 0", name=op.f("ck_version_royalty")),
        sa.ForeignKeyConstraint(
            ["algorithm_id"], ["algorithm.id"], name=op.f("fk_version_algorithm_id_algorithm")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version")),
        sa.UniqueConstraint(
            "algorithm_id",
            "major",
            "minor",
            "revision",
            name=op.f("uq_version_algorithm_id_major_minor_revision"),
        ),
    )
    op.create_index(op.f("ix_version_algorithm_id"), "version", ["algorithm_id"], unique=False)
    op.create_table(
        "build",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "succeeded",
                "failed",
                name="buildstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("message", sa.String(length=2000), nullable=False),
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_build_version_id_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build")),
    )
    op.create_index(op.f("ix_build_state"), "build", ["state"], unique=False)
    op.create_index(op.f("ix_build_version_id"), "build", ["version_id"], unique=False)
    op.create_table(
        "call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("algorithm_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("succeeded", "failed", name="callstate", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("error_type", sa.String(length=40), nullable=False),
        sa.Column("error_message", sa.String(length=500), nullable=False),
        sa.Column("royalty", sa.BigInteger(), nullable=False),
        sa.Column("compute", sa.BigInteger(), nullable=False),
        sa.Column("author_share", sa.BigInteger(), nullable=False),
        sa.Column("queued_ms", sa.Float(), nullable=False),
        sa.Column("started_ms", sa.Float(), nullable=False),
        sa.Column("loaded_ms", sa.Float(), nullable=False),
        sa.Column("ran_ms", sa.Float(), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_call_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["algorithm_id"], ["algorithm.id"], name=op.f("fk_call_algorithm_id_algorithm")
        ),
        sa.ForeignKeyConstraint(["key_id"], ["key.id"], name=op.f("fk_call_key_id_key")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_call_version_id_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
    )
    op.create_index(
        "ix_call_account_id_created_at", "call", ["account_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_call_algorithm_id_created_at", "call", ["algorithm_id", "created_at"], unique=False
    )
    op.create_index(op.f("ix_call_parent_id"), "call", ["parent_id"], unique=False)


def downgrade() -> None:
    """Take it away."""
    op.drop_index(op.f("ix_call_parent_id"), table_name="call")
    op.drop_index("ix_call_algorithm_id_created_at", table_name="call")
    op.drop_index("ix_call_account_id_created_at", table_name="call")
    op.drop_table("call")
    op.drop_index(op.f("ix_build_version_id"), table_name="build")
    op.drop_index(op.f("ix_build_state"), table_name="build")
    op.drop_table("build")
    op.drop_index(op.f("ix_version_algorithm_id"), table_name="version")
    op.drop_table("version")
    op.drop_index(op.f("ix_rating_account_id"), table_name="rating")
    op.drop_table("rating")
    op.drop_index(op.f("ix_hold_wallet_id"), table_name="hold")
    op.drop_index(op.f("ix_hold_expires_at"), table_name="hold")
    op.drop_table("hold")
    op.drop_index("ix_entry_wallet_id_id", table_name="entry")
    op.drop_index(op.f("ix_entry_transaction_id"), table_name="entry")
    op.drop_table("entry")
    op.drop_index("uq_wallet_house", table_name="wallet", postgresql_where="kind <> 'account'")
    op.drop_table("wallet")
    op.drop_index(op.f("ix_session_account_id"), table_name="session")
    op.drop_table("session")
    op.drop_index(op.f("ix_key_account_id"), table_name="key")
    op.drop_table("key")
    op.drop_index(op.f("ix_identity_account_id"), table_name="identity")
    op.drop_table("identity")
    op.drop_index(op.f("ix_algorithm_owner_id"), table_name="algorithm")
    op.drop_index(op.f("ix_algorithm_live_version_id"), table_name="algorithm")
    op.drop_index(op.f("ix_algorithm_changed_at"), table_name="algorithm")
    op.drop_index(op.f("ix_algorithm_category"), table_name="algorithm")
    op.drop_table("algorithm")
    op.drop_table("account")
