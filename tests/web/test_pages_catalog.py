"""The pages on which algorithms are found, asked the way a browser asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from billing.ledger import Ledger
from catalog.models import Category, Visibility
from core.accounts.models import Account
from core.db import Sessions
from tests.people import add_person
from tests.web.public import Public

HTMX = {"HX-Request": "true"}


@pytest.fixture
def public(sessions: Sessions, money: Ledger, tmp_path: Path) -> Public:
    return Public(sessions, money, tmp_path)


@pytest.fixture
async def client(public: Public) -> AsyncIterator[httpx.AsyncClient]:
    async with public.visitor() as opened:
        yield opened


@pytest.fixture
async def author(sessions: Sessions) -> Account:
    return await add_person(sessions, "author")


async def test_an_empty_site_says_so(client: httpx.AsyncClient) -> None:
    page = await client.get("/")

    assert page.status_code == 200
    assert "Nothing is published yet" in page.text
    assert "set-cookie" not in page.headers


async def test_home_tells_how_far_the_starter_is(public: Public, client: httpx.AsyncClient) -> None:
    object.__setattr__(public.settings, "starter", True)

    page = await client.get("/")

    assert "starter algorithms live" in page.text
    assert 'hx-get="/?seen=0-0"' in page.text
    assert (await client.get("/?seen=0-0", headers=HTMX)).status_code == 204
    assert "starter algorithms live" in (await client.get("/?seen=1-0", headers=HTMX)).text


async def test_home_shows_categories_and_shelves(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Faces", category=Category.VISION, summary="Finds <faces>")
    await public.publish(author.id, "Hidden", visibility=Visibility.PRIVATE)

    page = await client.get("/")

    assert "Recently added" in page.text
    assert "Finds &lt;faces&gt;" in page.text
    assert "Hidden" not in page.text
    assert "All 1 algorithm<" in page.text


async def test_the_search_answers_htmx_with_its_results_alone(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Sentiment")
    address = "/search?q=sentimnt"

    whole = await client.get(address)
    part = await client.get(address, headers=HTMX)
    restored = await client.get(address, headers={**HTMX, "HX-History-Restore-Request": "true"})

    for page in (whole, part, restored):
        assert "<mark>Sentiment</mark>" in page.text
        assert page.headers["Vary"].startswith("HX-Request")
    assert "<!DOCTYPE html>" in whole.text
    assert "<!DOCTYPE html>" not in part.text
    assert 'hx-swap-oob="innerHTML:#count"' in part.text
    assert "<!DOCTYPE html>" in restored.text


async def test_nothing_private_shows_in_hits_or_counts(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Zebra", visibility=Visibility.PRIVATE)
    await public.sign_in(client, author.id)

    page = await client.get("/search?q=zebra")

    assert "Nothing matches" in page.text
    assert "Zebra" not in page.text


@pytest.mark.parametrize(
    "address",
    ["/search?q=%3Cscript%3E&page=999999999999", "/search?category=nope&page=-1", "/search?q=%00"],
)
async def test_any_search_is_answered(client: httpx.AsyncClient, address: str) -> None:
    page = await client.get(address)

    assert page.status_code == 200
    assert "<script>" not in page.text


async def test_a_category_is_a_page(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Plan", category=Category.OPERATIONS)
    await public.publish(author.id, "Words")

    page = await client.get("/categories/operations")

    assert "1 algorithm in Planning" in page.text
    assert ">Words<" not in page.text
    assert (await client.get("/categories/nope")).status_code == 404


async def test_an_owner_has_a_page(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Words")
    await public.publish(author.id, "Hidden", visibility=Visibility.PRIVATE)

    page = await client.get("/algorithms/Author")

    assert "1 algorithm listed" in page.text
    assert "Hidden" not in page.text


@pytest.mark.parametrize("address", ["/docs/calling", "/publish", "/healthz"])
async def test_pages_that_need_nothing(client: httpx.AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code == 200


async def test_ready_tells_what_is_up(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json().keys() == {"database", "cluster", "starter"}
