"""The guard against forged forms: no route that changes anything is without it."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import select
from starlette.routing import BaseRoute, Mount, Route

from core.accounts import queries
from core.accounts.models import Key
from core.db import Sessions
from core.settings import Issuer
from tests.accounts.site import Browser, Site, token_on
from tests.people import add_person

SAFE = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture
def site(sessions: Sessions, tmp_path: Path) -> Site:
    # Nobody answers there: a sign-in that passes the guard ends with 503.
    return Site(sessions, tmp_path, Issuer("http://127.0.0.1:9", "algorium", "", "Nobody"))


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    """A browser that is signed in."""
    await add_person(site.sessions, "alice")
    async with site.browser() as opened:
        await site.person(opened, "alice")
        yield opened


def every_route(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, Route]]:
    """The routes of an application and of those that it mounts, with their whole paths."""
    for route in routes:
        assert isinstance(route, Route | Mount)
        if isinstance(route, Route):
            yield prefix + route.path, route
        else:
            yield from every_route(route.routes, prefix + route.path)


def unsafe_routes(site: Site) -> list[tuple[str, str]]:
    """Every method and address of the application that changes something, but the API."""
    found = []
    for whole, route in every_route(site.app.routes):
        path = re.sub(r"\{\w+:uuid\}", str(uuid4()), whole)
        path = re.sub(r"\{[^}]+\}", "x", path)
        found += [
            (method, path)
            for method in (route.methods or set()) - SAFE
            if not path.startswith(("/v1/", "//v1/"))
        ]
    return found


async def labels(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return list(await session.scalars(select(Key.label)))


async def test_every_unsafe_route_refuses_a_request_without_a_token(
    site: Site, browser: Browser
) -> None:
    routes = unsafe_routes(site)
    assert {"/sign_in", "/sign_out", "/account/keys"} <= {path for _, path in routes}
    for method, path in routes:
        for sent in ({}, {"csrf": ""}, {"csrf": "made.up"}):
            answer = await browser.client.request(method, path, data=sent)
            assert answer.status_code == 403, (method, path, sent)
        answer = await browser.client.request(method, path, headers={"X-CSRF-Token": "a.b"})
        assert answer.status_code == 403, (method, path)


async def test_the_refusal_is_a_page_in_words(browser: Browser, sessions: Sessions) -> None:
    answer = await browser.client.post("/account/keys", data={"label": "forged"})
    assert answer.status_code == 403
    assert "Reload the page" in answer.text
    assert "<!doctype html>" in answer.text.lower()
    assert await labels(sessions) == []


async def test_a_token_of_the_page_is_taken_from_field_and_header(
    browser: Browser, sessions: Sessions
) -> None:
    token = token_on(await browser.get("/account/keys"))
    by_field = await browser.client.post("/account/keys", data={"csrf": token, "label": "field"})
    by_header = await browser.client.post(
        "/account/keys", data={"label": "header"}, headers={"X-CSRF-Token": token}
    )
    assert (by_field.status_code, by_header.status_code) == (201, 201)
    assert sorted(await labels(sessions)) == ["field", "header"]


async def test_an_upload_brings_its_token_in_its_first_part(
    browser: Browser, sessions: Sessions
) -> None:
    token = token_on(await browser.get("/account/keys"))
    large = {"file": ("big", b"x" * 300_000)}
    answer = await browser.client.post(
        "/account/keys", data={"csrf": token, "label": "upload"}, files=large
    )
    assert answer.status_code == 201
    answer = await browser.client.post(
        "/account/keys", data={"label": "late", "csrf": token}, files=large
    )
    assert answer.status_code == 403
    assert await labels(sessions) == ["upload"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", ""])
async def test_a_body_that_is_no_form_carries_no_token(browser: Browser, kind: str) -> None:
    token = token_on(await browser.get("/account/keys"))
    answer = await browser.client.post(
        "/account/keys", content=f"csrf={token}&label=x", headers={"Content-Type": kind}
    )
    assert answer.status_code == 403


async def test_a_form_without_end_is_refused(browser: Browser) -> None:
    token = token_on(await browser.get("/account/keys"))
    body = f"csrf={token}&label=" + "x" * 2_000_000
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await browser.client.post("/account/keys", content=body, headers=kind)
    assert answer.status_code == 413


@pytest.mark.parametrize("signed_in", [False, True], ids=["a visitor", "a member"])
async def test_nobody_can_upload_without_end(site: Site, browser: Browser, signed_in: bool) -> None:
    taken = 0

    async def endless(token: str) -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--X\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n'
        yield token.encode() + b"\r\n--X\r\n"
        yield b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while taken < 40 * 2**20:
            taken += 2**20
            yield bytes(2**20)

    async with site.browser() as visitor:
        sender, path = (browser, "/account/keys") if signed_in else (visitor, "/sign_in")
        token = token_on(await sender.get(path))
        answer = await sender.client.post(
            path,
            content=endless(token),
            headers={"Content-Type": "multipart/form-data; boundary=X", "X-CSRF-Token": token},
        )
    assert answer.status_code == 413
    assert taken < 15 * 2**20


async def test_a_token_belongs_to_one_session(site: Site, browser: Browser) -> None:
    await add_person(site.sessions, "mallory")
    async with site.browser() as other:
        await site.person(other, "mallory")
        theirs = token_on(await other.get("/account/keys"))
    answer = await browser.client.post("/account/keys", data={"csrf": theirs, "label": "x"})
    assert answer.status_code == 403


async def test_a_visitors_token_is_worth_nothing_to_somebody_signed_in(
    site: Site, browser: Browser
) -> None:
    async with site.browser() as visitor:
        theirs = token_on(await visitor.get("/sign_in"))
        visit = visitor.client.cookies["algorium_visit"]
        assert (await visitor.client.post("/sign_in", data={"csrf": theirs})).status_code == 503
    browser.client.cookies.set("algorium_visit", visit, domain="127.0.0.1", path="/")
    answer = await browser.client.post("/account/keys", data={"csrf": theirs, "label": "x"})
    assert answer.status_code == 403


async def test_another_browser_cant_use_a_visitors_token(site: Site) -> None:
    async with site.browser() as first, site.browser() as second:
        theirs = token_on(await first.get("/sign_in"))
        assert (await second.client.post("/sign_in", data={"csrf": theirs})).status_code == 403
        await second.get("/sign_in")
        assert (await second.client.post("/sign_in", data={"csrf": theirs})).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "https://127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1:8000.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_what_another_site_sends_is_refused_even_with_a_token(
    browser: Browser, sessions: Sessions, headers: dict[str, str]
) -> None:
    token = token_on(await browser.get("/account/keys"))
    answer = await browser.client.post(
        "/account/keys", data={"csrf": token, "label": "x"}, headers=headers
    )
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text.lower()
    assert await labels(sessions) == []


async def test_our_own_origin_is_taken(browser: Browser) -> None:
    token = token_on(await browser.get("/account/keys"))
    answer = await browser.client.post(
        "/account/keys",
        data={"csrf": token, "label": "x"},
        headers={"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 201


async def test_a_page_with_a_token_is_for_no_shared_cache(browser: Browser) -> None:
    answer = await browser.get("/account/keys")
    assert "private" in answer.headers["cache-control"]
    assert "Cookie" in answer.headers["vary"]


async def test_the_api_asks_for_no_token_and_looks_at_no_cookie(
    site: Site, browser: Browser
) -> None:
    answer = await browser.client.post("/v1/algo/alice/Shout", json="hello")
    assert "key" in answer.json()["error"]["message"]
    async with site.sessions() as session:
        assert await queries.account_named(session, "alice")
