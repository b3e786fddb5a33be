"""People and algorithms that tests need to be there."""

from dataclasses import fields
from uuid import UUID

from billing import ledger, pricing
from catalog import service as catalog
from catalog.models import Algorithm, Category, Version, Visibility
from catalog.scaling import Scaling
from catalog.service import Built, Draft
from core.accounts import service as accounts
from core.accounts.models import Account
from core.db import Sessions


async def add_person(
    sessions: Sessions, name: str, *, credit: int = pricing.SIGN_UP_GRANT
) -> Account:
    """Make a person with a wallet, and with credit in microcredits."""
    async with sessions.begin() as session:
        account = await accounts.add_account(session, name)
        await ledger.open_wallet(session, account.id)
        if credit:
            await ledger.grant(session, account.id, credit, "for a test")
    return account


async def add_algorithm(
    sessions: Sessions,
    owner_id: UUID,
    name: str = "Shout",
    *,
    number: tuple[int, int, int] = (1, 0, 0),
    royalty: int = 2_000_000,
    visibility: Visibility = Visibility.PUBLIC,
    category: Category = Category.TEXT,
    live: bool = True,
    **more: object,
) -> tuple[Algorithm, Version]:
    """Publish a version, without a build, for tests of what comes after one."""
    names = {one.name for one in fields(Scaling)} & more.keys()
    scaling = Scaling(**{one: more.pop(one) for one in names})  # type: ignore[arg-type]
    draft = Draft(
        name=name,
        summary=str(more.pop("summary", f"What {name} does")),
        category=category,
        tags=tuple(more.pop("tags", ("test",))),  # type: ignore[call-overload]
        licence="MIT",
        number=number,
        royalty=royalty,
        visibility=visibility,
        scaling=scaling,
        readme=str(more.pop("readme", f"# {name}\n\nA text.")),
        **more,  # type: ignore[arg-type]
    )
    async with sessions.begin() as session:
        algorithm, version = await catalog.submit_version(session, owner_id, draft)
    if live:
        async with sessions.begin() as session:
            await catalog.go_live(session, version.id, draft, Built("e" * 32, None, None))
    async with sessions() as session:
        found = await session.get_one(Algorithm, algorithm.id)
        made = await session.get_one(Version, version.id)
    return found, made
