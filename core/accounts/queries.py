"""Reads of accounts, sessions and keys."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select, update

from core.accounts import keys
from core.accounts.actor import Actor
from core.accounts.models import Account, Key, Session
from core.accounts.service import IDLE_LASTS
from core.clock import now
from core.errors import NotFound


async def account_named(session: AsyncSession, name: str) -> Account:
    """Find an account by its name in any case. Raises NotFound."""
    account = None
    if "\0" not in name:  # which the database refuses to look for
        account = await session.scalar(select(Account).where(Account.name_key == name.lower()))
    if account is None:
        raise NotFound(f"There is no account named {name!r}.")
    return account


async def actor_of_session(session: AsyncSession, token: str) -> Actor | None:
    """Tell who a browser's cookie stands for; None where it ended or never was."""
    moment = now()
    found = await session.execute(
        select(Account, Session)
        .join(Session, col(Session.account_id) == col(Account.id))
        .where(
            Session.token_hash == keys.digest(token),
            Session.expires_at > moment,
            Session.seen_at > moment - IDLE_LASTS,
        )
    )
    row = found.first()
    if row is None:
        return None
    account, opened = row
    # Written once a minute at most: a page has many requests.
    if (moment - opened.seen_at).total_seconds() > 60:  # noqa: PLR2004
        await session.execute(
            update(Session)
            .where(col(Session.token_hash) == opened.token_hash)
            .values(seen_at=moment)
        )
    return Actor(account_id=account.id, name=account.name, is_admin=account.is_admin)


async def actor_of_key(session: AsyncSession, digest: str) -> Actor | None:
    """Tell who a key's digest stands for; None where it was revoked or never was."""
    found = await session.execute(
        select(Account, Key.id)
        .join(Key, col(Key.account_id) == col(Account.id))
        .where(Key.digest == digest, col(Key.revoked_at).is_(None))
    )
    row = found.first()
    if row is None:
        return None
    account, key_id = row
    return Actor(account_id=account.id, name=account.name, is_admin=account.is_admin, key_id=key_id)


async def keys_of(session: AsyncSession, account_id: UUID) -> list[Key]:
    """List an account's keys, the living ones first, the newest first."""
    rows = await session.scalars(
        select(Key)
        .where(Key.account_id == account_id)
        .order_by(col(Key.revoked_at).is_not(None), col(Key.created_at).desc())
        .limit(500)
    )
    return list(rows)
