"""The real parts that tests stand on: one PostgreSQL, migrated, emptied between tests."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Receive, Scope, Send

from billing.ledger import Ledger
from core import db
from core.db import Sessions
from core.settings import Settings
from execution.builds import environment, places
from execution.calls import Caller
from tests.market import LocalCluster, Market
from tests.people import add_person
from web.app import create_app
from web.resources import opened
from web.up import postgres

# Started in the background, a run ignores Ctrl-C, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

EMPTY = """
TRUNCATE account, algorithm, identity, key, session, version, rating, build, call, entry, hold,
  application, hardware, reservation, wallet RESTART IDENTITY CASCADE;
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


@pytest.fixture(scope="session")
async def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A virtual environment without packages, made the way that builds make them."""
    home = tmp_path_factory.mktemp("bare")
    digest = await environment.install("", home, lambda _: None)
    return str(places.environment_of(home, digest))


@pytest.fixture
async def market(
    sessions: Sessions, money: Ledger, bare_environment: str, tmp_path: Path
) -> AsyncIterator[Market]:
    """An open market."""
    author = await add_person(sessions, "author", credit=0)
    payer = await add_person(sessions, "payer")
    cluster = LocalCluster(tmp_path)
    caller = Caller(sessions, money, cluster)
    yield Market(sessions, money, tmp_path, bare_environment, cluster, caller, author, payer)
    await caller.drain()
    await cluster.pool.close()


@pytest.fixture
async def site(market: Market, database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The whole site over real sandboxes, asked in this process."""
    settings = Settings(home=market.home, database_url=database)
    app = create_app(settings, lambda: opened(settings, market.cluster))
    async with (
        app.router.lifespan_context(app) as state,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(WithState(app, state), raise_app_exceptions=False),
            base_url=settings.url,
            timeout=60,
        ) as client,
    ):
        yield client


class WithState:
    """Gives each request the state that a server would give it."""

    def __init__(self, app: ASGIApp, state: object) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        await self._app({**scope, "state": dict(self._state)}, receive, send)
