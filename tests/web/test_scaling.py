"""An author sees where a version runs and what is kept costs, and changes it by a form."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from billing import ledger
from billing.ledger import Ledger
from billing.models import Reservation
from billing.pricing import CREDIT
from catalog import scaling
from catalog.models import ReservationEnd, Version
from core.accounts.models import Account
from core.db import Sessions
from core.hardware import Node, offered
from execution.hardware import offers_of, write_offers
from execution.models import Application
from tests.people import add_person
from tests.web.public import Public, form_token

PAGE = "/algorithms/author/Shout"
FORM = {"min_replicas": "1", "max_replicas": "3", "target_ongoing": "9"}


@pytest.fixture
def public(sessions: Sessions, money: Ledger, tmp_path: Path) -> Public:
    return Public(sessions, money, tmp_path)


@pytest.fixture
async def author(sessions: Sessions) -> Account:
    return await add_person(sessions, "author")


@pytest.fixture
async def version(public: Public, author: Account) -> Version:
    return (await public.publish(author.id, "Shout", hardware="cpu-2", compute_rate=1800))[1]


@pytest.fixture
async def browser(
    public: Public, author: Account, version: Version
) -> AsyncIterator[httpx.AsyncClient]:
    """The author's."""
    async with public.visitor() as client:
        await public.sign_in(client, author.id)
        yield client


async def send(client: httpx.AsyncClient, **more: str) -> httpx.Response:
    token = form_token(await client.get(PAGE))
    return await client.post(
        f"{PAGE}/scaling", data={"csrf": token, "version": "1.0.0", **FORM, **more}
    )


async def kept(sessions: Sessions, version: Version) -> tuple[int, int, int]:
    async with sessions() as session:
        found = await session.get_one(Version, version.id)
    return found.min_replicas, found.max_replicas, found.target_ongoing


async def test_everybody_sees_the_hardware_and_its_rate(public: Public, version: Version) -> None:
    async with public.visitor() as visitor:
        page = (await visitor.get(PAGE)).text
    assert "2 CPUs" in page
    assert "1.8 cr / s" in page
    assert '<span class="mono">1.8</span> cr a second' in page
    assert "Scaling" not in page


async def test_the_author_sees_where_it_runs(
    browser: httpx.AsyncClient, sessions: Sessions, version: Version
) -> None:
    page = (await browser.get(PAGE)).text
    assert "the next call starts a replica" in page
    assert "6,480 cr" in page  # an hour at 1.8 a second
    async with sessions.begin() as session:
        session.add(Application(version_id=version.id, replicas=3, running=2))
    page = (await browser.get(PAGE)).text
    assert "of 3" in page
    assert "2 of 3 own" in (await browser.get("/account/earnings")).text


async def test_the_author_changes_it_and_comes_back(
    browser: httpx.AsyncClient, sessions: Sessions, version: Version
) -> None:
    answer = await send(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#scaling")
    assert await kept(sessions, version) == (1, 3, 9)
    assert "6,480 cr an hour" in (await browser.get(PAGE)).text


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"min_replicas": "4"}, 400, "from 0 to max_replicas"),
        ({"max_replicas": "0", "min_replicas": "0"}, 400, "on cpu-2 it has replicas of its own"),
        ({"target_ongoing": "x<b>"}, 400, "x&lt;b&gt;"),
        ({"min_replicas": "2"}, 402, "10,000 are free"),
    ],
)
async def test_what_cant_be_is_said_beside_what_was_typed(
    browser: httpx.AsyncClient,
    sessions: Sessions,
    version: Version,
    more: dict[str, str],
    status: int,
    words: str,
) -> None:
    before = await kept(sessions, version)
    answer = await send(browser, **more)
    assert answer.status_code == status
    assert words in answer.text
    assert 'value="9"' in answer.text or "target_ongoing" in more
    assert await kept(sessions, version) == before


async def test_nobody_else_may_and_to_them_it_isnt_there(
    public: Public, sessions: Sessions, version: Version
) -> None:
    other = await add_person(sessions, "other")
    async with public.visitor() as client:
        await public.sign_in(client, other.id)
        assert (await send(client)).status_code == 404
    async with public.visitor() as visitor:
        bare = await visitor.post(f"{PAGE}/scaling", data=FORM)
    assert bare.status_code in {303, 403}
    assert await kept(sessions, version) == (0, 4, 4)


async def test_why_replicas_are_kept_no_longer_is_said(
    browser: httpx.AsyncClient, public: Public, sessions: Sessions, author: Account,
    version: Version,
) -> None:  # fmt: skip
    await send(browser)
    async with sessions.begin() as session:
        await scaling.end_reservation(session, version.id, ReservationEnd.UNPAID)
    assert "could not pay for another minute" in (await browser.get(PAGE)).text
    await send(browser)
    await public.publish(author.id, "Shout", number=(1, 1, 0))
    older = (await browser.get(f"{PAGE}?version=1.0.0")).text
    assert "kept for the newest version alone" in older
    assert "Save scaling" not in older
    assert (await send(browser)).status_code == 409


async def test_what_was_kept_is_listed_down_to_the_minute(
    browser: httpx.AsyncClient, public: Public, sessions: Sessions, author: Account,
    version: Version,
) -> None:  # fmt: skip
    assert "No replicas were kept" in (await browser.get("/account/reservations")).text
    began = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    async with sessions.begin() as session:
        for minute in range(3):
            row = Reservation(
                version_id=version.id, account_id=author.id, replicas=2, amount=216 * CREDIT,
                minute=began + timedelta(minutes=minute),
            )  # fmt: skip
            assert await ledger.charge_reservation(session, row)
    page = (await browser.get("/account/reservations")).text
    assert "-648" in page
    address = f"/account/reservations/{version.id}/{began.date().isoformat()}"
    assert address in page
    day = (await browser.get(address)).text
    assert str(row.id) in day
    assert day.count("-216.000") == 3
    for path in ("/account", "/account/earnings"):
        assert "Replicas kept" in (await browser.get(path)).text
    # The day's spending in the top bar counts it.
    assert "648" in (await browser.get("/search")).text
    other = await add_person(sessions, "other")
    async with public.visitor() as client:
        await public.sign_in(client, other.id)
        assert (await client.get(address)).status_code == 404
    assert (await browser.get(f"/account/reservations/{version.id}/never")).status_code == 404


async def test_the_page_publish_lists_what_there_is(public: Public, sessions: Sessions) -> None:
    async with public.visitor() as visitor:
        page = (await visitor.get("/publish")).text
        assert "<code>cpu-1</code>\n" in page
        assert "<code>gpu</code>" not in page
        async with sessions.begin() as session:
            await write_offers(session, offers_of(offered("gpu=20"), [Node(8, 64_000, 1)]))
        page = (await visitor.get("/publish")).text
    assert "<code>gpu</code>" in page
    assert "72,000" in page
    assert "<code>cpu-2</code>" not in page
