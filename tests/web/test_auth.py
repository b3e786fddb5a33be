"""Signing in and out, by a real code flow against a real issuer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sqlmodel import func, select

from billing.ledger import differences, wallet_of
from billing.pricing import SIGN_UP_GRANT
from core.accounts import keys
from core.accounts.models import Account, Identity, Session
from core.accounts.names import RESERVED
from core.db import Sessions
from core.settings import Issuer
from tests.accounts.site import Browser, Site, allow, introduce, query_of, running_issuer, token_on

PROVIDER = "the provider"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running_issuer() as at:
        yield at


@pytest.fixture
def site(address: str, sessions: Sessions, tmp_path: Path) -> Site:
    return Site(sessions, tmp_path, Issuer(address, "algorium", "secret", PROVIDER))


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as opened:
        yield opened


async def names(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return sorted(await session.scalars(select(Account.name)))


async def test_the_first_sign_in_makes_an_account_with_credit(
    browser: Browser, address: str, sessions: Sessions
) -> None:
    await introduce(
        address, "first", preferred_username="Ada", email="ada@example.org", email_verified=True
    )
    answer = await browser.sign_in("first", "/account/keys?page=2")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/account/keys?page=2"
    async with sessions() as session:
        account = (await session.scalars(select(Account))).one()
        assert (account.name, account.email) == ("Ada", "ada@example.org")
        assert (await wallet_of(session, account.id)).balance == SIGN_UP_GRANT
        assert await differences(session) == []
    page = await browser.get("/account")
    assert page.status_code == 200
    assert "Ada" in page.text
    assert "10,000" in page.text


async def test_the_request_to_the_issuer_has_state_nonce_and_a_challenge(browser: Browser) -> None:
    asked = query_of(await browser.leave())
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/sign_in/callback"
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}


async def test_signing_in_again_opens_the_same_account_without_a_second_grant(
    site: Site, browser: Browser, address: str, sessions: Sessions
) -> None:
    await introduce(address, "again", preferred_username="grace")
    await browser.sign_in("again")
    async with site.browser() as other:
        await introduce(address, "again", preferred_username="renamed", email="x@example.org")
        await other.sign_in("again")
    assert await names(sessions) == ["grace"]
    async with sessions() as session:
        account = (await session.scalars(select(Account))).one()
        assert (await wallet_of(session, account.id)).balance == SIGN_UP_GRANT


async def test_two_people_who_want_one_name_get_two_accounts(
    site: Site, address: str, sessions: Sessions
) -> None:
    for subject, wish in (("one", "Linus"), ("two", "linus"), ("three", "LINUS")):
        await introduce(address, subject, preferred_username=wish)
        async with site.browser() as browser:
            await browser.sign_in(subject)
    found = await names(sessions)
    assert len(found) == 3
    assert "Linus" in found
    assert all(name.lower().startswith("linus") for name in found)


@pytest.mark.parametrize("wish", ["admin", "API", "sign_in"])
async def test_nobody_gets_a_reserved_name(
    browser: Browser, address: str, sessions: Sessions, wish: str
) -> None:
    await introduce(address, f"reserved-{wish}", preferred_username=wish)
    await browser.sign_in(f"reserved-{wish}")
    (name,) = await names(sessions)
    assert name.lower() not in RESERVED


async def test_the_same_address_of_mail_opens_nobody_elses_account(
    site: Site, address: str, sessions: Sessions
) -> None:
    for subject in ("owner", "thief"):
        await introduce(
            address, subject, preferred_username=subject, email="o@example.org", email_verified=True
        )
        async with site.browser() as browser:
            await browser.sign_in(subject)
    assert await names(sessions) == ["owner", "thief"]


async def test_an_unverified_address_is_not_kept(
    browser: Browser, address: str, sessions: Sessions
) -> None:
    await introduce(address, "claims", preferred_username="claims", email="boss@example.org")
    await browser.sign_in("claims")
    async with sessions() as session:
        assert (await session.scalars(select(Account.email))).one() == ""


async def test_the_same_person_twice_at_once_gets_one_account(
    site: Site, address: str, sessions: Sessions
) -> None:
    await introduce(address, "double", preferred_username="double")

    async def come() -> httpx.Response:
        async with site.browser() as browser:
            return await browser.sign_in("double")

    answers = await asyncio.gather(*(come() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [303] * 4
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Account)) == 1
        assert await session.scalar(select(func.count()).select_from(Identity)) == 1
        assert await differences(session) == []


async def test_a_wrong_state_is_refused(browser: Browser, sessions: Sessions) -> None:
    back = await allow(await browser.leave(), "stranger")
    state = query_of(back)["state"]
    answer = await browser.get(back.replace(state, "x" * len(state)))
    assert answer.status_code == 403
    assert "Begin again" in answer.text
    assert await names(sessions) == []


async def test_a_callback_in_another_browser_is_refused(site: Site, browser: Browser) -> None:
    """An attacker can't have a victim's browser finish the attacker's own sign-in."""
    back = await allow(await browser.leave(), "attacker")
    async with site.browser() as victim:
        answer = await victim.get(back)
        assert answer.status_code == 403
        assert "algorium_session" not in victim.client.cookies


