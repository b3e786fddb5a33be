"""The account in a real browser: signing in by clicks, keys, copying; nothing that axe finds."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page
from sqlmodel import select

from billing import ledger
from billing.models import Reservation
from billing.pricing import CREDIT
from core.accounts import service
from core.accounts.models import Key
from core.clock import now
from core.db import Sessions
from core.settings import Issuer
from execution.models import Application
from tests.accounts.books import book
from tests.accounts.site import Site, introduce, running_issuer
from tests.people import add_algorithm, add_person

# Each width and each theme once: what one theme hides shows at the other width too.
LOOKS: tuple[tuple[int, Any], ...] = ((1280, "light"), (390, "dark"))


@dataclass
class Place:
    """A site that listens, and what is there to look at."""

    url: str
    site: Site
    issuer: str
    calls: dict[str, str]
    # The page of a day in which replicas were kept.
    kept: str = ""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running_issuer() as address:
        yield address


@pytest.fixture
async def place(sessions: Sessions, tmp_path: Path, issuer: str) -> AsyncIterator[Place]:
    """The site on a port of its own, with nobody's account yet."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        provider = Issuer(issuer, "algorium", "s", "development", development=True)
        site = Site(sessions, tmp_path, provider, url)
        config = uvicorn.Config(site, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield Place(url, site, issuer, {})
        server.should_exit = True
        await running


async def sign_in(page: Page, place: Place, name: str) -> None:
    """Sign in by clicks."""
    await introduce(place.issuer, name, preferred_username=name)
    await page.goto(f"{place.url}/account")
    await page.get_by_role("button", name="Continue").click()
    await page.locator('input[name="sub"]').fill(name)
    await page.locator('input[name="sub"]').press("Enter")
    await page.wait_for_url(f"{place.url}/account")
    # What the issuer's own page has to complain of isn't ours.
    page.complaints.clear()  # type: ignore[attr-defined]


async def live_a_little(place: Place, person: str) -> None:
    """Give the account calls of each kind, within each other, and earnings."""
    sessions = place.site.sessions
    async with sessions.begin() as session:
        from core.accounts.queries import account_named  # noqa: PLC0415

        mine = await account_named(session, person)
        key, _ = await service.add_key(session, mine.id, "nightly report on the big machine")
        old, _ = await service.add_key(session, mine.id, "old laptop")
        await service.revoke_key(session, mine.id, old.id)
    author = await add_person(sessions, "a_rather_long_name_of_thirty_nine_chars", credit=CREDIT)
    other = await add_algorithm(sessions, author.id, "SentimentOfVeryLongTextsInManyLanguages")
    own = await add_algorithm(
        sessions, mine.id, "Keywords", royalty=250_000, hardware="gpu", compute_rate=12_000,
        min_replicas=1,
    )  # fmt: skip
    async with sessions.begin() as session:
        session.add(Application(version_id=own[1].id, replicas=2, running=1))
        for minute in range(3):
            row = Reservation(
                version_id=own[1].id, account_id=mine.id, replicas=1, amount=720 * CREDIT,
                minute=now().replace(second=0, microsecond=0) - timedelta(minutes=minute),
            )  # fmt: skip
            assert await ledger.charge_reservation(session, row)
    for day in range(0, 30, 3):
        for nth in range(1 + (day * 7) % 4):
            await book(
                sessions, mine.id, *other, royalty=2 * CREDIT, compute=(37 + day * 13) * 1000,
                key_id=key.id if nth % 2 else None, at=now() - timedelta(days=day, minutes=nth * 9),
            )  # fmt: skip
    for day in range(0, 30, 7):
        await book(
            sessions, author.id, *own, royalty=250_000 + 1, compute=0,
            at=now() - timedelta(days=day, minutes=3),
        )  # fmt: skip
    top = await book(sessions, mine.id, *other, royalty=2 * CREDIT, compute=310_000, key_id=key.id)
    inner = await book(sessions, mine.id, *own, royalty=250_000, compute=9000, parent_id=top)
    await book(sessions, mine.id, *other, royalty=2 * CREDIT, compute=41_000, parent_id=inner)
    failed = await book(
        sessions, mine.id, *other,
        error=("InputError", "The text must be a string of at most 5,000 characters, got a list."),
    )  # fmt: skip
    theirs = await book(sessions, author.id, *own, error=("TimeoutError", "deadline"))
    day = row.minute.date().isoformat()
    place.kept = f"/account/reservations/{own[1].id}/{day}"
    place.calls = {"top": str(top), "failed": str(failed), "theirs": str(theirs)}


async def opened(chromium: Browser, **more: Any) -> Page:
    """Open a window that fails the test for whatever the browser complains of."""
    context = await chromium.new_context(**more)
    page = await context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints  # type: ignore[attr-defined]
    return page


async def look(page: Page) -> None:
    """Find nothing: no complaint, no fault of accessibility, nothing wider than the window."""
    assert page.complaints == []  # type: ignore[attr-defined]
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} is {wide} pixels wider than its window"
    found = await Axe().run(page)
    assert found.violations_count == 0, f"{page.url}: {found.generate_report()}"


