"""Double entry. The only module that moves money.

The two movements of every call are functions of the database: `migrations/sql/0007_ledger.sql`.

What always holds: entries sum to zero; a wallet's balance is the sum of its entries; what is
held is the sum of open holds, and never more than the balance; entries are never changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select, update

from billing.models import (
    Call,
    CallState,
    Entry,
    EntryKind,
    Hold,
    Reservation,
    Wallet,
    WalletKind,
)
from catalog.models import Algorithm, Version
from core.accounts.models import Account, Key
from core.errors import BadInput, InsufficientCredits, NotFound


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Credit to be set aside for one call, in microcredits."""

    call_id: UUID
    wallet_id: UUID
    amount: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """An ended call as it goes into the books: the columns of `call`, and who gets the share.

    `earner` is the wallet of the algorithm's owner. Amounts are microcredits, times milliseconds.
    """

    id: UUID
    account_id: UUID
    algorithm_id: UUID
    version_id: UUID
    earner: UUID
    state: CallState
    created_at: datetime
    parent_id: UUID | None = None
    key_id: UUID | None = None
    error_type: str = ""
    error_message: str = ""
    royalty: int = 0
    compute: int = 0
    author_share: int = 0
    queued_ms: float = 0.0
    started_ms: float = 0.0
    loaded_ms: float = 0.0
    ran_ms: float = 0.0
    duration_ms: float = 0.0


async def open_wallet(session: AsyncSession, account_id: UUID) -> Wallet:
    """Give an account its wallet. Opening twice is opening once."""
    await session.execute(
        insert(Wallet)
        .values(Wallet(kind=WalletKind.ACCOUNT, account_id=account_id).model_dump())
        .on_conflict_do_nothing(index_elements=["account_id"])
    )
    return await wallet_of(session, account_id)


async def wallet_of(session: AsyncSession, account_id: UUID) -> Wallet:
    """Find an account's wallet. Raises NotFound."""
    wallet = await session.scalar(
        select(Wallet)
        .where(Wallet.account_id == account_id)
        .execution_options(populate_existing=True)
    )
    if wallet is None:
        raise NotFound("The account has no wallet.")
    return wallet


async def grant(session: AsyncSession, account_id: UUID, amount: int, note: str) -> None:
    """Give an account credit at the house's expense, in microcredits."""
    if amount <= 0:
        raise BadInput("A grant is above zero.")
    wallet = await wallet_of(session, account_id)
    grants = await session.scalar(select(Wallet.id).where(Wallet.kind == WalletKind.GRANTS))
    if grants is None:
        raise NotFound("The house's own wallets are missing. Run the migrations.")
    transaction_id = uuid4()
    for wallet_id, moved in sorted([(wallet.id, amount), (grants, -amount)]):
        await session.execute(
            update(Wallet)
            .where(col(Wallet.id) == wallet_id)
            .values(balance=col(Wallet.balance) + moved)
        )
        session.add(
            Entry(
                transaction_id=transaction_id, wallet_id=wallet_id, amount=moved,
                kind=EntryKind.GRANT, note=note,
            )
        )  # fmt: skip
    await session.flush()


