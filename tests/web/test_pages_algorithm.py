"""The page of one algorithm: reading it, running it, rating it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from billing.ledger import Ledger, wallet_of
from billing.pricing import CREDIT, SIGN_UP_GRANT
from catalog.models import Visibility
from core.accounts.models import Account
from core.db import Sessions
from execution.outcome import ContentType, Failure, Outcome, Payload
from tests.people import add_algorithm, add_person
from tests.web.public import PNG, Public, form_token

HTMX = {"HX-Request": "true"}
JSON_SAMPLE = Payload(ContentType.JSON, b'{"text": "</textarea> it\'s"}')
ANSWER = Payload(ContentType.JSON, b'{"stored": true}')
SHOUT = "/algorithms/author/Shout"


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


@pytest.fixture
async def reader(sessions: Sessions, public: Public, client: httpx.AsyncClient) -> Account:
    """Somebody who has signed in."""
    account = await add_person(sessions, "reader")
    await public.sign_in(client, account.id)
    return account


async def send(client: httpx.AsyncClient, page: str, to: str, **fields: str) -> httpx.Response:
    """Open a page and send the form on it that leads to `to`."""
    token = form_token(await client.get(page))
    return await client.post(f"{page}/{to}", data={"csrf": token, **fields})


@pytest.mark.parametrize(
    ("language", "words"), [("python", "Python 3."), ("javascript", "JavaScript (Node")]
)
async def test_the_page_says_what_a_version_is_written_in(
    sessions: Sessions, client: httpx.AsyncClient, author: Account, language: str, words: str
) -> None:
    await add_algorithm(sessions, author.id, language=language)

    assert words in (await client.get(SHOUT)).text


@pytest.mark.parametrize(("calls_others", "most"), [(False, "62 cr"), (True, "10,062 cr")])
async def test_the_most_that_a_run_may_cost_counts_what_it_calls(
    public: Public, client: httpx.AsyncClient, author: Account, calls_others: bool, most: str
) -> None:
    await public.publish(author.id, "Shout", sample=JSON_SAMPLE, calls_others=calls_others)

    assert f">{most}<" in (await client.get(SHOUT)).text


async def test_a_visitor_reads_everything_before_signing_in(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    readme = "# Shout\n\nSee <script>alert(1)</script> [this](javascript:alert(1)) `code`"
    await public.publish(author.id, "Shout", sample=JSON_SAMPLE, output=ANSWER, readme=readme)

    page = await client.get(SHOUT)

    assert page.status_code == 200
    assert "2 cr · 0.0002 USD / call + compute" in page.text
    assert "&lt;/textarea&gt; it" in page.text
    assert "&#34;stored&#34;: true" in page.text
    assert "Sign in to run it" in page.text
    assert "http://127.0.0.1:8000/v1/algo/author/Shout/1.0.0" in page.text
    assert "YOUR_KEY" in page.text
    assert "too few calls" in page.text
    assert "<script>alert" not in page.text
    assert 'href="javascript:' not in page.text


async def test_other_cases_lead_to_the_one_address(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")

    answer = await client.get("/algorithms/AUTHOR/shout?version=1")

    assert answer.is_redirect
    assert answer.headers["location"] == f"{SHOUT}?version=1"


async def test_versions_on_their_way_are_their_owners_alone(
    public: Public, client: httpx.AsyncClient, author: Account, sessions: Sessions
) -> None:
    await public.publish(author.id, "Shout")
    await add_algorithm(sessions, author.id, "Shout", number=(1, 1, 0), live=False)
    await add_algorithm(sessions, author.id, "Secret", visibility=Visibility.PRIVATE)

    assert "1.1.0" not in (await client.get(SHOUT)).text
    assert (await client.get(f"{SHOUT}?version=1.1.0")).status_code == 404
    assert (await client.get("/algorithms/author/Secret")).status_code == 404

    await public.sign_in(client, author.id)
    assert "Queued" in (await client.get(SHOUT)).text
    building = await client.get(f"{SHOUT}?version=1.1.0")
    assert "it can&#39;t be called" in building.text
    assert 'id="input"' not in building.text
    assert "only you see it" in (await client.get("/algorithms/author/Secret")).text


@pytest.mark.usefixtures("reader")
async def test_a_run_shows_its_answer_its_phases_and_its_price(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout", sample=JSON_SAMPLE)

    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input='{"a": 1}')

    assert page.status_code == 200
    assert public.cluster.sent == [Payload(ContentType.JSON, b'{"a": 1}')]
    assert "&#34;answer&#34;: 42" in page.text
    assert "2.012 cr" in page.text
    assert "sandbox started" in page.text
    assert "/account/calls/" in page.text
    # The page made anew still holds what was typed.
    assert "{&#34;a&#34;: 1}</textarea>" in page.text


async def test_htmx_gets_only_the_answer(
    public: Public, client: httpx.AsyncClient, author: Account, reader: Account
) -> None:
    await public.publish(author.id, "Shout")
    token = form_token(await client.get(SHOUT))
    fields = {"version": "1.0.0", "kind": "text", "input": "a\r\nb"}

    part = await client.post(f"{SHOUT}/run", data=fields, headers={**HTMX, "X-CSRF-Token": token})

    assert part.status_code == 200
    assert "<!DOCTYPE html>" not in part.text
    assert public.cluster.sent == [Payload(ContentType.TEXT, b"a\nb")]
    assert "9,997.98" in part.text
    async with public.sessions() as session:
        balance = (await wallet_of(session, reader.id)).balance
    assert balance == SIGN_UP_GRANT - 2 * CREDIT - 12_000


@pytest.mark.usefixtures("reader")
async def test_a_failed_run_is_told_in_words_and_costs_nothing(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")
    public.cluster.fail("InputError", "Give a <text>.")

    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input="1")

    assert "InputError" in page.text
    assert "Give a &lt;text&gt;." in page.text
    assert "Not charged" in page.text


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"version": "1.0.0", "kind": "json", "input": "{"}, 400, "no valid JSON"),
        ({"version": "9.9.9", "kind": "json", "input": "1"}, 404, "no version 9.9.9"),
        ({"version": "1.0.0", "kind": "binary"}, 400, "has no sample"),
    ],
)
async def test_what_cannot_run_is_refused_before_it_costs_anything(
    public: Public, client: httpx.AsyncClient, author: Account, fields: dict[str, str],
    status: int, words: str,
) -> None:  # fmt: skip
    await public.publish(author.id, "Shout")

    page = await send(client, SHOUT, "run", **fields)

    assert page.status_code == status
    assert words in page.text
    assert public.cluster.sent == []


async def test_too_little_credit_is_refused_with_the_way_to_the_balance(
    public: Public, client: httpx.AsyncClient, author: Account, sessions: Sessions
) -> None:
    await public.publish(author.id, "Shout")
    poor = await add_person(sessions, "poor", credit=CREDIT)
    await public.sign_in(client, poor.id)

    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input="1")

    assert page.status_code == 402
    assert "See your balance" in page.text
    assert public.cluster.sent == []


async def test_a_visitor_who_runs_is_asked_to_sign_in(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")

    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input='"mine"')

    assert page.status_code == 401
    assert "&#34;mine&#34;</textarea>" in page.text


async def test_a_visitors_upload_is_refused_before_it_is_read(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")
    token = form_token(await client.get(SHOUT))
    for content in (b"x" * 300_000, chunks()):
        answer = await client.post(
            f"{SHOUT}/run",
            content=content,
            headers={"X-CSRF-Token": token, "Content-Type": "multipart/form-data; boundary=X"},
        )
        # Reading it would have found that it is no form at all.
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign_in")


async def chunks() -> AsyncIterator[bytes]:
    """A body that doesn't say how large it is."""
    yield b"x" * 1000


