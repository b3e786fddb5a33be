"""Alembic's entry: runs the migrations over one connection, all in one transaction."""

import asyncio
from threading import Thread

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import execution.models  # noqa: F401 - every table must be known


def run(connection: Connection) -> None:
    """Run what is missing. A second process that migrates waits for the first."""
    connection.exec_driver_sql("SET lock_timeout = '30s'")
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7020001)")
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def connect() -> None:
    """Open the one connection."""
    engine = create_async_engine(context.config.attributes["url"])
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


# In a thread of its own: whoever migrates may be inside an event loop already.
failures: list[BaseException] = []


def _main() -> None:
    try:
        asyncio.run(connect())
    except BaseException as error:  # noqa: BLE001 - handed on below
        failures.append(error)


thread = Thread(target=_main)
thread.start()
thread.join()
if failures:
    raise failures[0]
