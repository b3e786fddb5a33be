"""Tables of accounts: who they are, how they sign in, what their programs show."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from core.db import choice, moment


class AccountKind(StrEnum):
    """What an account stands for."""

    PERSON = "person"
    ORGANIZATION = "organization"


class Account(SQLModel, table=True):
    """A person or an organization: it owns algorithms, keys and a balance."""

    __tablename__ = "account"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: AccountKind = choice(AccountKind, default=AccountKind.PERSON)
    name: str = Field(max_length=39)
    # The name in lower case: `Alice` and `alice` would be one address.
    name_key: str = Field(max_length=39, unique=True)
    email: str = Field(default="", max_length=254)
    is_admin: bool = False
    created_at: datetime = moment()


class Identity(SQLModel, table=True):
    """A sign-in that an issuer vouches for, and the account that it opens."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    issuer: str = Field(max_length=255)
    subject: str = Field(max_length=255)
    created_at: datetime = moment()


class Session(SQLModel, table=True):
    """One browser that is signed in. The cookie's token is kept only as a hash."""

    __tablename__ = "session"

    token_hash: str = Field(max_length=64, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    created_at: datetime = moment()
    seen_at: datetime = moment()
    expires_at: datetime = moment(default=None, nullable=False)


class Key(SQLModel, table=True):
    """A program's credential. Only a hash is kept; the key itself is shown once."""

    __tablename__ = "key"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    label: str = Field(max_length=60)
    digest: str = Field(max_length=64, unique=True)
    last_four: str = Field(max_length=4)
    created_at: datetime = moment()
    last_used_at: datetime | None = moment(default=None, nullable=True)
    revoked_at: datetime | None = moment(default=None, nullable=True)
