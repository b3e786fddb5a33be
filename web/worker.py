"""The worker: builds what is queued, keeps the pools deployed, sweeps what has run out.

Any number of workers may run; each task may be repeated, and one that dies is taken up.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from billing.ledger import release_expired
from core import db
from core import log as logs
from core.accounts.service import sweep_sessions
from core.db import Sessions
from core.settings import Settings
from execution import starter
from execution.builds import tasks
from execution.builds.shelf import Shelf
from execution.ray_applications import NodeLost, RayApplications
from execution.ray_cluster import connect, directory_of, own_node
from execution.reconcile import Reconciler
from execution.sandbox import protection
from execution.sandbox.limits import Limits
from execution.sandbox.protection import Protection
from web.auth.secret import channel_secret
from web.shelf import shelf_of
from web.up.postgres import database_url

log = structlog.get_logger()

POLL_S = 0.5
SWEEP_S = 10.0
RECONCILE_S = 1.0
NODE_ENDS_WITHIN_S = 10.0


async def work(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    logs.configure()
    protection.require(Protection(settings.min_protection))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    node = own_node(settings.home)
    try:
        connect(settings.home)
        await _work(settings, stopped, node)
    finally:
        if node is not None:
            node.terminate()
            try:
                node.wait(NODE_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                node.kill()


async def _work(
    settings: Settings, stopped: asyncio.Event, node: "subprocess.Popen[bytes] | None"
) -> None:
    shelf = shelf_of(settings)
    shelf.tidy()
    tasks.tidy(settings.home)
    async with db.connected(settings.database_url or database_url(settings.home)) as sessions:
        reconciler = Reconciler(
            sessions,
            RayApplications(
                directory_of(settings.home),
                secret=channel_secret(settings),
                limits=Limits(protection=Protection(settings.min_protection)),
                data_url=settings.data_url,
                builds_mib=settings.builds_mib,
                outside=settings.ray_address is not None,
            ),
            hardware=settings.hardware,
        )
        # Before anything is published at a rate.
        await reconciler.offer()
        running = [
            asyncio.create_task(
                _again("cluster", RECONCILE_S, lambda: _reconcile(reconciler, stopped))
            ),
            asyncio.create_task(_again("sweep", SWEEP_S, lambda: _sweep(sessions))),
            *(
                asyncio.create_task(_again("build", POLL_S, lambda: _build(sessions, shelf)))
                for _ in range(os.cpu_count() or 1)
            ),
        ]
        if settings.starter:
            running.append(asyncio.create_task(_publish_starter(sessions, shelf)))
        if settings.data_url is not None:
            keep = asyncio.create_task(
                _again("store", SWEEP_S, lambda: tasks.keep_missing(sessions, shelf))
            )
            running.append(keep)
        if node is not None:
            running.append(asyncio.create_task(_watch(node, stopped)))
        await stopped.wait()
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task


async def _again(name: str, every_s: float, step: Callable[[], Awaitable[object]]) -> None:
    """Do a step for ever; one that fails is told of and tried again."""
    while True:
        try:
            await step()
        except Exception:
            log.exception("a task of the worker failed", task=name)
        await asyncio.sleep(every_s)


async def _sweep(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        released = await release_expired(session)
        await sweep_sessions(session)
    if released:
        log.info("released holds of calls that never ended", count=released)


async def _reconcile(reconciler: Reconciler, stopped: asyncio.Event) -> None:
    """Bring the cluster to what is wished; end a worker that is cut off, to be started again."""
    try:
        await reconciler.tick()
    except NodeLost:
        log.exception("the worker is no longer in the cluster")
        stopped.set()


async def _watch(node: "subprocess.Popen[bytes]", stopped: asyncio.Event) -> None:
    """End the worker with its node, without which it can do nothing; it is started again."""
    await asyncio.to_thread(node.wait)
    log.error("the node of Ray on this machine has ended", status=node.returncode)
    stopped.set()


async def _build(sessions: Sessions, shelf: Shelf) -> None:
    while (build_id := await tasks.take(sessions)) is not None:
        await tasks.run(sessions, shelf, build_id)


async def _publish_starter(sessions: Sessions, shelf: Shelf) -> None:
    try:
        await starter.submit_missing(sessions, shelf, calls_others=False)
        while not await starter.waits_only_for_callers(sessions):
            await asyncio.sleep(POLL_S)
        await starter.submit_missing(sessions, shelf, calls_others=True)
    except Exception:
        log.exception("the starter catalog could not be published")
