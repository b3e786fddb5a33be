"""What an account sees of its money: its balance, its spending by day, its calls, its earnings.

All amounts are integers in microcredits. Days are days in UTC; a window of 30 days is today and
the 29 days before, so that a sum and its graph always agree.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Date, Row, Select, and_, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from billing.figures import NEVER, Latency, latencies
from billing.models import Call, CallState, Entry, EntryKind, Wallet
from catalog.models import Algorithm, Version
from core.accounts.models import Account, Key
from core.paging import LAST_PAGE, Page

Selected: TypeAlias = Select[*tuple[Any, ...]]

WINDOW = 30
_ALGORITHMS = 500


@dataclass(frozen=True, slots=True)
class Purse:
    """What an account has, what of it is set aside for calls under way, what it was granted."""

    balance: int = 0
    held: int = 0
    granted: int = 0

    @property
    def free(self) -> int:
        """What a call that begins now may cost at the most."""
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class Day:
    """What one day cost or brought, and with how many calls."""

    on: date
    amount: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call as a list shows it."""

    id: UUID
    parent_id: UUID | None
    at: datetime
    owner: str
    algorithm: str
    number: str
    key_label: str | None
    key_last_four: str | None
    state: CallState
    error_type: str
    duration_ms: float
    royalty: int
    compute: int

    @property
    def total(self) -> int:
        """What the payer gave for it."""
        return self.royalty + self.compute


@dataclass(frozen=True, slots=True)
class Earner:
    """What one algorithm brings its author, and how it runs.

    `calls`, `failed` and the latencies are those of the window; `newest` is its live version.
    """

    owner: str
    algorithm: str
    window: int = 0
    ever: int = 0
    calls: int = 0
    failed: int = 0
    warm: Latency = NEVER
    cold: Latency = NEVER
    newest: UUID | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """One entry of an author's earnings, and the call that it came from."""

    at: datetime
    amount: int
    call_id: UUID
    owner: str
    algorithm: str
    number: str
    royalty: int


async def purse(session: AsyncSession, account_id: UUID) -> Purse:
    """Give an account's money; nothing where it has no wallet yet."""
    wallet = await session.scalar(select(Wallet).where(col(Wallet.account_id) == account_id))
    if wallet is None:
        return Purse()
    granted = await session.scalar(
        select(func.coalesce(func.sum(Entry.amount), 0)).where(
            col(Entry.wallet_id) == wallet.id, col(Entry.kind) == EntryKind.GRANT
        )
    )
    return Purse(wallet.balance, wallet.held, int(granted or 0))


async def spending(session: AsyncSession, account_id: UUID, today: date) -> tuple[Day, ...]:
    """Tell what each day of the window cost, the oldest first, days without calls among them."""
    on = _day(Call.created_at)
    rows = await session.execute(
        select(on, func.sum(col(Call.royalty) + col(Call.compute)), func.count())
        .where(col(Call.account_id) == account_id, col(Call.created_at) >= _start(today))
        .group_by(on)
    )
    return _filled(rows.all(), today)


async def usage(session: AsyncSession, account_id: UUID, page: Page) -> tuple[list[CallLine], int]:
    """List one page of the calls that an account paid for, the newest first, and count them."""
    rows = await session.execute(
        _newest(call_lines().where(col(Call.account_id) == account_id))
        .limit(page.size)
        .offset(page.offset)
    )
    counted = select(col(Call.id)).where(col(Call.account_id) == account_id)
    return [call_line(row) for row in rows], await _count(session, counted, page)


async def usage_before(
    session: AsyncSession, account_id: UUID, last: CallLine | None, size: int
) -> list[CallLine]:
    """List the `size` calls that came before `last`, or the newest: for an export in parts."""
    wanted = call_lines().where(col(Call.account_id) == account_id)
    if last is not None:
        wanted = wanted.where(tuple_(col(Call.created_at), col(Call.id)) < tuple_(last.at, last.id))
    return [call_line(row) for row in await session.execute(_newest(wanted).limit(size))]


async def earning(session: AsyncSession, account_id: UUID, today: date) -> tuple[Day, ...]:
    """Tell what each day of the window brought an author, the oldest first."""
    on = _day(Entry.created_at)
    rows = await session.execute(
        select(on, func.sum(Entry.amount), func.count())
        .where(_shares_of(account_id), col(Entry.created_at) >= _start(today))
        .group_by(on)
    )
    return _filled(rows.all(), today)


async def earned(session: AsyncSession, account_id: UUID) -> int:
    """Tell what an author's algorithms have brought since the beginning."""
    total = func.coalesce(func.sum(Entry.amount), 0)
    return int(await session.scalar(select(total).where(_shares_of(account_id))) or 0)


