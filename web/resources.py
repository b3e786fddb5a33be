"""What the site is made of while it runs: opened at start, closed at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy import text

from billing.figures import calls_by_algorithm
from billing.ledger import Ledger
from core import db
from core.settings import Settings
from execution import starter
from execution.calls import Caller
from execution.cluster import Cluster
from execution.ray_cluster import RayCluster
from execution.starter import Progress
from search.tantivy_index import TantivyIndex
from search.tasks import follow
from web.auth.key_cache import KeyCache
from web.auth.secret import channel_secret
from web.state import State
from web.up.postgres import database_url

log = structlog.get_logger()

FLUSH_S = 5.0


@asynccontextmanager
async def opened(settings: Settings, cluster: Cluster | None = None) -> AsyncIterator[State]:
    """Open everything that requests need. `cluster` is given where one is there already."""
    url = settings.database_url or database_url(settings.home)
    if cluster is None:
        cluster = RayCluster(settings.home, channel_secret(settings))
    async with db.connected(url) as sessions:
        ledger = await Ledger.open(url)
        caller = Caller(
            sessions,
            ledger,
            cluster,
            concurrency=settings.concurrency,
            queue=settings.queue,
        )
        state = State(
            settings=settings,
            sessions=sessions,
            index=TantivyIndex(),
            caller=caller,
            cluster=cluster,
            keys=KeyCache(sessions),
        )
        running = [
            asyncio.create_task(follow(sessions, state["index"], calls_by_algorithm)),
            asyncio.create_task(_again(FLUSH_S, lambda: _flush_keys(state))),
        ]
        try:
            yield state
        finally:
            await caller.drain()
            for task in running:
                task.cancel()
            for task in running:
                with suppress(asyncio.CancelledError):
                    await task
            await _flush_keys(state)
            await ledger.close()


async def readiness(state: State) -> tuple[bool, dict[str, object]]:
    """Tell whether the site can serve calls, and what it waits for."""
    progress = Progress(0, 0, 0, 0)
    try:
        async with state["sessions"]() as session:
            await session.execute(text("SELECT 1"))
            progress = await starter.progress(session)
        database = True
    except Exception:
        log.exception("the database does not answer")
        database = False
    cluster = await state["cluster"].ready()
    return database and cluster, {
        "database": database,
        "cluster": cluster,
        "starter": {
            "live": progress.live,
            "building": progress.building,
            "failed": progress.failed,
            "total": progress.total,
        },
    }


async def _flush_keys(state: State) -> None:
    async with state["sessions"].begin() as session:
        await state["keys"].flush(session)


async def _again(every_s: float, step: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await step()
        except Exception:
            log.exception("a task of the site failed")
