"""Where a version runs at the moment: in the pool, or in replicas of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from execution.models import Application


@dataclass(frozen=True, slots=True)
class Standing:
    """How many replicas of its own a version is to have, and how many of them run."""

    wanted: int = 0
    running: int = 0


async def standings(session: AsyncSession, version_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Tell of each version that has replicas of its own, or is to have some."""
    rows = await session.scalars(
        select(Application).where(col(Application.version_id).in_(list(version_ids)))
    )
    return {row.version_id: Standing(row.replicas, row.running) for row in rows}
