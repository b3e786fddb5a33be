"""What an account is told of its money agrees with the books, to the microcredit."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, func, select

from billing.ledger import differences, wallet_of
from billing.models import Entry, EntryKind, Wallet
from billing.pricing import CREDIT
from billing.statements import (
    WINDOW,
    Day,
    earned,
    earners,
    earning,
    purse,
    shares,
    spending,
    usage,
    usage_before,
)
from catalog.models import Algorithm, Version
from core.accounts import service
from core.accounts.models import Account
from core.clock import now
from core.db import Sessions
from core.paging import Page
from tests.accounts.books import book
from tests.people import add_algorithm, add_person
from web.pages.account_graph import HEIGHT, graph, scale_top

NOON = datetime.combine(now().date(), datetime.min.time(), UTC) + timedelta(hours=12)
TODAY = NOON.date()


class Market:
    """A payer and an author with an algorithm."""

    payer: Account
    author: Account
    algorithm: Algorithm
    version: Version

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    async def call(self, **more: object) -> UUID:
        return await book(
            self.sessions, self.payer.id, self.algorithm, self.version,
            **{"royalty": 3, "compute": 5, "at": NOON, **more},  # type: ignore[arg-type]
        )  # fmt: skip


@pytest.fixture
async def market(sessions: Sessions) -> Market:
    made = Market(sessions)
    made.payer = await add_person(sessions, "payer")
    made.author = await add_person(sessions, "author", credit=0)
    made.algorithm, made.version = await add_algorithm(sessions, made.author.id, royalty=3)
    return made


async def test_a_purse_tells_what_is_free_held_and_granted(
    sessions: Sessions, market: Market
) -> None:
    await market.call(royalty=100, compute=11)
    async with sessions.begin() as session:
        wallet = await wallet_of(session, market.payer.id)
        wallet.held = 7
    async with sessions() as session:
        money = await purse(session, market.payer.id)
    granted = 10_000 * CREDIT
    assert (money.granted, money.held, money.balance) == (granted, 7, granted - 111)
    assert money.free == granted - 118


async def test_an_account_without_a_wallet_has_nothing(sessions: Sessions) -> None:
    async with sessions() as session:
        account = await service.add_account(session, "bare")
        money = await purse(session, account.id)
    assert (money.free, money.granted) == (0, 0)


async def test_sums_lists_and_books_agree(sessions: Sessions, market: Market) -> None:
    for day in range(WINDOW):
        await market.call(royalty=10 * day + 1, compute=day * day, at=NOON - timedelta(days=day))
    await market.call(error=("AlgorithmError", "no"), royalty=10**6)
    async with sessions() as session:
        spent = await spending(session, market.payer.id, TODAY)
        lines, count = await usage(session, market.payer.id, Page(1, 1000))
        brought = await earning(session, market.author.id, TODAY)
        entries, shared = await shares(session, market.author.id, Page(1, 1000))
        by_algorithm = await earners(session, market.author.id, TODAY)
        payer, author = [
            await session.scalar(
                select(func.sum(Entry.amount))
                .join(Wallet, col(Wallet.id) == col(Entry.wallet_id))
                .where(Wallet.account_id == who, col(Entry.kind) != EntryKind.GRANT)
            )
            for who in (market.payer.id, market.author.id)
        ]
        assert await differences(session) == []
        ever = await earned(session, market.author.id)
    assert sum(day.amount for day in spent) == sum(line.total for line in lines) == -payer
    assert sum(day.calls for day in spent) == count == len(lines) == WINDOW + 1
    assert sum(day.amount for day in brought) == sum(one.amount for one in entries) == author
    assert ever == author == by_algorithm[0].ever == by_algorithm[0].window
    assert shared == WINDOW
    assert (by_algorithm[0].calls, by_algorithm[0].failed) == (WINDOW + 1, 1)


async def test_days_begin_at_midnight_in_utc(sessions: Sessions, market: Market) -> None:
    midnight = NOON - timedelta(hours=12)
    await market.call(royalty=1, compute=0, at=midnight)
    await market.call(royalty=10, compute=0, at=midnight - timedelta(microseconds=1))
    await market.call(royalty=100, compute=0, at=midnight - timedelta(days=WINDOW - 1))
    await market.call(
        royalty=1000, compute=0, at=midnight - timedelta(days=WINDOW - 1, microseconds=1)
    )
    async with sessions() as session:
        days = await spending(session, market.payer.id, TODAY)
    assert len(days) == WINDOW
    assert [day.on for day in days] == sorted(day.on for day in days)
    assert (days[-1].amount, days[-2].amount, days[0].amount) == (1, 10, 100)
    assert sum(day.amount for day in days) == 111


async def test_nobody_sees_what_is_somebody_elses(sessions: Sessions, market: Market) -> None:
    await market.call()
    stranger = await add_person(sessions, "stranger")
    async with sessions() as session:
        assert await usage(session, stranger.id, Page()) == ([], 0)
        assert sum(day.calls for day in await spending(session, stranger.id, TODAY)) == 0
        assert await shares(session, stranger.id, Page()) == ([], 0)
        assert await earned(session, stranger.id) == 0
        assert await earners(session, stranger.id, TODAY) == []
        # The payer earned nothing by it, and the author spent nothing.
        assert await earned(session, market.payer.id) == 0
        assert (await usage(session, market.author.id, Page()))[1] == 0


async def test_pages_hold_every_call_once_the_newest_first(
    sessions: Sessions, market: Market
) -> None:
    made = [await market.call(at=NOON - timedelta(seconds=index // 2)) for index in range(7)]
    async with sessions() as session:
        pages = [(await usage(session, market.payer.id, Page(n, 3)))[0] for n in (1, 2, 3, 4)]
    listed = [line for page in pages for line in page]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert {line.id for line in listed} == set(made)
    assert [line.at for line in listed] == sorted((line.at for line in listed), reverse=True)


async def test_an_export_in_parts_holds_every_call_once(sessions: Sessions, market: Market) -> None:
    made = {await market.call() for _ in range(7)}
    found, last = [], None
    async with sessions() as session:
        while part := await usage_before(session, market.payer.id, last, 3):
            found += part
            last = part[-1]
    assert len(found) == 7
    assert {line.id for line in found} == made


async def test_an_author_who_calls_their_own_pays_and_earns(
    sessions: Sessions, market: Market
) -> None:
    market.payer = await add_person(sessions, "both")
    market.algorithm, market.version = await add_algorithm(sessions, market.payer.id, "Own")
    await market.call(royalty=100, compute=1)
    async with sessions() as session:
        assert (await spending(session, market.payer.id, TODAY))[-1].amount == 101
        assert (await earning(session, market.payer.id, TODAY))[-1].amount == 70


@given(st.integers(min_value=0, max_value=10**18))
def test_the_scale_ends_at_a_round_number_above_everything(highest: int) -> None:
    top = scale_top(highest)
    assert max(1, highest) <= top <= max(1, highest) * 2.5
    assert str(top).rstrip("0") in {"1", "2", "5"}


@given(st.lists(st.integers(min_value=0, max_value=10**15), min_size=1, max_size=30))
def test_bars_stand_on_the_ground_and_stay_in_the_drawing(amounts: list[int]) -> None:
    drawn = graph([Day(TODAY, amount, 1) for amount in amounts])
    assert drawn.total == sum(amounts)
    assert drawn.today == amounts[-1]
    for bar in drawn.bars:
        assert bar.y + bar.height == pytest.approx(HEIGHT)
        assert bar.y >= 0
        assert (bar.height > 0) == (bar.day.amount > 0)
