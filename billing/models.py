"""Tables of money. Entries are only ever added; a wallet's balance is the sum of its entries."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.db import choice, moment


class WalletKind(StrEnum):
    """Whose money it is: an account's, or one of the house's own."""

    ACCOUNT = "account"
    # What the marketplace earns: its cut of royalties, and compute.
    MARKET = "market"
    # Where granted credit comes from; the one wallet that goes below zero.
    GRANTS = "grants"


class EntryKind(StrEnum):
    """Why an amount moved."""

    GRANT = "grant"
    ROYALTY = "royalty"
    COMPUTE = "compute"
    SHARE = "share"
    CUT = "cut"
    # What an author pays for replicas that are kept.
    RESERVATION = "reservation"


class CallState(StrEnum):
    """How a call ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Wallet(SQLModel, table=True):
    """What an account has, and how much of it is set aside for calls under way."""

    __tablename__ = "wallet"
    __table_args__ = (
        CheckConstraint("kind = 'grants' OR balance >= 0", name="balance"),
        CheckConstraint("held >= 0 AND (kind <> 'account' OR held <= balance)", name="held"),
        Index("uq_wallet_house", "kind", unique=True, postgresql_where="kind <> 'account'"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: WalletKind = choice(WalletKind)
    account_id: UUID | None = Field(default=None, foreign_key="account.id", unique=True)
    # Kept beside the entries so that a hold needs one row; `verify` compares the two.
    balance: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)


class Entry(SQLModel, table=True):
    """One line of double entry, in microcredits. The lines of a transaction sum to zero."""

    __tablename__ = "entry"
    __table_args__ = (Index("ix_entry_wallet_id_id", "wallet_id", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)
    transaction_id: UUID = Field(index=True)
    wallet_id: UUID = Field(foreign_key="wallet.id")
    amount: int = Field(sa_type=BigInteger)
    kind: EntryKind = choice(EntryKind)
    # The call that it paid for; also the transaction's id then.
    call_id: UUID | None = None
    note: str = Field(default="", max_length=200)
    created_at: datetime = moment()


class Hold(SQLModel, table=True):
    """Credit set aside for a call under way: the most that it can cost.

    The row goes when the call is settled. One that outlives its call (a killed gateway) is
    released when it expires; nothing was charged then.
    """

    __tablename__ = "hold"

    call_id: UUID = Field(primary_key=True)
    wallet_id: UUID = Field(foreign_key="wallet.id", index=True)
    amount: int = Field(sa_type=BigInteger)
    expires_at: datetime = moment(default=None, nullable=False, index=True)


class Call(SQLModel, table=True):
    """One run that was asked for and has ended; what it cost and where its time went."""

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_account_id_created_at", "account_id", "created_at"),
        Index("ix_call_algorithm_id_created_at", "algorithm_id", "created_at"),
    )

    id: UUID = Field(primary_key=True)
    # The call that asked for this one, where an algorithm called another.
    parent_id: UUID | None = Field(default=None, index=True)
    account_id: UUID = Field(foreign_key="account.id")
    key_id: UUID | None = Field(default=None, foreign_key="key.id")
    algorithm_id: UUID = Field(foreign_key="algorithm.id")
    version_id: UUID = Field(foreign_key="version.id")
    state: CallState = choice(CallState)
    error_type: str = Field(default="", max_length=40)
    error_message: str = Field(default="", max_length=500)
    royalty: int = Field(default=0, sa_type=BigInteger)
    compute: int = Field(default=0, sa_type=BigInteger)
    author_share: int = Field(default=0, sa_type=BigInteger)
    # Milliseconds.
    queued_ms: float = 0
    started_ms: float = 0
    loaded_ms: float = 0
    ran_ms: float = 0
    duration_ms: float = 0
    created_at: datetime = moment()


class Reservation(SQLModel, table=True):
    """One minute in which replicas of a version were kept for its author, and what it cost.

    A version has one row for a minute, so that no minute is charged twice.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        UniqueConstraint("version_id", "minute"),
        Index("ix_reservation_account_id_minute", "account_id", "minute"),
    )

    # Also the id of its transaction in the books.
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    version_id: UUID = Field(foreign_key="version.id")
    account_id: UUID = Field(foreign_key="account.id")
    # When it began.
    minute: datetime = moment(default=None, nullable=False)
    replicas: int
    amount: int = Field(sa_type=BigInteger)
