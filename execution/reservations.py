"""Replicas that are kept for an author: for which versions, for how long, and who paid.

A minute is charged when it has ended, if the worker saw the replicas running all through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from billing import ledger, pricing
from billing.models import Reservation, Wallet
from billing.pricing import credits_text
from catalog.models import Algorithm, ReservationEnd, Version, VersionState
from catalog.scaling import Scaling, end_reservation, set_scaling
from core.accounts.actor import Actor
from core.db import Sessions
from core.errors import InsufficientCredits

log = structlog.get_logger()

# Looks that are further apart than this have seen nothing of what was between them.
_GAP = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Kept:
    """Replicas that ran for a whole minute, which began at `minute`."""

    version_id: UUID
    minute: datetime
    replicas: int


class Meter:
    """Finds the whole minutes in which replicas ran, by looking again and again. Pure.

    What wasn't watched isn't charged: the time before the first look, and whatever lies in a
    minute with a gap between looks. Of a minute the fewest replicas count that were seen in it.
    """

    def __init__(self) -> None:
        self._seen_at: datetime | None = None
        self._minute: datetime | None = None
        self._watched = False
        self._least: dict[UUID, int] = {}

    def see(self, running: Mapping[UUID, int], at: datetime) -> list[Kept]:
        """Take a look; gives what was kept in the minute that has ended since the last one."""
        minute = at.replace(second=0, microsecond=0)
        close = self._seen_at is not None and timedelta() <= at - self._seen_at <= _GAP
        self._seen_at = at
        if minute == self._minute:
            self._watched = self._watched and close
            self._least = {one: min(n, running.get(one, 0)) for one, n in self._least.items()}
            return []
        ended = [
            Kept(version_id, self._minute, replicas)
            for version_id, replicas in self._least.items()
            if self._minute is not None and self._watched and close and replicas > 0
        ]
        self._minute, self._watched, self._least = minute, close, dict(running)
        return ended


async def standing(session: AsyncSession) -> dict[UUID, int]:
    """Give how many replicas are to be kept of each version, and end what can't be paid for.

    Only the newest version of an algorithm keeps any.
    """
    chosen: list[Any] = [
        Version.id, Version.min_replicas, Version.compute_rate, Algorithm.live_version_id,
        col(Wallet.balance) - col(Wallet.held),
    ]  # fmt: skip
    rows = await session.execute(
        select(*chosen)
        .join(Algorithm, col(Algorithm.id) == col(Version.algorithm_id))
        .join(Wallet, col(Wallet.account_id) == col(Algorithm.owner_id))
        .where(col(Version.min_replicas) > 0, col(Version.state) == VersionState.LIVE)
    )
    found: dict[UUID, int] = {}
    for version_id, replicas, rate, newest, free in rows:
        if newest != version_id:
            await end_reservation(session, version_id, ReservationEnd.REPLACED)
        elif free < pricing.reserved(rate=rate, replicas=replicas):
            log.info("a reservation ended unpaid", version=str(version_id))
            await end_reservation(session, version_id, ReservationEnd.UNPAID)
        else:
            found[version_id] = replicas
    return found


async def charge(sessions: Sessions, kept: Kept) -> None:
    """Charge the author for one minute, or end the reservation where they can't pay."""
    async with sessions.begin() as session:
        version = await session.get_one(Version, kept.version_id)
        algorithm = await session.get_one(Algorithm, version.algorithm_id)
        paid = await ledger.charge_reservation(
            session,
            Reservation(
                version_id=version.id,
                account_id=algorithm.owner_id,
                minute=kept.minute,
                replicas=kept.replicas,
                amount=pricing.reserved(rate=version.compute_rate, replicas=kept.replicas),
            ),
        )
        if not paid:
            log.info("a reservation ended unpaid", version=str(version.id))
            await end_reservation(session, version.id, ReservationEnd.UNPAID)


async def change(
    session: AsyncSession, actor: Actor, version_id: UUID, scaling: Scaling
) -> Version:
    """Set a version's scaling; see `set_scaling`. An hour of what is to be kept must be there.

    Raises InsufficientCredits beside what that raises.
    """
    version = await set_scaling(session, actor, version_id, scaling)
    hour = pricing.reserved(rate=version.compute_rate, replicas=scaling.min_replicas, minutes=60)
    wallet = await ledger.wallet_of(session, actor.account_id) if actor.account_id else None
    free = wallet.balance - wallet.held if wallet else 0
    if scaling.min_replicas and free < hour:
        raise InsufficientCredits(
            f"Keeping {scaling.min_replicas} at all times costs {credits_text(hour)} credits an "
            f"hour, and {credits_text(max(0, free))} are free. Nothing changed and nothing was "
            "charged."
        )
    return version
