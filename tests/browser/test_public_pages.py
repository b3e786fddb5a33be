"""The public pages in a real browser: searching, running, reading, with and without scripts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from billing.ledger import Ledger
from catalog.models import Category
from core.db import Sessions
from execution.outcome import ContentType, Payload
from tests.people import add_person
from tests.web.public import PNG, Public

SHOUT = "/algorithms/author/Shout"
LONG = "/algorithms/a_rather_long_name_of_thirty_nine_chars/" + "LongName" * 8
README = """# Shout

Some `code` and a table:

| Member | Type | Meaning |
| --- | --- | --- |
| `a_member_with_a_long_name`, `another_member` | text | What it is, at some length |

```python
answer = client.algo("author/Shout/1.0.0").pipe({"text": "a line that is wider than a phone is"})
```
"""


@dataclass
class Place:
    """A site that listens, and somebody's session."""

    url: str
    public: Public
    token: str


@pytest.fixture
async def place(sessions: Sessions, money: Ledger, tmp_path: Path) -> AsyncIterator[Place]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        public = Public(sessions, money, tmp_path, url)
        token = await furnish(public)
        server = uvicorn.Server(uvicorn.Config(public, lifespan="off", log_level="critical"))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield Place(url, public, token)
        server.should_exit = True
        await running


async def furnish(public: Public) -> str:
    """Publish a few algorithms; gives the session of a reader."""
    author = await add_person(public.sessions, "author")
    wordy = await add_person(public.sessions, "a_rather_long_name_of_thirty_nine_chars")
    reader = await add_person(public.sessions, "reader")
    await public.publish(
        author.id, "Shout", readme=README, summary="Capital letters for a text",
        sample=Payload(ContentType.JSON, b'{"text": "hello"}'),
        output=Payload(ContentType.JSON, b'{"text": "HELLO"}'),
    )  # fmt: skip
    await public.publish(
        author.id, "Portrait", category=Category.VISION, summary="Faces in a picture",
        sample=Payload(ContentType.BINARY, PNG),
    )  # fmt: skip
    await public.publish(
        wordy.id, "LongName" * 8, royalty=10**12, summary="Many words " * 14,
        tags=("a_tag_of_thirty_two_letters_long", "b" * 32),
    )  # fmt: skip
    return await public.token(reader.id)


async def opened(
    chromium: Browser, place: Place, *, signed_in: bool = False, **more: Any
) -> tuple[Page, list[str]]:
    """Open a window; gives it with what the browser will complain of."""
    context = await chromium.new_context(base_url=place.url, **more)
    if signed_in:
        cookie = {"name": "algorium_session", "value": place.token, "url": place.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]
    page = await context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


async def test_the_search_follows_what_is_typed(chromium: Browser, place: Place) -> None:
    page, complaints = await opened(chromium, place)
    await page.goto("/")
    await page.keyboard.press("/")
    await page.keyboard.type("portrai", delay=5)

    await page.wait_for_url("**/search?q=portrai")
    await expect(page.locator(".hit")).to_have_count(1)
    await expect(page.get_by_role("status")).to_have_text("1 algorithm for portrai")
    await expect(page.locator("mark").first).to_have_text("Portrai")
    await page.get_by_role("link", name="author/Portrait").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("author/Portrait")
    await page.go_back()
    await expect(page.locator(".hit")).to_have_count(1)
    assert complaints == []


async def test_a_run_without_leaving_the_page(chromium: Browser, place: Place) -> None:
    page, complaints = await opened(chromium, place, signed_in=True)
    await page.goto(SHOUT)
    await page.get_by_label("Input").fill('{"text": "mine"}')
    await page.get_by_role("button", name="Run 1.0.0").click()

    await expect(page.locator("#answer")).to_contain_text('"answer": 42')
    await expect(page.locator("#balance")).to_have_text("9,997.98")
    assert page.url.endswith(SHOUT)
    assert place.public.cluster.sent == [Payload(ContentType.JSON, b'{"text": "mine"}')]

    await page.locator(".rate label").nth(3).click()
    await page.get_by_role("button", name="Rate").click()
    await expect(page.locator("#rating-box")).to_contain_text("from 1 account")
    assert complaints == []


async def test_everything_works_without_scripts(chromium: Browser, place: Place) -> None:
    page, _ = await opened(chromium, place, signed_in=True, java_script_enabled=False)
    await page.goto("/")
    await page.get_by_label("Search algorithms").fill("shuot")
    await page.get_by_label("Search algorithms").press("Enter")
    await page.get_by_role("link", name="author/Shout").click()
    await page.get_by_role("button", name="Run 1.0.0").click()

    await expect(page.locator("#answer")).to_contain_text('"answer": 42')
    await page.get_by_text("Python", exact=True).click()
    await expect(page.get_by_text("import Algorithmia")).to_be_visible()
    await page.locator(".rate label").nth(4).click()
    await page.get_by_role("button", name="Rate").click()
    await expect(page.locator("#rating-box")).to_contain_text("from 1 account")


async def test_what_was_typed_survives_signing_in(chromium: Browser, place: Place) -> None:
    page, _ = await opened(chromium, place)
    await page.goto(SHOUT)
    await page.get_by_label("Input").fill('"mine"')
    await page.get_by_role("link", name="Sign in to run it").click()
    await page.wait_for_url("**/sign_in?next=*")
    await page.goto(SHOUT)

    await expect(page.get_by_label("Input")).to_have_value('"mine"')


async def test_the_theme_is_remembered(chromium: Browser, place: Place) -> None:
    page, complaints = await opened(chromium, place, color_scheme="light")
    await page.goto("/")
    await page.get_by_role("button", name="Switch between light and dark").click()
    await page.reload()

    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert complaints == []


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
async def test_nothing_is_amiss(chromium: Browser, place: Place, width: int, theme: str) -> None:
    window = {"width": width, "height": 900}
    visitor, said = await opened(chromium, place, viewport=window, color_scheme=theme)
    reader, heard = await opened(
        chromium, place, signed_in=True, viewport=window, color_scheme=theme
    )
    faults: list[str] = []
    for page, addresses in (
        (visitor, ["/", "/search?q=text", "/search?q=xyzzy", SHOUT, "/docs/calling", "/publish"]),
        (reader, [SHOUT, LONG, "/algorithms/author/Portrait", "/algorithms/author"]),
    ):
        for address in addresses:
            await page.goto(address)
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                faults.append(f"{address} is {wide} pixels wider than its window")
            found = await Axe().run(page)
            faults += [
                f"{address}: {fault['id']} {fault['nodes'][0]['html'][:120]}"
                for fault in found.response["violations"]
            ]
    assert faults == []
    assert (said, heard) == ([], [])