async def test_a_callback_works_once(site: Site, browser: Browser) -> None:
    address = await browser.leave()
    trip = browser.client.cookies["algorium_trip"]
    back = await allow(address, "once")
    assert (await browser.get(back)).status_code == 303
    assert (await browser.get(back)).status_code == 403
    # Nor with the cookie of before: the issuer takes a code once.
    async with site.browser() as thief:
        thief.client.cookies.set("algorium_trip", trip, domain="127.0.0.1", path="/")
        assert (await thief.get(back)).status_code == 403


async def test_a_forged_trip_cookie_is_worth_nothing(site: Site, browser: Browser) -> None:
    back = await allow(await browser.leave(), "forger")
    trip = browser.client.cookies["algorium_trip"]
    async with site.browser() as other:
        other.client.cookies.set("algorium_trip", trip[:-2] + "xx", domain="127.0.0.1", path="/")
        assert (await other.get(back)).status_code == 403


async def test_saying_no_at_the_issuer_is_told_in_words(browser: Browser) -> None:
    await browser.leave()
    answer = await browser.get("/sign_in/callback?error=access_denied&error_description=<b>hi</b>")
    assert answer.status_code == 403
    assert "declined" in answer.text
    assert "<b>hi" not in answer.text


@pytest.mark.parametrize("query", ["", "?code=1", "?state=1", "?code=1&state=1", "?error=x"])
async def test_a_callback_out_of_nowhere_is_refused(browser: Browser, query: str) -> None:
    assert (await browser.get(f"/sign_in/callback{query}")).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/sign_out",
        "evil.example",
        "/ /x",
        "/" + "a" * 2000,
    ],
)
async def test_next_never_leaves_the_site(browser: Browser, wanted: str) -> None:
    answer = await browser.sign_in("walker", wanted)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    again = await browser.get("/sign_in", params={"next": wanted})
    assert again.headers["location"] == "/"


async def test_each_sign_in_has_a_session_of_its_own(browser: Browser, sessions: Sessions) -> None:
    await browser.sign_in("rotor")
    first = browser.client.cookies["algorium_session"]
    # A second one in the same browser, while the first is alive.
    shown = await browser.get("/account")
    left = await browser.client.post("/sign_in", data={"csrf": token_on(shown)})
    await browser.get(await allow(left.headers["location"], "rotor"))
    second = browser.client.cookies["algorium_session"]

    assert first != second
    async with sessions() as session:
        hashes = (await session.scalars(select(Session.token_hash))).all()
    assert hashes == [keys.digest(second)]


async def test_after_signing_out_the_cookie_is_dead(site: Site, browser: Browser) -> None:
    await browser.sign_in("leaver")
    token = browser.client.cookies["algorium_session"]
    answer = await browser.submit("/account", "/sign_out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "algorium_session" not in browser.client.cookies
    async with site.browser() as thief:
        thief.client.cookies.set("algorium_session", token, domain="127.0.0.1", path="/")
        assert (await thief.get("/account")).status_code == 303


async def test_a_page_that_needs_an_account_leads_there_after_signing_in(browser: Browser) -> None:
    answer = await browser.get("/account/usage?page=3")
    assert answer.headers["location"] == "/sign_in?next=%2Faccount%2Fusage%3Fpage%3D3"
    page = await browser.get(answer.headers["location"])
    assert 'value="/account/usage?page=3"' in page.text
