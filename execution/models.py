"""Tables of execution: attempts to turn a folder into something callable."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from core.db import choice, moment


class BuildState(StrEnum):
    """Where a build is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Build(SQLModel, table=True):
    """One attempt to make a version callable, with its log."""

    __tablename__ = "build"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    version_id: UUID = Field(foreign_key="version.id", index=True)
    state: BuildState = choice(BuildState, default=BuildState.QUEUED, index=True)
    phase: str = Field(default="waiting", max_length=40)
    # Why it failed, in a sentence; empty otherwise.
    message: str = Field(default="", max_length=2000)
    log: str = ""
    created_at: datetime = moment()
    # Said again and again while it runs: a build whose worker died is taken up by another.
    seen_at: datetime | None = moment(default=None, nullable=True)
    finished_at: datetime | None = moment(default=None, nullable=True)


class Application(SQLModel, table=True):
    """A version that has replicas of its own: how many it is to have, and how many run."""

    __tablename__ = "application"
    __table_args__ = (CheckConstraint("replicas > 0", name="replicas"),)

    version_id: UUID = Field(primary_key=True, foreign_key="version.id")
    replicas: int
    running: int = 0
    changed_at: datetime = moment()


class Hardware(SQLModel, table=True):
    """A profile as this cluster has it: its rate here, and why it is not on offer, if it isn't."""

    __tablename__ = "hardware"

    name: str = Field(primary_key=True, max_length=32)
    rate: int = Field(sa_type=BigInteger)
    lacks: str = Field(default="", max_length=200)
