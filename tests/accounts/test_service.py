"""Which account a sign-in opens."""

import pytest

from core.accounts import service
from core.accounts.models import AccountKind
from core.accounts.service import DEVELOPMENT, Claims
from core.db import Sessions
from core.errors import BadInput, Conflict
from tests.people import add_person


async def opened(sessions: Sessions, issuer: str, subject: str, wish: str) -> tuple[str, bool]:
    async with sessions.begin() as session:
        account, is_new = await service.account_of(session, Claims(issuer, subject, wish))
        return account.name, is_new


async def test_the_same_person_gets_the_same_account(sessions: Sessions) -> None:
    assert await opened(sessions, "https://issuer", "1", "ada") == ("ada", True)
    assert await opened(sessions, "https://issuer", "1", "other") == ("ada", False)


async def test_a_name_alone_opens_nothing_at_a_real_issuer(sessions: Sessions) -> None:
    await add_person(sessions, "ada")
    name, is_new = await opened(sessions, "https://issuer", "1", "ada")
    assert is_new
    assert name != "ada"


async def test_the_development_sign_in_opens_what_the_operator_made(sessions: Sessions) -> None:
    await add_person(sessions, "ada")
    assert await opened(sessions, DEVELOPMENT, "ada", "ada") == ("ada", False)
    # It is taken now, and stays with whom it was given to.
    assert (await opened(sessions, DEVELOPMENT, "other", "ada"))[0] != "ada"
    assert await opened(sessions, DEVELOPMENT, "ada", "ada") == ("ada", False)


async def test_nobody_becomes_an_organization(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await service.add_account(session, "algorium", kind=AccountKind.ORGANIZATION)
    assert (await opened(sessions, DEVELOPMENT, "algorium", "algorium"))[0] != "algorium"


@pytest.mark.parametrize("name", ["", "a", "1a", "a-b", "a b", "admin", "Root", "a" * 40, "ä" * 3])
async def test_names_that_mislead_or_break_addresses_are_refused(
    sessions: Sessions, name: str
) -> None:
    with pytest.raises(BadInput):
        async with sessions.begin() as session:
            await service.add_account(session, name)


async def test_a_name_is_taken_in_any_case(sessions: Sessions) -> None:
    await add_person(sessions, "Ada")
    with pytest.raises(Conflict):
        async with sessions.begin() as session:
            await service.add_account(session, "aDA")
