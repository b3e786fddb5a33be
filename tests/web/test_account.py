"""The account's pages, opened and used by a person."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from billing.pricing import CREDIT
from catalog.models import Algorithm, Version
from core.accounts import keys, service
from core.accounts.models import Account, Key
from core.clock import now
from core.db import Sessions
from tests.accounts.books import book
from tests.accounts.site import Browser, Site, token_on
from tests.people import add_algorithm, add_person

PAGES = ("/account", "/account/keys", "/account/usage", "/account/usage.csv", "/account/earnings")


@pytest.fixture
def site(sessions: Sessions, tmp_path: Path) -> Site:
    return Site(sessions, tmp_path, None)


@pytest.fixture
async def alice(sessions: Sessions) -> Account:
    return await add_person(sessions, "alice")


@pytest.fixture
async def author(sessions: Sessions) -> Account:
    return await add_person(sessions, "author", credit=0)


@pytest.fixture
async def shout(sessions: Sessions, author: Account) -> tuple[Algorithm, Version]:
    return await add_algorithm(sessions, author.id, sample_type="json", sample_input=b'"it\'s"')


@pytest.fixture
async def browser(site: Site, alice: Account) -> AsyncIterator[Browser]:
    """A browser that is signed in as alice."""
    async with site.browser() as opened:
        await site.person(opened, alice.name)
        yield opened


async def made_key(browser: Browser, label: str = "laptop") -> str:
    answer = await browser.submit("/account/keys", "/account/keys", label=label)
    assert answer.status_code == 201, answer.text
    found = re.search(r"sim[0-9A-Za-z]{25}", answer.text)
    assert found
    return found[0]


async def key_rows(sessions: Sessions) -> list[Key]:
    async with sessions() as session:
        return list(await session.scalars(select(Key)))


@pytest.mark.parametrize("path", [*PAGES, f"/account/calls/{uuid4()}"])
async def test_each_page_needs_somebody_signed_in(site: Site, path: str) -> None:
    async with site.browser() as visitor:
        answer = await visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign_in?next=%2Faccount")


@pytest.mark.parametrize("path", PAGES[:3] + PAGES[4:])
async def test_an_empty_page_says_what_to_do(browser: Browser, path: str) -> None:
    page = await browser.get(path)
    assert page.status_code == 200
    assert "<h1>" in page.text
    assert "style=" not in page.text
    assert "<script>" not in page.text


async def test_the_overview_tells_the_money(
    browser: Browser, sessions: Sessions, alice: Account, shout: tuple[Algorithm, Version]
) -> None:
    await book(sessions, alice.id, *shout, royalty=2 * CREDIT, compute=42_000)
    page = (await browser.get("/account")).text
    assert "9,997.958" in page
    assert "2.042" in page
    assert "1 call" in page
    assert "author/</span><wbr>Shout" in page


async def test_a_key_is_shown_once_and_kept_only_as_a_hash(
    browser: Browser, sessions: Sessions
) -> None:
    house = await add_person(sessions, "algorium")
    await add_algorithm(
        sessions, house.id, "Sentiment", sample_type="json", sample_input=b'"it\'s"'
    )
    answer = await browser.submit("/account/keys", "/account/keys", label="  night   job ")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    text = re.search(r"sim[0-9A-Za-z]{25}", answer.text)
    assert text
    assert "curl http://127.0.0.1:8000/v1/algo/algorium/Sentiment" in answer.text
    assert f"Authorization: Simple {text[0]}" in answer.text.replace("&#39;", "'")

    (row,) = await key_rows(sessions)
    assert (row.label, row.digest) == ("night job", keys.digest(text[0]))
    assert text[0] not in repr(row)
    again = (await browser.get("/account/keys")).text
    assert text[0] not in again
    assert text[0][-4:] in again
    assert "night job" in again


@pytest.mark.parametrize("label", ["", "   ", "x" * 61, "tab\x07bell"])
async def test_a_label_that_cant_be_is_refused_beside_its_field(
    browser: Browser, sessions: Sessions, label: str
) -> None:
    answer = await browser.submit("/account/keys", "/account/keys", label=label)
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert await key_rows(sessions) == []


async def test_a_label_is_text_and_nothing_else(browser: Browser) -> None:
    await made_key(browser, "<img src=x onerror=alert(1)>")
    page = (await browser.get("/account/keys")).text
    assert "<img" not in page
    assert "&lt;img" in page


async def test_the_hundred_and_first_key_is_refused(
    browser: Browser, sessions: Sessions, alice: Account
) -> None:
    async with sessions.begin() as session:
        for number in range(service.KEYS_EACH):
            text = keys.new_key()
            session.add(
                Key(
                    account_id=alice.id, label=str(number), digest=keys.digest(text),
                    last_four=text[-4:],
                )
            )  # fmt: skip
    answer = await browser.submit("/account/keys", "/account/keys", label="one more")
    assert answer.status_code == 409
    assert "Revoke one first" in answer.text


async def test_revoking_asks_first_and_works_without_scripts(
    site: Site, browser: Browser, sessions: Sessions
) -> None:
    text = await made_key(browser)
    assert await site.keys.find(text)
    (row,) = await key_rows(sessions)
    path = f"/account/keys/{row.id}/revoke"
    asked = await browser.get(path)
    assert "can&#39;t be brought back" in asked.text or "can't be brought back" in asked.text
    assert (await key_rows(sessions))[0].revoked_at is None

    answer = await browser.submit(path, path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/keys")
    assert (await key_rows(sessions))[0].revoked_at is not None
    page = (await browser.get("/account/keys")).text
    assert "Revoked keys" in page
    assert path not in page
    # Asked again, there is nothing left to ask.
    assert (await browser.get(path)).status_code == 303
    token = token_on(await browser.get("/account/keys"))
    assert (await browser.client.post(path, data={"csrf": token})).status_code == 303


@pytest.mark.parametrize("key_id", ["theirs", str(uuid4()), "1"])
async def test_another_accounts_key_does_not_exist(
    site: Site, browser: Browser, sessions: Sessions, author: Account, key_id: str
) -> None:
    async with sessions.begin() as session:
        theirs, _ = await service.add_key(session, author.id, "theirs")
    path = f"/account/keys/{theirs.id if key_id == 'theirs' else key_id}/revoke"
    assert (await browser.get(path)).status_code == 404
    token = token_on(await browser.get("/account/keys"))
    assert (await browser.client.post(path, data={"csrf": token})).status_code == 404
    assert (await key_rows(sessions))[0].revoked_at is None


async def test_usage_lists_calls_with_sums_a_graph_and_its_table(
    browser: Browser, sessions: Sessions, alice: Account, shout: tuple[Algorithm, Version]
) -> None:
    async with sessions.begin() as session:
        key, _ = await service.add_key(session, alice.id, "nightly")
    top = await book(sessions, alice.id, *shout, royalty=2 * CREDIT, compute=42_000, key_id=key.id)
    await book(sessions, alice.id, *shout, error=("TimeoutError", "late"), parent_id=top)
    page = (await browser.get("/account/usage")).text
    assert page.count(f"/account/calls/{top}") == 3
    assert "nightly" in page
    assert "This site" in page
    assert "Timed out" in page
    assert "within another call" in page
    assert "2.042" in page
    assert page.count('<rect class="touch"') == 30
    assert page.count('<th scope="row">20') == 30
    assert "UTC" in page


async def test_usage_turns_its_pages(
    browser: Browser, sessions: Sessions, alice: Account, shout: tuple[Algorithm, Version]
) -> None:
    made = [
        await book(sessions, alice.id, *shout, at=now() - timedelta(minutes=index))
        for index in range(52)
    ]
    first, second, third, odd = [
        (await browser.get(f"/account/usage?page={page}")).text for page in ("1", "2", "3", "-x")
    ]
    assert str(made[0]) in first
    assert str(made[0]) in odd
    assert str(made[51]) not in first
    assert str(made[51]) in second
    assert "Page 2 of 2" in second
    assert "There is no page 3" in third


async def test_the_export_is_a_table_for_spreadsheets(
    browser: Browser, sessions: Sessions, alice: Account, shout: tuple[Algorithm, Version]
) -> None:
    async with sessions.begin() as session:
        key, _ = await service.add_key(session, alice.id, "=HYPERLINK(1)")
    await book(sessions, alice.id, *shout, royalty=1500 * CREDIT, compute=1, key_id=key.id)
    await book(sessions, alice.id, *shout, error=("InputError", "no"))
    answer = await browser.get("/account/usage.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    failed, paid = list(csv.DictReader(io.StringIO(answer.text)))
    assert (failed["outcome"], failed["error"], failed["total_credits"]) == (
        "failed", "InputError", "0",
    )  # fmt: skip
    assert (paid["algorithm"], paid["version"]) == ("author/Shout", "1.0.0")
    assert (paid["royalty_credits"], paid["total_credits"]) == ("1500", "1500.000001")
    assert paid["key"] == "'=HYPERLINK(1)"


async def test_one_call_is_told_to_the_last_line(
    browser: Browser, sessions: Sessions, alice: Account, shout: tuple[Algorithm, Version]
) -> None:
    call_id = await book(sessions, alice.id, *shout, royalty=2 * CREDIT, compute=42_000)
    await book(sessions, alice.id, *shout, royalty=CREDIT, parent_id=call_id)
    page = (await browser.get(f"/account/calls/{call_id}")).text
    for words in (
        "-2.000", "-0.042", "+1.400", "+0.600", "+0.042", "Your balance", "The marketplace",
        "Calls within this one", "3.042", "2.042", "48 ms", "Started a worker",
    ):  # fmt: skip
        assert words in page, words


async def test_a_failed_call_says_why_and_that_it_was_free(
    site: Site, browser: Browser, sessions: Sessions, alice: Account,
    shout: tuple[Algorithm, Version],
) -> None:  # fmt: skip
    call_id = await book(sessions, alice.id, *shout, error=("InputError", "<b>no</b> numbers"))
    page = (await browser.get(f"/account/calls/{call_id}")).text
    assert "&lt;b&gt;no&lt;/b&gt; numbers" in page
    assert "Not charged" in page
    async with site.browser() as other:
        await site.person(other, "author")
        seen = (await other.get(f"/account/calls/{call_id}")).text
    assert "numbers" not in seen.replace("tabular", "")
    assert "not charged" in seen
    assert "by a caller" in seen


async def test_a_strangers_call_does_not_exist(
    site: Site, browser: Browser, sessions: Sessions, author: Account,
    shout: tuple[Algorithm, Version],
) -> None:  # fmt: skip
    other, version = await add_algorithm(sessions, author.id, "Mine", royalty=0)
    async with sessions.begin() as session:
        from billing.ledger import grant  # noqa: PLC0415

        await grant(session, author.id, 10 * CREDIT, "for a test")
    call_id: UUID = await book(sessions, author.id, other, version, compute=1)
    for path in (f"/account/calls/{call_id}", f"/account/calls/{uuid4()}", "/account/calls/1"):
        assert (await browser.get(path)).status_code == 404, path


async def test_earnings_lead_from_the_sum_down_to_the_call(
    site: Site, sessions: Sessions, alice: Account, author: Account,
    shout: tuple[Algorithm, Version],
) -> None:  # fmt: skip
    call_id = await book(sessions, alice.id, *shout, royalty=2 * CREDIT, compute=42_000)
    async with site.browser() as browser:
        await site.person(browser, "author")
        page = (await browser.get("/account/earnings")).text
        assert "1.400" in page
        assert f"/account/calls/{call_id}" in page
        assert "alice" not in page
        seen = (await browser.get(f"/account/calls/{call_id}")).text
    assert "Your share" in seen
    assert "alice" not in seen
    assert "0.042" not in seen