async def charge_reservation(session: AsyncSession, kept: Reservation) -> bool:
    """Charge an author for a minute in which replicas were kept; tells whether it is paid.

    Charging a minute twice is charging it once. Without the credit nothing is charged.
    """
    wallet = await wallet_of(session, kept.account_id)
    market = await session.scalar(select(Wallet.id).where(Wallet.kind == WalletKind.MARKET))
    if market is None:
        raise NotFound("The house's own wallets are missing. Run the migrations.")
    locked = await session.scalars(
        select(Wallet)
        .where(col(Wallet.id).in_([wallet.id, market]))
        .order_by(col(Wallet.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    by_id = {one.id: one for one in locked}
    payer = by_id[wallet.id]
    entered = await session.scalar(
        select(Reservation.id).where(
            Reservation.version_id == kept.version_id, Reservation.minute == kept.minute
        )
    )
    if entered is not None:
        return True
    if payer.balance - payer.held < kept.amount:
        return False
    session.add(kept)
    for one, moved in ((payer, -kept.amount), (by_id[market], kept.amount)):
        if moved:
            one.balance += moved
            session.add(
                Entry(
                    transaction_id=kept.id, wallet_id=one.id, amount=moved,
                    kind=EntryKind.RESERVATION,
                )
            )  # fmt: skip
    await session.flush()
    return True


_REFERENCES: tuple[tuple[Any, Any], ...] = (
    (Entry.wallet_id, Wallet.id),
    (Hold.wallet_id, Wallet.id),
    (Call.account_id, Account.id),
    (Call.key_id, Key.id),
    (Call.algorithm_id, Algorithm.id),
    (Call.version_id, Version.id),
)
# In the order of the parameters of `settle_calls`.
_COLUMNS = (
    "id", "parent_id", "account_id", "key_id", "algorithm_id", "version_id", "earner", "state",
    "error_type", "error_message", "royalty", "compute", "author_share", "queued_ms",
    "started_ms", "loaded_ms", "ran_ms", "duration_ms", "created_at",
)  # fmt: skip
_columns = attrgetter(*_COLUMNS)
_SETTLE = (
    "SELECT * FROM settle_calls($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
    "$16, $17, $18, $19)"
)


class Ledger:
    """The two movements of every call, each one durable statement, many calls at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, size: int = 3) -> "Ledger":
        """Connect; `url` is the one that the engine is made with."""
        parts = urlsplit(url)
        folder = parse_qs(parts.query).get("host")
        pool = await asyncpg.create_pool(
            host=folder[0] if folder else parts.hostname,
            port=parts.port or 5432,
            user=parts.username,
            password=parts.password,
            database=parts.path.lstrip("/"),
            min_size=1,
            max_size=size,
            # Nothing that we run leaves a state behind, and a reset is a round trip for each.
            reset=_keep,
        )
        return cls(pool)

    async def close(self) -> None:
        """Close the connections; what is under way ends first."""
        await self._pool.close()

    async def hold(self, requests: Sequence[HoldRequest]) -> list[bool]:
        """Set credit aside for calls; tells for each whether its wallet could pay."""
        rows = await self._pool.fetch(
            "SELECT * FROM place_holds($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])",
            [request.call_id for request in requests],
            [request.wallet_id for request in requests],
            [request.amount for request in requests],
            [request.expires_at for request in requests],
        )
        placed = {row[0] for row in rows}
        return [request.call_id in placed for request in requests]

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Charge ended calls and write their records.

        Tells for each whether it was settled now. Settling twice is settling once.
        """
        rows = await self._pool.fetch(_SETTLE, *zip(*map(_columns, settlements), strict=True))
        settled = {row[0] for row in rows}
        return [one.id in settled for one in settlements]


async def _keep(_: object) -> None:
    """Leave a connection as it is."""


async def release_expired(session: AsyncSession) -> int:
    """Give back what was held for calls whose gateway died; tells how many."""
    return int(await session.scalar(text("SELECT release_expired()")) or 0)


def refusal(amount: int, free: int) -> InsufficientCredits:
    """Say why a call can't be paid, in credits, and that it cost nothing."""
    from billing.pricing import credits_text  # noqa: PLC0415

    return InsufficientCredits(
        f"Not enough credits: this call may cost up to {credits_text(amount)} credits and "
        f"{credits_text(max(0, free))} are free. Nothing ran and nothing was charged. "
        "A shorter timeout lowers the most that a call may cost."
    )


async def differences(session: AsyncSession) -> list[str]:
    """Recompute the books from their entries; names every difference, none when all is well."""
    found: list[str] = []
    total = await session.scalar(select(func.coalesce(func.sum(Entry.amount), 0)))
    if total:
        found.append(f"all entries together give {total} microcredits, not zero")
    uneven = await session.execute(
        select(Entry.transaction_id).group_by(col(Entry.transaction_id)).having(
            func.sum(Entry.amount) != 0
        ).limit(10)
    )  # fmt: skip
    found += [f"transaction {row[0]} doesn't sum to zero" for row in uneven]
    found += await _wallet_differences(session)
    found += await _reservation_differences(session)
    found += await _dangling(session)
    return found


async def _dangling(session: AsyncSession) -> list[str]:
    """Name what refers to rows that aren't there, which the database doesn't look up itself."""
    found: list[str] = []
    for column, named in _REFERENCES:
        absent = select(column).where(
            column.is_not(None), ~select(named).where(named == column).exists()
        )
        rows = await session.scalars(absent.distinct().limit(10))
        found += [f"{column} names {one}, which isn't there" for one in rows]
    return found


async def _reservation_differences(session: AsyncSession) -> list[str]:
    """Compare what was charged for each minute of kept replicas with the books."""
    paid: Any = (
        select(col(Entry.transaction_id).label("id"), (-func.sum(Entry.amount)).label("sum"))
        .where(col(Entry.kind) == EntryKind.RESERVATION, col(Entry.amount) < 0)
        .group_by(col(Entry.transaction_id))
        .subquery()
    )
    asked: Any = func.coalesce(Reservation.amount, 0)
    entered: Any = func.coalesce(paid.c.sum, 0)
    which: Any = func.coalesce(Reservation.id, paid.c.id)
    rows = await session.execute(
        select(which, asked, entered)
        .select_from(Reservation)
        .join(paid, paid.c.id == Reservation.id, full=True)
        .where(asked != entered)
        .limit(10)
    )
    return [f"reservation {row[0]}: {row[1]} microcredits, the books say {row[2]}" for row in rows]


async def _wallet_differences(session: AsyncSession) -> list[str]:
    entered: Any = (
        select(col(Entry.wallet_id), func.sum(Entry.amount).label("sum"))
        .group_by(col(Entry.wallet_id))
        .subquery()
    )
    held: Any = (
        select(col(Hold.wallet_id), func.sum(Hold.amount).label("sum"))
        .group_by(col(Hold.wallet_id))
        .subquery()
    )
    balance: Any = func.coalesce(entered.c.sum, 0)
    aside: Any = func.coalesce(held.c.sum, 0)
    columns: Any = (Wallet.id, Wallet.balance, balance, Wallet.held, aside)
    rows = await session.execute(
        select(*columns)
        .select_from(Wallet)
        .outerjoin(entered, entered.c.wallet_id == Wallet.id)
        .outerjoin(held, held.c.wallet_id == Wallet.id)
        .where((col(Wallet.balance) != balance) | (col(Wallet.held) != aside))
    )
    return [
        f"wallet {row[0]}: balance {row[1]}, its entries say {row[2]}; "
        f"held {row[3]}, its holds say {row[4]}"
        for row in rows
    ]