@pytest.mark.usefixtures("reader")
async def test_a_picture_goes_in_and_comes_out(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    sample = Payload(ContentType.BINARY, PNG)
    await public.publish(author.id, "Shout", sample=sample)
    public.cluster.outcome = Outcome(Payload(ContentType.BINARY, PNG), None, ran_ms=3)

    page = await client.get(SHOUT)
    shown = await client.get(f"{SHOUT}/1.0.0/sample")
    by_sample = await send(client, SHOUT, "run", version="1.0.0", kind="binary")
    own = await client.post(
        f"{SHOUT}/run",
        data={"csrf": form_token(page), "version": "1.0.0", "kind": "binary"},
        files={"file": ("mine.bin", b"bytes")},
        headers={"X-CSRF-Token": form_token(page)},
    )

    assert f'src="{SHOUT}/1.0.0/sample"' in page.text
    assert (shown.headers["content-type"], shown.content) == ("image/png", PNG)
    assert "sandbox" in shown.headers["content-security-policy"]
    assert 'src="data:image/png;base64,' in by_sample.text
    assert own.status_code == 200
    assert public.cluster.sent == [sample, Payload(ContentType.BINARY, b"bytes")]


@pytest.mark.usefixtures("reader")
async def test_a_callers_page_shows_no_line_of_the_source(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")
    trace = 'File "src/Shout.py", line 1\n    the_authors_secret()'
    public.cluster.outcome = Outcome(None, Failure("AlgorithmError", "no", trace))

    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input="1")
    assert "AlgorithmError" in page.text
    assert "the_authors_secret" not in page.text

    await public.sign_in(client, author.id)
    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input="1")
    assert "the_authors_secret" in page.text