async def test_a_person_signs_in_makes_a_key_copies_it_and_revokes_it(
    chromium: Browser, place: Place, sessions: Sessions
) -> None:
    page = await opened(chromium)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await sign_in(page, place, "bob")
    await page.get_by_role("link", name="Make a key").click()
    await page.get_by_label("Label").fill("laptop")
    await page.get_by_role("button", name="Make key").click()
    await page.get_by_role("button", name="Copy key").click()
    text = await page.evaluate("navigator.clipboard.readText()")
    actor = await place.site.keys.find(text)
    assert actor is not None
    assert actor.name == "bob"

    await page.get_by_role("link", name="Revoke the key laptop").click()
    await page.get_by_role("button", name="Revoke this key").click()
    await page.locator("summary", has_text="Revoked keys").wait_for()
    async with sessions() as session:
        assert (await session.scalars(select(Key))).one().revoked_at is not None
    await page.goto(f"{place.url}/account")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("link", name="Sign in").first.wait_for()
    await page.context.close()


async def test_without_scripts_everything_works(chromium: Browser, place: Place) -> None:
    page = await opened(chromium, java_script_enabled=False)
    await sign_in(page, place, "carol")
    await page.goto(f"{place.url}/account/keys")
    await page.get_by_label("Label").fill("cron")
    await page.get_by_role("button", name="Make key").click()
    await page.get_by_text("This is the only time").wait_for()
    await page.get_by_role("link", name="Revoke the key cron").click()
    await page.get_by_role("button", name="Revoke this key").click()
    await page.locator("summary", has_text="Revoked keys").wait_for()
    await page.context.close()


async def test_every_page_holds_at_each_width_and_in_each_theme(
    chromium: Browser, place: Place
) -> None:
    first = await opened(chromium)
    await first.goto(f"{place.url}/sign_in")
    await look(first)
    await sign_in(first, place, "dora")
    for path in ("/account", "/account/keys", "/account/usage", "/account/earnings"):
        await first.goto(place.url + path)
        await look(first)
    await live_a_little(place, "dora")
    state = await first.context.storage_state()
    await first.context.close()
    paths = [
        "/account", "/account/keys", "/account/usage", "/account/earnings",
        *(f"/account/calls/{call}" for call in place.calls.values()),
        "/account/reservations", place.kept, "/algorithms/dora/Keywords", "/publish",
    ]  # fmt: skip
    for width, theme in LOOKS:
        page = await opened(
            chromium,
            storage_state=state,
            viewport={"width": width, "height": 900},
            color_scheme=theme,
        )
        for path in paths:
            await page.goto(place.url + path)
            await look(page)
        await page.context.close()
