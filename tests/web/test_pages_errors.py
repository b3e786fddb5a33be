"""Refusals in each form, and the headers that every answer carries."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from billing.ledger import Ledger
from core.db import Sessions
from core.settings import Issuer, Settings
from tests.web.public import Public
from web.headers import policy


@pytest.fixture
def public(sessions: Sessions, money: Ledger, tmp_path: Path) -> Public:
    return Public(sessions, money, tmp_path)


@pytest.fixture
async def client(public: Public) -> AsyncIterator[httpx.AsyncClient]:
    async with public.visitor() as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "address", "status", "words"),
    [
        ("GET", "/nope", 404, "Nothing here"),
        ("GET", "/algorithms/nobody/Nothing", 404, "There is no algorithm named nobody/Nothing"),
        ("GET", "/algorithms/nobody", 404, "Nothing here"),
        ("GET", "/algorithms/nob%00ody", 404, "Nothing here"),
        ("GET", "/algorithms/nobody/Noth%00ing", 404, "Nothing here"),
        ("GET", "/algorithms/nob%00ody/Nothing/1.0.0/sample", 404, "Nothing here"),
        ("DELETE", "/healthz", 403, "That isn&#39;t allowed"),
        ("GET", "/sign_out", 405, "That can&#39;t be done here"),
    ],
)
async def test_a_page_says_what_happened_and_what_to_do(
    client: httpx.AsyncClient, method: str, address: str, status: int, words: str
) -> None:
    page = await client.request(method, address)

    assert page.status_code == status
    assert words in page.text
    assert "<!DOCTYPE html>" in page.text


async def test_htmx_gets_a_notice(client: httpx.AsyncClient) -> None:
    part = await client.get("/nope", headers={"HX-Request": "true"})

    assert part.status_code == 404
    assert "<!DOCTYPE html>" not in part.text
    assert 'role="alert"' in part.text


async def test_programs_get_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/nope")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_a_bug_is_answered_without_a_trace_of_it(
    public: Public, client: httpx.AsyncClient
) -> None:
    public.state["index"] = None

    page = await client.get("/search?q=x")

    assert page.status_code == 500
    assert "Something broke on our side" in page.text
    assert "Traceback" not in page.text
    assert "NoneType" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_static_files_are_kept_for_a_year_by_their_digest(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/")
    address = page.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]

    assert "v=" in address
    assert "immutable" in (await client.get(address)).headers["cache-control"]
    assert (await client.get("/static/site.css")).headers["cache-control"] == "no-cache"
    assert (await client.get("/static/../pyproject.toml")).status_code == 404


def test_forms_may_lead_to_where_people_sign_in() -> None:
    home = Path("/")
    here = policy(Settings(home=home))
    away = policy(
        Settings(home=home, issuer=Issuer("https://id.example/realm/x", "a", "b", "Example"))
    )

    assert "form-action 'self';" in here
    assert "form-action 'self' https://id.example;" in away
    assert "unsafe" not in away
