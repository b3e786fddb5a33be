"""The schema: what the models say is what the migrations make, up and down."""

import asyncio

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from core import db


@pytest.fixture
async def empty(database: str) -> str:
    """The address of a database without tables, on the server of the run."""
    engine = create_async_engine(database, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("DROP DATABASE IF EXISTS empty"))
        await connection.execute(text("CREATE DATABASE empty"))
    await engine.dispose()
    return database.replace("/algorium?", "/empty?")


def config(url: str) -> Config:
    made = Config()
    made.set_main_option("script_location", str(db.MIGRATIONS))
    made.attributes["url"] = url
    return made


async def test_models_and_migrations_agree_and_every_step_goes_back(empty: str) -> None:
    await asyncio.to_thread(db.migrate, empty)
    await asyncio.to_thread(command.check, config(empty))
    await asyncio.to_thread(command.downgrade, config(empty), "base")
    await asyncio.to_thread(db.migrate, empty)
    # Running them again changes nothing.
    await asyncio.to_thread(db.migrate, empty)
    engine = create_async_engine(empty)
    async with engine.connect() as connection:
        houses = await connection.scalar(text("SELECT count(*) FROM wallet"))
    await engine.dispose()
    assert houses == 2
