"""The one writer to Ray Serve: what the database wishes, what Serve has, and the difference.

One worker at a time does it, whichever holds a lock of the database. Steps may be repeated,
and one that fails keeps no other from being taken.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select

from catalog.models import Version, VersionState
from catalog.queries import lightly
from core.clock import now
from core.db import Sessions
from core.hardware import PROFILES, Profile
from execution.applications import POOL, Applications, Found, Wish, own_application, version_of
from execution.hardware import offers_of, write_offers
from execution.models import Application
from execution.reservations import Meter, charge, standing
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
        hardware: Sequence[Profile] = tuple(PROFILES.values()),
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = now,
    ) -> None:
        """`hardware` is what the operator offers."""
        self._sessions = sessions
        self._applications = applications
        self._hardware = hardware
        self._clock = clock
        self._wall = wall
        self._scales: dict[UUID, Scale] = {}
        self._kept: Mapping[UUID, int] = {}
        self._meter = Meter()

    async def tick(self) -> None:
        """Look, decide, and take the steps; does nothing where another worker is at it."""
        async with self._sessions.begin() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                self._scales.clear()
                return
            wanted = await self._decide(session, await self._applications.loads())
        # The lock is free by now, but every step may be taken twice without harm.
        found = await self._applications.found()
        wishes = {POOL: await self._applications.pool(), **wanted}
        await asyncio.gather(*(self._take(one) for one in plan(wishes, found)))
        running = {
            version_id: there.running
            for name, there in found.items()
            if (version_id := version_of(name)) is not None
        }
        await self._note(running)
        await self._charge(running)
        await self.offer()

    async def offer(self) -> None:
        """Write what hardware can be had, and at which rate."""
        offers = offers_of(self._hardware, await self._applications.nodes())
        async with self._sessions.begin() as session:
            await write_offers(session, offers)

    async def _decide(self, session: AsyncSession, loads: Mapping[str, float]) -> dict[str, Wish]:
        """Step every version that is called, kept or has replicas, and write the wishes."""
        rows = (await session.scalars(select(Application))).all()
        own = {row.version_id: row for row in rows}
        called = {UUID(version_id) for version_id in loads}
        self._kept = await standing(session)
        versions = await session.scalars(
            select(Version)
            .where(
                col(Version.id).in_(called | own.keys() | self._kept.keys()),
                Version.state == VersionState.LIVE,
            )
            .options(*lightly())
        )
        moment = self._clock()
        scales: dict[UUID, Scale] = {}
        wishes: dict[str, Wish] = {}
        for version in versions:
            row = own.get(version.id)
            before = self._scales.get(version.id) or Scale()
            if row is not None and before.replicas != row.replicas:
                before = Scale(replicas=row.replicas)
            profile = PROFILES[version.hardware]
            rule = Rule(
                version.target_ongoing,
                version.max_replicas,
                self._kept.get(version.id, 0),
                pooled=profile.is_pooled,
            )
            scales[version.id] = after = step(before, rule, loads.get(str(version.id), 0.0), moment)
            if after.replicas:
                wish = self._applications.wish(after.replicas, profile)
                wishes[own_application(version.id)] = wish
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
        return wishes

    async def _take(self, one: Step) -> None:
        try:
            if isinstance(one, Deploy):
                await self._applications.deploy(one.name, one.wish)
            else:
                await self._applications.remove(one.name)
        except Exception:
            log.exception("a step of the cluster failed", application=one.name)

    async def _note(self, running: Mapping[UUID, int]) -> None:
        """Write how many replicas really run, for pages to show."""
        async with self._sessions.begin() as session:
            for row in await session.scalars(select(Application).with_for_update()):
                row.running = running.get(row.version_id, 0)

    async def _charge(self, running: Mapping[UUID, int]) -> None:
        """Charge for the replicas that were kept and ran; one that fails keeps no other back."""
        kept = {one: min(n, running.get(one, 0)) for one, n in self._kept.items()}
        for minute in self._meter.see(kept, self._wall()):
            try:
                await charge(self._sessions, minute)
            except Exception:
                log.exception("a reservation was not charged", version=str(minute.version_id))
