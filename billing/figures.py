"""Figures that pages show: what is called how often, how fast, and what an account has.

Everything here only reads. Rates come with their n, because a rate without one says nothing.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from billing.models import Call, Wallet


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
