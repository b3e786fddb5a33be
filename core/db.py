"""The database: engine, sessions, naming of constraints, migrations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from alembic import command
from alembic.config import Config
from sqlalchemy import DateTime, Enum
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlmodel import Field, SQLModel

from core.clock import now

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Sessions: TypeAlias = async_sessionmaker[AsyncSession]

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def engine(url: str, *, size: int = 10) -> AsyncEngine:
    """Make an engine with up to `size` connections kept open."""
    return create_async_engine(url, pool_size=size, max_overflow=5, pool_pre_ping=True)


def sessions(of: AsyncEngine) -> Sessions:
    """Make the session maker of an engine; rows stay readable after the commit."""
    return async_sessionmaker(of, expire_on_commit=False)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Sessions]:
    """Open a session maker for a command or a worker, and close its connections after."""
    opened = engine(url)
    try:
        yield sessions(opened)
    finally:
        await opened.dispose()


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema up to `revision`; nothing is done where it is there already."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = url
    command.upgrade(config, revision)


def moment(**more: Any) -> Any:  # noqa: ANN401 - a field of any model
    """Declare a column that holds a moment in UTC, now where nothing is given."""
    if more.get("default", ...) is ...:
        more["default_factory"] = now
    return Field(sa_type=DateTime(timezone=True), **more)


def choice(of: type[StrEnum], **more: Any) -> Any:  # noqa: ANN401 - a field of any model
    """Declare a column that holds one word of `of`, stored as plain text."""
    kind = Enum(
        of, native_enum=False, length=16, values_callable=lambda words: [w.value for w in words]
    )
    return Field(sa_type=kind, **more)