@pytest.mark.usefixtures("reader")
async def test_what_is_nested_too_deeply_to_be_laid_out_is_shown_as_it_is(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    deep = Payload(ContentType.JSON, b"[" * 300 + b"]" * 300)
    await public.publish(author.id, "Shout", sample=deep, output=deep)
    public.cluster.outcome = Outcome(deep, None, ran_ms=1)

    assert (await client.get(SHOUT)).status_code == 200
    page = await send(client, SHOUT, "run", version="1.0.0", kind="json", input="1")
    assert page.status_code == 200
    assert "[" * 300 in page.text


async def test_a_sample_never_becomes_a_page(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    html = b"<html><script>alert(1)</script>"
    await public.publish(author.id, "Shout", sample=Payload(ContentType.BINARY, html))
    await public.publish(author.id, "Text", sample=Payload(ContentType.TEXT, html))

    binary = await client.get(f"{SHOUT}/1.0.0/sample")
    text = await client.get("/algorithms/author/Text/1.0.0/sample")

    assert binary.headers["content-type"] == "application/octet-stream"
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    for answer in (binary, text):
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await client.get(f"{SHOUT}/1.0.0/sample-output")).status_code == 404
    assert (await client.get(f"{SHOUT}/1.0.0/other")).status_code == 404


@pytest.mark.usefixtures("reader")
async def test_stars_are_given_changed_and_taken_back(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")

    given = await send(client, SHOUT, "rating", stars="4")
    assert given.headers["location"] == f"{SHOUT}#rating"
    assert "from 1 account<" in (await client.get(SHOUT)).text

    await send(client, SHOUT, "rating", stars="0")
    assert "Nobody has rated it yet" in (await client.get(SHOUT)).text
    assert (await send(client, SHOUT, "rating", stars="6")).status_code == 400


async def test_an_author_rates_others_only(
    public: Public, client: httpx.AsyncClient, author: Account
) -> None:
    await public.publish(author.id, "Shout")
    await public.sign_in(client, author.id)
    page = await client.get(SHOUT)

    answer = await send(client, SHOUT, "rating", stars="5")

    assert "You wrote it" in page.text
    assert answer.status_code == 403
