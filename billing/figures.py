"""Figures that pages show: what is called how often, how fast, and what an account has.

Everything here only reads. Rates come with their n, because a rate without one says nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_
from sqlalchemy import select as columns
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from billing.models import Call, CallState, Wallet
from core.clock import now

WINDOW = timedelta(days=30)
# Below this many, a rate or a middle is chance.
TELLING = 20


async def wallet_balance(session: AsyncSession, account_id: UUID) -> int:
    """Tell what an account has for new calls, in microcredits: nothing that is held counts."""
    free = await session.scalar(
        select(col(Wallet.balance) - col(Wallet.held)).where(Wallet.account_id == account_id)
    )
    return free or 0


async def spent_since(session: AsyncSession, account_id: UUID, since: datetime) -> int:
    """Tell what an account's calls have cost since a moment, in microcredits."""
    spent = await session.scalar(
        select(func.sum(col(Call.royalty) + col(Call.compute))).where(
            Call.account_id == account_id, Call.created_at >= since
        )
    )
    return int(spent or 0)


@dataclass(frozen=True, slots=True)
class Latency:
    """The middle of what `count` calls took, in milliseconds."""

    count: int
    p50_ms: float

    @property
    def is_telling(self) -> bool:
        """Whether there are enough calls to say anything."""
        return self.count >= TELLING


NEVER = Latency(0, 0.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """How an algorithm was called in the last 30 days.

    `warm` and `cold` are the times of calls that succeeded, apart by whether a worker had to be
    started first.
    """

    calls: int
    succeeded: int
    warm: Latency
    cold: Latency
    last_succeeded_at: datetime | None

    @property
    def is_telling(self) -> bool:
        """Whether there are enough calls to give a rate."""
        return self.calls >= TELLING

    @property
    def success(self) -> float:
        """The share of calls that succeeded."""
        return self.succeeded / self.calls if self.calls else 0.0


def latencies() -> list[Any]:
    """Give what is selected of calls for two latencies: warm n and middle, cold n and middle."""
    succeeded = col(Call.state) == CallState.SUCCEEDED
    cold = and_(succeeded, col(Call.started_ms) > 0)
    warm = and_(succeeded, col(Call.started_ms) == 0)
    middle = func.percentile_cont(0.5).within_group(col(Call.duration_ms))
    return [
        func.count().filter(warm), middle.filter(warm),
        func.count().filter(cold), middle.filter(cold),
    ]  # fmt: skip


async def figures_of(session: AsyncSession, algorithm_id: UUID) -> Figures:
    """Count an algorithm's calls of the last 30 days."""
    succeeded = col(Call.state) == CallState.SUCCEEDED
    counted: list[Any] = [
        func.count(),
        func.count().filter(succeeded),
        *latencies(),
        func.max(col(Call.created_at)).filter(succeeded),
    ]
    row = await session.execute(
        columns(*counted).where(
            col(Call.algorithm_id) == algorithm_id, col(Call.created_at) > now() - WINDOW
        )
    )
    calls, good, warm_n, warm_ms, cold_n, cold_ms, last = row.one()
    return Figures(
        calls, good, Latency(warm_n, warm_ms or 0.0), Latency(cold_n, cold_ms or 0.0), last
    )


async def calls_by_algorithm(session: AsyncSession) -> dict[UUID, int]:
    """Count the calls of the last 30 days of every algorithm that had any."""
    rows = await session.execute(
        select(Call.algorithm_id, func.count())
        .where(Call.created_at > now() - WINDOW)
        .group_by(col(Call.algorithm_id))
    )
    return dict(iter(rows))


async def most_called(session: AsyncSession, limit: int) -> dict[UUID, int]:
    """Give the most called algorithms of the last 30 days with their calls, the most first."""
    rows = await session.execute(
        select(Call.algorithm_id, func.count().label("calls"))
        .where(Call.created_at > now() - WINDOW)
        .group_by(col(Call.algorithm_id))
        .order_by(func.count().desc(), col(Call.algorithm_id))
        .limit(limit)
    )
    return dict(iter(rows))
