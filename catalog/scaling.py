"""How many replicas a version gets: its author's settings, which may change at any time."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, update

from catalog.models import Algorithm, ReservationEnd, Version, VersionState
from core.accounts.actor import Actor
from core.errors import BadInput, Conflict, NotFound
from core.hardware import PROFILES

TARGET_ONGOING = range(1, 101)
# 0 keeps a version in the pool.
MAX_REPLICAS = range(101)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many replicas are kept, the most there are, and how many calls at once one is for."""

    min_replicas: int = 0
    max_replicas: int = 4
    target_ongoing: int = 4

    def check(self, hardware: str) -> None:
        """Raise BadInput where these can't be, on this hardware."""
        for name, value, among in (
            ("max_replicas", self.max_replicas, MAX_REPLICAS),
            ("target_ongoing", self.target_ongoing, TARGET_ONGOING),
        ):
            if value not in among:
                raise BadInput(f"{name} is a number from {among[0]} to {among[-1]}.")
        if not 0 <= self.min_replicas <= self.max_replicas:
            raise BadInput(
                f"min_replicas is a number from 0 to max_replicas, which is {self.max_replicas}."
            )
        if self.max_replicas == 0 and not PROFILES[hardware].is_pooled:
            raise BadInput(
                f"max_replicas is 0, which keeps a version in the pool; on {hardware} it has "
                "replicas of its own alone, so give 1 or more."
            )


async def set_scaling(
    session: AsyncSession, actor: Actor, version_id: UUID, scaling: Scaling
) -> Version:
    """Change how the newest version of an algorithm of the actor's own is scaled.

    Raises NotFound to everybody else, BadInput for what can't be, Conflict where the version
    is not the newest any more.
    """
    version = await session.get(Version, version_id, with_for_update=True)
    algorithm = await session.get(Algorithm, version.algorithm_id) if version else None
    if version is None or algorithm is None or not actor.owns(algorithm.owner_id):
        raise NotFound("There is no such version.")
    scaling.check(version.hardware)
    if version.id != algorithm.live_version_id:
        raise Conflict(f"{version.number} is not the newest version any more. Nothing changed.")
    version.min_replicas = scaling.min_replicas
    version.max_replicas = scaling.max_replicas
    version.target_ongoing = scaling.target_ongoing
    version.reservation_end = ReservationEnd.NONE
    return version


async def end_reservation(session: AsyncSession, version_id: UUID, why: ReservationEnd) -> None:
    """Keep replicas for a version no longer. Ending it twice is ending it once."""
    await session.execute(
        update(Version)
        .where(
            col(Version.id) == version_id,
            col(Version.state) == VersionState.LIVE,
            col(Version.min_replicas) > 0,
        )
        .values(min_replicas=0, reservation_end=why)
    )
