"""The one writer to Ray Serve: what the database wishes, what Serve has, and the difference.

One worker at a time does it, whichever holds a lock of the database. Steps may be repeated,
and one that fails keeps no other from being taken.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select

from catalog.models import Version, VersionState
from core.clock import now
from core.db import Sessions
from execution.applications import POOL, Applications, Found, Wish, own_application, version_of
from execution.models import Application
from execution.scaling import Rule, Scale, step

log = structlog.get_logger()

_LOCK = 7_203_911  # any number that nothing else in the database locks


@dataclass(frozen=True, slots=True)
class Deploy:
    """Bring an application to a wish."""

    name: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an application away; its calls end first."""

    name: str


Step = Deploy | Remove


def plan(wishes: Mapping[str, Wish], found: Mapping[str, Found]) -> list[Step]:
    """Give the steps from what there is to what is wished, those that free room first."""
    gone = [Remove(name) for name in found if name not in wishes and not found[name].is_leaving]
    shrunk: list[Step] = []
    grown: list[Step] = []
    for name, wish in wishes.items():
        there = found.get(name)
        if there is None or there.has_failed or there.wish != wish:
            smaller = there is not None and wish.replicas < there.wish.replicas
            (shrunk if smaller else grown).append(Deploy(name, wish))
    return [*gone, *shrunk, *grown]


class Reconciler:
    """Watches how busy versions are and brings Serve to what that takes."""

    def __init__(
        self,
        sessions: Sessions,
        applications: Applications,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._applications = applications
        self._clock = clock
        self._scales: dict[UUID, Scale] = {}

    async def tick(self) -> None:
        """Look, decide, and take the steps; does nothing where another worker is at it."""
        async with self._sessions.begin() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                self._scales.clear()
                return
            wanted = await self._decide(session, await self._applications.loads())
        # The lock is free by now, but every step may be taken twice without harm.
        found = await self._applications.found()
        wishes = {POOL: await self._applications.pool()} | {
            own_application(version_id): self._applications.wish(replicas)
            for version_id, replicas in wanted.items()
        }
        await asyncio.gather(*(self._take(one) for one in plan(wishes, found)))
        await self._note(found)

    async def _decide(self, session: AsyncSession, loads: Mapping[str, float]) -> dict[UUID, int]:
        """Step every version that is called or has replicas of its own, and write the wishes."""
        rows = (await session.scalars(select(Application))).all()
        own = {row.version_id: row for row in rows}
        called = {UUID(version_id) for version_id in loads}
        versions = await session.scalars(
            select(Version).where(
                col(Version.id).in_(called | own.keys()), Version.state == VersionState.LIVE
            )
        )
        moment = self._clock()
        scales: dict[UUID, Scale] = {}
        for version in versions:
            row = own.get(version.id)
            before = self._scales.get(version.id) or Scale()
            if row is not None and before.replicas != row.replicas:
                before = Scale(replicas=row.replicas)
            rule = Rule(version.target_ongoing, version.max_replicas)
            scales[version.id] = after = step(before, rule, loads.get(str(version.id), 0.0), moment)
            if after.replicas == (row.replicas if row is not None else 0):
                continue
            log.info("a version is scaled", version=str(version.id), replicas=after.replicas)
            if after.replicas:
                row = row or Application(version_id=version.id, replicas=0)
                row.replicas = after.replicas
                row.changed_at = now()
                session.add(row)
        gone = [version_id for version_id in own if not scales.get(version_id, Scale()).replicas]
        if gone:
            await session.execute(delete(Application).where(col(Application.version_id).in_(gone)))
        self._scales = {key: scale for key, scale in scales.items() if scale != Scale()}
        return {key: scale.replicas for key, scale in scales.items() if scale.replicas}

    async def _take(self, one: Step) -> None:
        try:
            if isinstance(one, Deploy):
                await self._applications.deploy(one.name, one.wish)
            else:
                await self._applications.remove(one.name)
        except Exception:
            log.exception("a step of the cluster failed", application=one.name)

    async def _note(self, found: Mapping[str, Found]) -> None:
        """Write how many replicas really run, for pages to show."""
        running = {
            version_id: there.running
            for name, there in found.items()
            if (version_id := version_of(name)) is not None
        }
        async with self._sessions.begin() as session:
            for row in await session.scalars(select(Application).with_for_update()):
                row.running = running.get(row.version_id, 0)
