"""The real parts that tests stand on: one PostgreSQL, migrated, emptied between tests."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from billing import ledger, pricing
from billing.ledger import Ledger
from catalog import service as catalog
from catalog.models import Algorithm, Category, Version, Visibility
from catalog.service import Built, Draft
from core import db
from core.accounts import service as accounts
from core.accounts.models import Account
from core.db import Sessions
from web.up import postgres

EMPTY = """
TRUNCATE account, algorithm, identity, key, session, version, rating, build, call, entry, hold,
  wallet RESTART IDENTITY CASCADE;
INSERT INTO wallet (id, kind, balance, held)
  VALUES (gen_random_uuid(), 'market', 0, 0), (gen_random_uuid(), 'grants', 0, 0);
"""


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a migrated database, for SQLAlchemy."""
    with tempfile.TemporaryDirectory(prefix="algorium-tests-") as home:
        with postgres.start(Path(home)) as server:
            db.migrate(server.url)
            yield server.url
        if server.places.owner is not None:
            shutil.rmtree(server.places.data.parent)


@pytest.fixture(scope="session")
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """The engine of the whole run."""
    made = db.engine(database)
    yield made
    await made.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """A session maker on an empty database that has only the house's wallets."""
    async with engine.begin() as connection:
        for statement in EMPTY.split(";\n"):
            if statement.strip():
                await connection.execute(text(statement))
    return db.sessions(engine)


@pytest.fixture
async def money(database: str, sessions: Sessions) -> AsyncIterator[Ledger]:
    """The ledger's hot movements on the test's database."""
    opened = await Ledger.open(database)
    yield opened
    await opened.close()


async def add_person(
    sessions: Sessions, name: str, *, credit: int = pricing.SIGN_UP_GRANT
) -> Account:
    """Make a person with a wallet, and with credit in microcredits."""
    async with sessions.begin() as session:
        account = await accounts.add_account(session, name)
        await ledger.open_wallet(session, account.id)
        if credit:
            await ledger.grant(session, account.id, credit, "for a test")
    return account


async def add_algorithm(
    sessions: Sessions,
    owner_id: UUID,
    name: str = "Shout",
    *,
    number: tuple[int, int, int] = (1, 0, 0),
    royalty: int = 2_000_000,
    visibility: Visibility = Visibility.PUBLIC,
    category: Category = Category.TEXT,
    live: bool = True,
    **more: object,
) -> tuple[Algorithm, Version]:
    """Publish a version, without a build, for tests of what comes after one."""
    draft = Draft(
        name=name,
        summary=str(more.pop("summary", f"What {name} does")),
        category=category,
        tags=tuple(more.pop("tags", ("test",))),  # type: ignore[call-overload]
        licence="MIT",
        number=number,
        royalty=royalty,
        visibility=visibility,
        readme=str(more.pop("readme", f"# {name}\n\nA text.")),
        **more,  # type: ignore[arg-type]
    )
    async with sessions.begin() as session:
        algorithm, version = await catalog.submit_version(session, owner_id, draft)
    if live:
        async with sessions.begin() as session:
            await catalog.go_live(session, version.id, draft, Built("e" * 32, None, None))
    async with sessions() as session:
        found = await session.get_one(Algorithm, algorithm.id)
        made = await session.get_one(Version, version.id)
    return found, made
