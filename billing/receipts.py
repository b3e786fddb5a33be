"""One call, down to every line of the books: what its payer sees of it, and what its author may.

The author of an algorithm learns that it was called, how that went and what it brought; not by
whom, from within which other call, nor what an error said: its words may quote the input, and a
sandbox without a network must not find a way out through its own error messages.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from billing.models import Call, Entry, EntryKind, Wallet, WalletKind
from billing.statements import CallLine, call_line, call_lines
from catalog.models import Algorithm
from core.accounts.actor import Actor
from core.accounts.models import Account
from core.errors import NotFound

MOST_NESTED = 200
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Phases:
    """Where a call's time went, in milliseconds."""

    queued: float
    started: float
    loaded: float
    ran: float
    duration: float

    @property
    def between(self) -> float:
        """What is left: the way there and back, and the books."""
        return max(0.0, self.duration - self.queued - self.started - self.loaded - self.ran)


@dataclass(frozen=True, slots=True)
class BookLine:
    """One line of the books. `owner` is whose wallet it is; None is the marketplace's."""

    owner: str | None
    is_own: bool
    kind: EntryKind
    amount: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A call within a call, `depth` steps below; `subtotal` has what it called itself in it."""

    line: CallLine
    depth: int
    subtotal: int


@dataclass(frozen=True, slots=True)
class Nested:
    """All that a call caused below itself, how many and at what cost; the first ones by name."""

    branches: tuple[Branch, ...] = ()
    count: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """One call as one reader may see it. `is_payer` and `is_author` may both be true."""

    line: CallLine
    is_payer: bool
    is_author: bool
    phases: Phases
    author_share: int
    error_message: str
    lines: tuple[BookLine, ...]
    nested: Nested


async def receipt(session: AsyncSession, actor: Actor, call_id: UUID) -> Receipt:
    """Give a call to its payer or its algorithm's author. Raises NotFound for anybody else."""
    found = await session.execute(call_lines().where(col(Call.id) == call_id))
    row = found.first()
    call: Call | None = row[0] if row else None
    owner_id = await session.scalar(
        select(col(Algorithm.owner_id)).where(col(Algorithm.id) == call.algorithm_id)
    ) if call else None  # fmt: skip
    is_payer = call is not None and actor.owns(call.account_id)
    is_author = owner_id is not None and actor.owns(owner_id)
    if row is None or call is None or not (is_payer or is_author):
        raise NotFound("There is no such call among yours.")
    line = call_line(row)
    return Receipt(
        line=line
        if is_payer
        else replace(line, parent_id=None, key_label=None, key_last_four=None),
        is_payer=is_payer,
        is_author=is_author,
        phases=Phases(
            call.queued_ms, call.started_ms, call.loaded_ms, call.ran_ms, call.duration_ms
        ),
        author_share=call.author_share,
        error_message=call.error_message if is_payer else "",
        lines=await _lines(session, actor, call_id, whole=is_payer),
        nested=await _nested(session, call) if is_payer else Nested(),
    )


async def _lines(
    session: AsyncSession, actor: Actor, call_id: UUID, *, whole: bool
) -> tuple[BookLine, ...]:
    """List what the call moved; without `whole`, in the actor's own wallet alone."""
    wanted = (
        select(Entry, Wallet, col(Account.name))
        .join(Wallet, col(Wallet.id) == col(Entry.wallet_id))
        .outerjoin(Account, col(Account.id) == col(Wallet.account_id))
        .where(col(Entry.transaction_id) == call_id)
        .order_by(col(Entry.id))
    )
    if not whole:
        wanted = wanted.where(col(Wallet.account_id) == actor.account_id)
    return tuple(
        BookLine(
            owner=name if wallet.kind is WalletKind.ACCOUNT else None,
            is_own=wallet.account_id is not None and actor.owns(wallet.account_id),
            kind=entry.kind,
            amount=entry.amount,
        )
        for entry, wallet, name in await session.execute(wanted)
    )


async def _nested(session: AsyncSession, call: Call) -> Nested:
    below = (
        select(col(Call.id), literal(1).label("depth"))
        .where(col(Call.parent_id) == call.id, col(Call.account_id) == call.account_id)
        .cte("below", recursive=True)
    )
    below = below.union_all(
        select(col(Call.id), below.c.depth + 1)
        .join(below, col(Call.parent_id) == below.c.id)
        .where(col(Call.account_id) == call.account_id, below.c.depth < _DEEPEST)
    )
    counted = await session.execute(
        select(func.count(), func.coalesce(func.sum(col(Call.royalty) + col(Call.compute)), 0))
        .select_from(Call)
        .join(below, below.c.id == col(Call.id))
    )
    count, total = counted.one()
    if count == 0:
        return Nested()
    # The upper ones first, so that no one that is shown lacks the one that it hangs on.
    rows = await session.execute(
        call_lines()
        .join(below, below.c.id == col(Call.id))
        .order_by(below.c.depth, col(Call.created_at), col(Call.id))
        .limit(MOST_NESTED)
    )
    return Nested(_tree([call_line(row) for row in rows], call.id), int(count), int(total))


def _tree(lines: Sequence[CallLine], root: UUID) -> tuple[Branch, ...]:
    """Put each call below the one that made it, in the order in which they ended."""
    under: dict[UUID | None, list[CallLine]] = defaultdict(list)
    for line in lines:
        under[line.parent_id].append(line)

    def grown(line: CallLine, depth: int) -> list[Branch]:
        below = [branch for child in under[line.id] for branch in grown(child, depth + 1)]
        subtotal = line.total + sum(branch.line.total for branch in below)
        return [Branch(line, depth, subtotal), *below]

    return tuple(branch for line in under[root] for branch in grown(line, 1))
