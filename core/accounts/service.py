"""Changes to accounts: made, signed in, given keys. The caller opens the transaction."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select, update

from core.accounts import keys
from core.accounts.models import Account, AccountKind, Identity, Key, Session
from core.accounts.names import check_name, suggest_name
from core.clock import now
from core.errors import BadInput, Conflict, NotFound

# The issuer of whoever comes through the development sign-in.
DEVELOPMENT = "development"
SESSION_LASTS = timedelta(days=30)
IDLE_LASTS = timedelta(days=7)
KEYS_EACH = 100
LABEL_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Claims:
    """What an issuer says of the person who signed in."""

    issuer: str
    subject: str
    wish: str
    email: str = ""


async def add_account(
    session: AsyncSession,
    name: str,
    *,
    email: str = "",
    is_admin: bool = False,
    kind: AccountKind = AccountKind.PERSON,
) -> Account:
    """Make an account. Raises BadInput for the name's form, Conflict where it is taken."""
    check_name(name)
    account = await _insert(session, name, email=email, is_admin=is_admin, kind=kind)
    if account is None:
        raise Conflict(f"There is an account named {name} already.")
    return account


async def account_of(session: AsyncSession, claims: Claims) -> tuple[Account, bool]:
    """Give the account that an identity opens, and whether it was made just now.

    An e-mail address never opens an account: an issuer that doesn't verify it would let
    anybody in. Only issuer and subject count.
    """
    known = await session.scalar(
        select(Account)
        .join(Identity, col(Identity.account_id) == col(Account.id))
        .where(Identity.issuer == claims.issuer, Identity.subject == claims.subject)
    )
    if known is not None:
        return known, False
    waiting = await _waiting_for(session, claims)
    account = waiting or await _first_free(session, claims)
    session.add(Identity(account_id=account.id, issuer=claims.issuer, subject=claims.subject))
    await session.flush()
    return account, waiting is None


async def open_session(session: AsyncSession, account_id: UUID) -> str:
    """Sign a browser in; gives the token for its cookie."""
    token = secrets.token_urlsafe(32)
    session.add(
        Session(
            token_hash=keys.digest(token),
            account_id=account_id,
            expires_at=now() + SESSION_LASTS,
        )
    )
    return token


async def close_session(session: AsyncSession, token: str) -> None:
    """Sign a browser out. Closing twice is closing once."""
    await session.execute(delete(Session).where(col(Session.token_hash) == keys.digest(token)))


async def add_key(session: AsyncSession, account_id: UUID, label: str) -> tuple[Key, str]:
    """Make a key; gives its row and the key itself, which is never to be had again."""
    label = " ".join(label.split())
    if not 0 < len(label) <= LABEL_LENGTH or not label.isprintable():
        raise BadInput(f"A key needs a label of 1 to {LABEL_LENGTH} characters.")
    living = await session.scalars(
        select(Key.id).where(Key.account_id == account_id, col(Key.revoked_at).is_(None))
    )
    if len(living.all()) >= KEYS_EACH:
        raise Conflict(f"An account has at most {KEYS_EACH} keys. Revoke one first.")
    text = keys.new_key()
    key = Key(account_id=account_id, label=label, digest=keys.digest(text), last_four=text[-4:])
    session.add(key)
    await session.flush()
    return key, text


async def revoke_key(session: AsyncSession, account_id: UUID, key_id: UUID) -> Key:
    """End a key. Revoking twice is revoking once; another account's key isn't found."""
    key = await session.scalar(
        select(Key).where(Key.id == key_id, Key.account_id == account_id).with_for_update()
    )
    if key is None:
        raise NotFound("There is no such key in this account.")
    if key.revoked_at is None:
        key.revoked_at = now()
    return key


async def note_use(session: AsyncSession, used: dict[UUID, object]) -> None:
    """Write when keys were last used; `used` maps keys to moments."""
    for key_id, at in sorted(used.items()):
        await session.execute(update(Key).where(col(Key.id) == key_id).values(last_used_at=at))


async def sweep_sessions(session: AsyncSession) -> None:
    """Forget sessions that ended by age or by disuse."""
    moment = now()
    await session.execute(
        delete(Session).where(
            (col(Session.expires_at) < moment) | (col(Session.seen_at) < moment - IDLE_LASTS)
        )
    )


async def _waiting_for(session: AsyncSession, claims: Claims) -> Account | None:
    """Find the account that an operator made for whom the development sign-in sends.

    That sign-in lets anybody on this machine in as anybody, so that a name alone may open an
    account; with a real issuer it never does.
    """
    if claims.issuer != DEVELOPMENT:
        return None
    known = select(Identity.account_id)
    return await session.scalar(
        select(Account).where(
            Account.name_key == suggest_name(claims.wish).lower(),
            Account.kind == AccountKind.PERSON,
            col(Account.id).not_in(known),
        )
    )


async def _first_free(session: AsyncSession, claims: Claims) -> Account:
    wish = suggest_name(claims.wish)
    for _ in range(50):
        account = await _insert(session, wish, email=claims.email)
        if account is not None:
            return account
        wish = f"{suggest_name(claims.wish)[:30]}_{secrets.randbelow(10**6)}"
    raise Conflict("No free name was found for the new account.")


async def _insert(
    session: AsyncSession,
    name: str,
    *,
    email: str = "",
    is_admin: bool = False,
    kind: AccountKind = AccountKind.PERSON,
) -> Account | None:
    account = Account(name=name, name_key=name.lower(), email=email, is_admin=is_admin, kind=kind)
    made = await session.execute(
        insert(Account)
        .values(account.model_dump())
        .on_conflict_do_nothing(index_elements=["name_key"])
        .returning(col(Account.id))
    )
    return await session.get(Account, account.id) if made.scalar() else None
