"""What sign-in leaves in a browser, and on this machine: cookies and the secret behind them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.db import Sessions
from core.settings import Issuer
from tests.accounts.site import Browser, Site, allow, running_issuer, token_on

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


async def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    shown = await browser.get("/sign_in")
    left = await browser.client.post("/sign_in", data={"csrf": token_on(shown)})
    back = await browser.get(await allow(left.headers["location"], "flags"))
    for answer, name in (
        (shown, "algorium_visit"), (left, "algorium_trip"), (back, "algorium_session"),
    ):  # fmt: skip
        flags = next(
            cookie.lower()
            for cookie in answer.headers.get_list("set-cookie")
            if cookie.startswith(name + "=")
        )
        assert "httponly" in flags
        assert "samesite=lax" in flags
        assert "path=/;" in flags + ";"
        assert "domain" not in flags
        assert "secure" not in flags


async def test_by_https_the_cookies_are_secure_and_of_this_host_alone(
    address: str, sessions: Sessions, tmp_path: Path
) -> None:
    issuer = Issuer(address, "algorium", "secret", PROVIDER)
    site = Site(sessions, tmp_path, issuer, url="https://market.example")
    async with site.browser() as browser:
        shown = await browser.get("/sign_in")
        left = await browser.client.post("/sign_in", data={"csrf": token_on(shown)})
        back = await browser.get(await allow(left.headers["location"], "secure"))
        assert (await browser.get("/account")).status_code == 200
    for answer, name in (
        (shown, "__Host-algorium_visit"), (left, "__Host-algorium_trip"),
        (back, "__Host-algorium_session"),
    ):  # fmt: skip
        flags = next(
            cookie.lower()
            for cookie in answer.headers.get_list("set-cookie")
            if cookie.startswith(name + "=")
        )
        assert "secure" in flags
        assert "path=/;" in flags + ";"
        assert "domain" not in flags


async def test_a_plain_cookie_counts_for_nothing_by_https(
    address: str, sessions: Sessions, tmp_path: Path
) -> None:
    site = Site(sessions, tmp_path, None, url="https://market.example")
    async with site.browser() as browser:
        browser.client.cookies.set("algorium_session", "planted", domain="market.example")
        assert (await browser.get("/account")).status_code == 303


async def test_the_secret_is_made_once_and_is_the_owners_alone(site: Site) -> None:
    place = site.home / "secret"
    before = place.read_text()
    assert place.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(before)) == 32
    Site(site.sessions, site.home, site.issuer)
    assert place.read_text() == before
    assert [entry.name for entry in site.home.iterdir()] == ["secret"]


async def test_localhost_is_led_to_the_address_whose_cookies_count(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.get("http://localhost:8000/sign_in?next=/account")
    assert answer.headers["location"] == "http://127.0.0.1:8000/sign_in?next=/account"
