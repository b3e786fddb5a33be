"""What replicas that an author keeps have cost: by day and version, down to each minute."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from billing.models import Reservation
from catalog.models import Algorithm, Version
from core.accounts.models import Account
from core.errors import NotFound
from core.paging import LAST_PAGE, Page

_DAY: Any = cast(func.timezone("UTC", col(Reservation.minute)), Date)


@dataclass(frozen=True, slots=True)
class KeptDay:
    """One day of one version: for how many minutes replicas were kept, and what that cost."""

    on: date
    version_id: UUID
    owner: str
    algorithm: str
    number: str
    minutes: int
    most: int
    amount: int


@dataclass(frozen=True, slots=True)
class KeptMinute:
    """One minute. `id` is also that of its transaction in the books."""

    id: UUID
    minute: datetime
    replicas: int
    amount: int


async def kept_since(session: AsyncSession, account_id: UUID, since: datetime) -> int:
    """Tell what an account's kept replicas have cost since a moment, in microcredits."""
    total = await session.scalar(
        select(func.sum(col(Reservation.amount))).where(
            col(Reservation.account_id) == account_id, col(Reservation.minute) >= since
        )
    )
    return int(total or 0)


async def kept_days(
    session: AsyncSession, account_id: UUID, page: Page
) -> tuple[list[KeptDay], int]:
    """List one page of days and versions, the newest first, and count them."""
    days = (
        select(
            _DAY.label("day"),
            col(Reservation.version_id),
            func.count().label("minutes"),
            func.max(col(Reservation.replicas)).label("most"),
            func.sum(col(Reservation.amount)).label("amount"),
        )
        .where(col(Reservation.account_id) == account_id)
        .group_by("day", col(Reservation.version_id))
        .subquery()
    )
    rows = await session.execute(
        select(days, col(Account.name), col(Algorithm.name), Version)
        .join(Version, col(Version.id) == days.c.version_id)
        .join(Algorithm, col(Algorithm.id) == col(Version.algorithm_id))
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .order_by(days.c.day.desc(), days.c.amount.desc(), days.c.version_id)
        .limit(page.size)
        .offset(page.offset)
    )
    found = [
        KeptDay(on, version_id, owner, algorithm, version.number, minutes, most, int(amount))
        for on, version_id, minutes, most, amount, owner, algorithm, version in rows
    ]
    some = select(days.c.day).limit(LAST_PAGE * page.size).subquery()
    return found, int(await session.scalar(select(func.count()).select_from(some)) or 0)


async def kept_minutes(
    session: AsyncSession, account_id: UUID, version_id: UUID, on: date, page: Page
) -> tuple[KeptDay, list[KeptMinute]]:
    """Give one day of one version, and one page of its minutes, the newest first.

    Raises NotFound where the account paid for none.
    """
    began = datetime.combine(on, time(), UTC)
    mine: Any = (
        (col(Reservation.account_id) == account_id)
        & (col(Reservation.version_id) == version_id)
        & (col(Reservation.minute) >= began)
        & (col(Reservation.minute) < began + timedelta(days=1))
    )
    counted = await session.execute(
        select(
            func.count(),
            func.coalesce(func.max(col(Reservation.replicas)), 0),
            func.coalesce(func.sum(col(Reservation.amount)), 0),
        ).where(mine)
    )
    minutes, most, amount = counted.one()
    if not minutes:
        raise NotFound("No replicas were kept for you on that day.")
    named = await session.execute(
        select(col(Account.name), col(Algorithm.name), Version)
        .join(Algorithm, col(Algorithm.id) == col(Version.algorithm_id))
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .where(col(Version.id) == version_id)
    )
    owner, algorithm, version = named.one()
    rows = await session.scalars(
        select(Reservation)
        .where(mine)
        .order_by(col(Reservation.minute).desc())
        .limit(page.size)
        .offset(page.offset)
    )
    day = KeptDay(on, version_id, owner, algorithm, version.number, minutes, most, int(amount))
    return day, [KeptMinute(one.id, one.minute, one.replicas, one.amount) for one in rows]