async def earners(session: AsyncSession, account_id: UUID, today: date) -> list[Earner]:
    """List an author's algorithms by what they brought in the window."""
    start = _start(today)
    recent = col(Entry.created_at) >= start
    brought = (
        select(
            col(Call.algorithm_id),
            func.coalesce(func.sum(Entry.amount).filter(recent), 0).label("window"),
            func.sum(Entry.amount).label("ever"),
        )
        .join(Entry, col(Entry.call_id) == col(Call.id))
        .where(_shares_of(account_id))
        .group_by(col(Call.algorithm_id))
        .subquery()
    )
    called = (
        select(
            col(Call.algorithm_id),
            func.count().label("calls"),
            func.count().filter(col(Call.state) == CallState.FAILED).label("failed"),
            *(one.label(f"latency_{n}") for n, one in enumerate(latencies())),
        )
        .join(Algorithm, col(Algorithm.id) == col(Call.algorithm_id))
        .where(col(Algorithm.owner_id) == account_id, col(Call.created_at) >= start)
        .group_by(col(Call.algorithm_id))
        .subquery()
    )
    window = func.coalesce(brought.c.window, 0)
    ever = func.coalesce(brought.c.ever, 0)
    rows = await session.execute(
        select(
            col(Account.name), col(Algorithm.name), window, ever,
            func.coalesce(called.c.calls, 0), func.coalesce(called.c.failed, 0),
            *(func.coalesce(called.c[f"latency_{n}"], 0) for n in range(len(latencies()))),
            col(Algorithm.live_version_id),
        )
        .select_from(Algorithm)
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .outerjoin(brought, brought.c.algorithm_id == col(Algorithm.id))
        .outerjoin(called, called.c.algorithm_id == col(Algorithm.id))
        .where(col(Algorithm.owner_id) == account_id)
        .order_by(window.desc(), ever.desc(), col(Algorithm.name_key))
        .limit(_ALGORITHMS)
    )  # fmt: skip
    return [
        Earner(
            row[0], row[1], int(row[2]), int(row[3]), int(row[4]), int(row[5]),
            Latency(row[6], row[7]), Latency(row[8], row[9]), row[10],
        )
        for row in rows
    ]  # fmt: skip


async def shares(session: AsyncSession, account_id: UUID, page: Page) -> tuple[list[Share], int]:
    """List one page of an author's earnings, the newest first, and count them."""
    rows = await session.execute(
        select(
            col(Entry.created_at), col(Entry.amount), col(Call.id), col(Call.royalty),
            col(Account.name), col(Algorithm.name), Version,
        )
        .join(Call, col(Call.id) == col(Entry.call_id))
        .join(Version, col(Version.id) == col(Call.version_id))
        .join(Algorithm, col(Algorithm.id) == col(Call.algorithm_id))
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .where(_shares_of(account_id))
        .order_by(col(Entry.id).desc())
        .limit(page.size)
        .offset(page.offset)
    )  # fmt: skip
    found = [
        Share(at, amount, call_id, owner, algorithm, version.number, royalty)
        for at, amount, call_id, royalty, owner, algorithm, version in rows
    ]
    counted = select(col(Entry.id)).where(_shares_of(account_id))
    return found, await _count(session, counted, page)


def call_lines() -> Selected:
    """Select what `call_line` reads; the caller says of which calls."""
    return (
        select(Call, col(Account.name), col(Algorithm.name), Version, Key)
        .join(Algorithm, col(Algorithm.id) == col(Call.algorithm_id))
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .join(Version, col(Version.id) == col(Call.version_id))
        .outerjoin(Key, col(Key.id) == col(Call.key_id))
    )


def call_line(row: Row[*tuple[Any, ...]]) -> CallLine:
    """Read one row of `call_lines`."""
    call, owner, algorithm, version, key = row
    return CallLine(
        id=call.id,
        parent_id=call.parent_id,
        at=call.created_at,
        owner=owner,
        algorithm=algorithm,
        number=version.number,
        key_label=key.label if key else None,
        key_last_four=key.last_four if key else None,
        state=call.state,
        error_type=call.error_type,
        duration_ms=call.duration_ms,
        royalty=call.royalty,
        compute=call.compute,
    )


def _newest(wanted: Selected) -> Selected:
    return wanted.order_by(col(Call.created_at).desc(), col(Call.id).desc())


async def _count(session: AsyncSession, wanted: Selected, page: Page) -> int:
    """Count no further than the last page that can be asked for."""
    some = wanted.limit(LAST_PAGE * page.size).subquery()
    return int(await session.scalar(select(func.count()).select_from(some)) or 0)


def _shares_of(account_id: UUID) -> Any:  # noqa: ANN401 - a condition
    wallet = select(col(Wallet.id)).where(col(Wallet.account_id) == account_id).scalar_subquery()
    return and_(col(Entry.wallet_id) == wallet, col(Entry.kind) == EntryKind.SHARE)


def _day(moment: Any) -> Any:  # noqa: ANN401 - a column
    return cast(func.timezone("UTC", moment), Date)


def _start(today: date) -> datetime:
    return datetime.combine(today - timedelta(days=WINDOW - 1), time(), UTC)


def _filled(rows: Any, today: date) -> tuple[Day, ...]:  # noqa: ANN401 - rows of three columns
    known = {on: Day(on, int(amount), int(calls)) for on, amount, calls in rows}
    days = (today - timedelta(days=back) for back in reversed(range(WINDOW)))
    return tuple(known.get(on, Day(on)) for on in days)
