"""Calls as the ledger writes them, at any moment of the past; for tests of what is read back."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import col, select, update

from billing.ledger import wallet_of
from billing.models import Call, CallState, Entry, EntryKind, Wallet, WalletKind
from billing.pricing import FREE, Charge
from catalog.models import Algorithm, Version
from core.clock import now
from core.db import Sessions


async def book(
    sessions: Sessions,
    payer_id: UUID,
    algorithm: Algorithm,
    version: Version,
    *,
    royalty: int = 0,
    compute: int = 0,
    error: tuple[str, str] | None = None,
    at: datetime | None = None,
    parent_id: UUID | None = None,
    key_id: UUID | None = None,
) -> UUID:
    """Write one ended call with its lines in the books; gives its id."""
    cost = FREE if error else Charge(royalty, compute)
    moment = at or now()
    call = Call(
        id=uuid4(), parent_id=parent_id, account_id=payer_id, key_id=key_id,
        algorithm_id=algorithm.id, version_id=version.id,
        state=CallState.FAILED if error else CallState.SUCCEEDED,
        error_type=error[0] if error else "", error_message=error[1] if error else "",
        royalty=cost.royalty, compute=cost.compute, author_share=cost.author_share,
        queued_ms=0.4, started_ms=31.0, loaded_ms=220.5, ran_ms=48.2, duration_ms=302.6,
        created_at=moment,
    )  # fmt: skip
    async with sessions.begin() as session:
        payer = await wallet_of(session, payer_id)
        author = await wallet_of(session, algorithm.owner_id)
        market = await session.scalar(select(Wallet).where(Wallet.kind == WalletKind.MARKET))
        assert market is not None
        session.add(call)
        await session.flush()
        for wallet_id, amount, kind in (
            (payer.id, -cost.royalty, EntryKind.ROYALTY),
            (payer.id, -cost.compute, EntryKind.COMPUTE),
            (author.id, cost.author_share, EntryKind.SHARE),
            (market.id, cost.market_cut, EntryKind.CUT),
            (market.id, cost.compute, EntryKind.COMPUTE),
        ):
            if not amount:
                continue
            session.add(
                Entry(
                    transaction_id=call.id, wallet_id=wallet_id, amount=amount, kind=kind,
                    call_id=call.id, created_at=moment,
                )
            )  # fmt: skip
            await session.flush()
            await session.execute(
                update(Wallet)
                .where(col(Wallet.id) == wallet_id)
                .values(balance=col(Wallet.balance) + amount)
            )
    return call.id
