"""Tables of the catalog."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import BigInteger, Field, SQLModel

from core.db import choice, moment
from core.hardware import DEFAULT


class Category(StrEnum):
    """The shelf that an algorithm stands on; the labels are what pages show."""

    TEXT = "text"
    VISION = "vision"
    AUDIO = "audio"
    OPERATIONS = "operations"
    DATA = "data"
    UTILITIES = "utilities"


class Visibility(StrEnum):
    """Who may see and call an algorithm: everybody, or its owner alone."""

    PUBLIC = "public"
    PRIVATE = "private"


class Isolation(StrEnum):
    """Whose calls a worker of a version may run one after another."""

    SHARED = "shared"
    CALLER = "caller"


class ReservationEnd(StrEnum):
    """Why replicas are kept for a version no longer, though its author wished it."""

    NONE = ""
    UNPAID = "unpaid"
    REPLACED = "replaced"


class VersionState(StrEnum):
    """Where a version is on its way to callers."""

    QUEUED = "queued"
    BUILDING = "building"
    LIVE = "live"
    FAILED = "failed"


class Algorithm(SQLModel, table=True):
    """A listing: the name under which an owner offers one function, in all its versions."""

    __tablename__ = "algorithm"
    __table_args__ = (UniqueConstraint("owner_id", "name_key"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: UUID = Field(foreign_key="account.id", index=True)
    name: str = Field(max_length=64)
    name_key: str = Field(max_length=64)
    summary: str = Field(max_length=160)
    category: Category = choice(Category, index=True)
    tags: list[str] = Field(sa_column=Column(ARRAY(String(32)), nullable=False))
    licence: str = Field(max_length=40)
    visibility: Visibility = choice(Visibility)
    # The newest live version; without one there is nothing to call and nothing to list.
    live_version_id: UUID | None = Field(default=None, index=True)
    created_at: datetime = moment()
    changed_at: datetime = moment(index=True)


class Version(SQLModel, table=True):
    """One immutable release of an algorithm. Its number and its price never change.

    Its replicas are the author's to change: they are what it is run with, not what it does.
    """

    __tablename__ = "version"
    __table_args__ = (
        UniqueConstraint("algorithm_id", "major", "minor", "revision"),
        CheckConstraint("royalty >= 0", name="royalty"),
        CheckConstraint("min_replicas BETWEEN 0 AND max_replicas", name="min_replicas"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    algorithm_id: UUID = Field(foreign_key="algorithm.id", index=True)
    major: int
    minor: int
    revision: int
    state: VersionState = choice(VersionState)
    # Microcredits a call. An integer, because royalties are split and summed, and a
    # fraction lost in a split is money lost.
    royalty: int = Field(sa_type=BigInteger)
    language: str = Field(default="python", max_length=32)
    calls_others: bool = False
    memory_mib: int = 1024
    isolation: Isolation = choice(Isolation, default=Isolation.SHARED)
    # Whether running it twice does what running it once does, so that a lost run is repeated.
    idempotent: bool = False
    # Seconds that a call has where its caller gives none.
    timeout_s: int = 300
    # The name of its profile, and microcredits a millisecond on it: part of the price.
    hardware: str = Field(default=DEFAULT.name, max_length=32)
    compute_rate: int = Field(default=DEFAULT.rate, sa_type=BigInteger)
    # Beyond how many calls at once it gets a replica more, and the most that it gets.
    target_ongoing: int = 4
    max_replicas: int = 4
    # How many are kept at all times while it is the newest, at its author's cost.
    min_replicas: int = 0
    reservation_end: ReservationEnd = choice(ReservationEnd, default=ReservationEnd.NONE)
    readme: str = ""
    sample_type: str | None = Field(default=None, max_length=8)
    sample_input: bytes | None = Field(default=None, sa_type=LargeBinary)
    sample_output_type: str | None = Field(default=None, max_length=8)
    sample_output: bytes | None = Field(default=None, sa_type=LargeBinary)
    # What was built: the digest of the sources, and that of the environment they run in.
    source_digest: str = Field(default="", max_length=64)
    environment_digest: str = Field(default="", max_length=64)
    # The same as archives of the data store, by their content; empty where there is none.
    source_archive: str = Field(default="", max_length=64)
    environment_archive: str = Field(default="", max_length=64)
    created_at: datetime = moment()
    live_at: datetime | None = moment(default=None, nullable=True)

    @property
    def number(self) -> str:
        """The number as people write it, `1.2.3`."""
        return f"{self.major}.{self.minor}.{self.revision}"


class Rating(SQLModel, table=True):
    """The stars, 1 to 5, that one account gives one algorithm."""

    __tablename__ = "rating"
    __table_args__ = (CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),)

    algorithm_id: UUID = Field(foreign_key="algorithm.id", primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", primary_key=True, index=True)
    stars: int
    changed_at: datetime = moment()
