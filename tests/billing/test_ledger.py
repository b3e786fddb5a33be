"""The books: no interleaving of calls, failures and crashes loses or makes money."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import col, func, select

from billing import ledger, pricing
from billing.ledger import HoldRequest, Ledger, Settlement
from billing.models import Call, CallState, Entry, Hold, Reservation, Wallet, WalletKind
from billing.pricing import FREE, Charge
from core.accounts import service
from core.clock import now
from core.db import Sessions
from core.errors import BadInput
from tests.conftest import EMPTY
from tests.people import add_algorithm, add_person

LATER = timedelta(minutes=5)
MINUTES = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Market:
    """A payer, an author and the author's algorithm."""

    payer: UUID
    payer_wallet: UUID
    earner_wallet: UUID
    algorithm: UUID
    version: UUID
    settled: dict[UUID, Charge] = field(default_factory=dict)

    def settlement(self, call_id: UUID, cost: Charge, *, failed: bool = False) -> Settlement:
        """The end of one call."""
        return Settlement(
            id=call_id,
            account_id=self.payer,
            algorithm_id=self.algorithm,
            version_id=self.version,
            earner=self.earner_wallet,
            state=CallState.FAILED if failed else CallState.SUCCEEDED,
            royalty=cost.royalty,
            compute=cost.compute,
            author_share=cost.author_share,
            created_at=now(),
        )

    def request(self, amount: int, call_id: UUID | None = None) -> HoldRequest:
        """Ask for a hold."""
        return HoldRequest(call_id or uuid4(), self.payer_wallet, amount, now() + LATER)


async def open_market(sessions: Sessions, credit: int) -> Market:
    payer = await add_person(sessions, "payer", credit=credit)
    author = await add_person(sessions, "author", credit=0)
    algorithm, version = await add_algorithm(sessions, author.id)
    async with sessions() as session:
        return Market(
            payer.id,
            (await ledger.wallet_of(session, payer.id)).id,
            (await ledger.wallet_of(session, author.id)).id,
            algorithm.id,
            version.id,
        )


async def balances_of_payer(sessions: Sessions, market: Market) -> tuple[int, int]:
    """The payer's balance, and what is held of it."""
    async with sessions() as session:
        wallet = await session.get_one(Wallet, market.payer_wallet)
        return wallet.balance, wallet.held


async def balances(sessions: Sessions, market: Market) -> tuple[int, int, int]:
    """The payer's balance, what is held of it, and the author's balance."""
    async with sessions() as session:
        payer = await session.get_one(Wallet, market.payer_wallet)
        author = await session.get_one(Wallet, market.earner_wallet)
        return payer.balance, payer.held, author.balance


async def test_a_call_is_held_then_charged_in_two_lines(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    held = market.request(600)
    assert await money.hold([held]) == [True]
    assert await balances(sessions, market) == (1_000, 600, 0)

    cost = Charge(royalty=100, compute=30)
    assert await money.settle([market.settlement(held.call_id, cost)]) == [True]

    assert await balances(sessions, market) == (870, 0, 70)
    async with sessions() as session:
        lines = await session.execute(
            select(Entry.kind, Entry.amount)
            .where(Entry.call_id == held.call_id)
            .order_by(col(Entry.id))
        )
        assert [tuple(line) for line in lines] == [
            ("royalty", -100),
            ("compute", -30),
            ("share", 70),
            ("cut", 30),
            ("compute", 30),
        ]
        assert await ledger.differences(session) == []


async def test_settling_twice_is_settling_once(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    held = market.request(600)
    await money.hold([held])
    ended = market.settlement(held.call_id, Charge(100, 30))
    results = await asyncio.gather(*(money.settle([ended]) for _ in range(8)))
    assert sorted(result[0] for result in results) == [False] * 7 + [True]
    assert await balances(sessions, market) == (870, 0, 70)


async def test_a_failed_call_costs_nothing_and_is_on_record(
    sessions: Sessions, money: Ledger
) -> None:
    market = await open_market(sessions, 1_000)
    held = market.request(600)
    await money.hold([held])
    await money.settle([market.settlement(held.call_id, FREE, failed=True)])
    assert await balances(sessions, market) == (1_000, 0, 0)
    async with sessions() as session:
        assert (await session.get_one(Call, held.call_id)).state is CallState.FAILED
        assert await session.scalar(select(func.count()).select_from(Entry)) == 2  # The grant.


async def test_a_small_call_is_paid_though_a_large_one_before_it_was_refused(
    sessions: Sessions, money: Ledger
) -> None:
    market = await open_market(sessions, 1_000)
    asked = [market.request(amount) for amount in (400, 700, 600, 1)]
    assert await money.hold(asked) == [True, False, True, False]


async def test_wallets_of_one_group_are_each_held_out_of_their_own(
    sessions: Sessions, money: Ledger
) -> None:
    market = await open_market(sessions, 1_000)
    other = await add_person(sessions, "other", credit=500)
    async with sessions() as session:
        wallet = (await ledger.wallet_of(session, other.id)).id
    others = [HoldRequest(uuid4(), wallet, 250, now() + LATER) for _ in range(2)]
    # What both can pay whole; then one that can't, and one that nobody has.
    assert await money.hold([market.request(300), *others, market.request(400)]) == [True] * 4
    nobodys = HoldRequest(uuid4(), uuid4(), 1, now() + LATER)
    more = [market.request(300), HoldRequest(uuid4(), wallet, 1, now() + LATER), nobodys]
    assert await money.hold(more) == [True, False, False]
    assert await balances(sessions, market) == (1_000, 1_000, 0)
    async with sessions() as session:
        assert (await ledger.wallet_of(session, other.id)).held == 500
        assert await ledger.differences(session) == []


async def test_a_share_for_nobody_is_refused_whole(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    held = market.request(200)
    await money.hold([held])
    market.earner_wallet = uuid4()
    with pytest.raises(Exception, match="nobody to be shared with"):
        await money.settle([market.settlement(held.call_id, Charge(100, 1))])
    assert await balances_of_payer(sessions, market) == (1_000, 200)


@pytest.mark.parametrize("table", ["wallet", "account", "key", "algorithm", "version"])
async def test_what_the_books_may_name_cant_be_deleted(
    sessions: Sessions, money: Ledger, table: str
) -> None:
    market = await open_market(sessions, 1_000)
    async with sessions.begin() as session:
        await service.add_key(session, market.payer, "a program")
    with pytest.raises(DBAPIError, match="the books may name"):
        async with sessions.begin() as session:
            await session.execute(text(f"DELETE FROM {table}"))


async def test_what_names_nothing_is_found(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    held = market.request(200)
    await money.hold([held])
    nothing = uuid4()
    market.version = nothing
    await money.settle([market.settlement(held.call_id, Charge(100, 1))])
    async with sessions.begin() as session:
        await session.execute(
            text("UPDATE entry SET wallet_id = :id WHERE kind = 'share'"), {"id": nothing}
        )
        found = await ledger.differences(session)
    assert f"Call.version_id names {nothing}, which isn't there" in found
    assert f"Entry.wallet_id names {nothing}, which isn't there" in found


async def test_an_author_may_call_their_own_algorithm(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    market.earner_wallet = market.payer_wallet
    held = market.request(600)
    await money.hold([held])
    await money.settle([market.settlement(held.call_id, Charge(100, 30))])
    async with sessions() as session:
        wallet = await session.get_one(Wallet, market.payer_wallet)
        assert (wallet.balance, wallet.held) == (1_000 - 130 + 70, 0)
        assert await ledger.differences(session) == []


async def test_what_a_killed_gateway_held_comes_back(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    lost = HoldRequest(uuid4(), market.payer_wallet, 900, now() - timedelta(seconds=1))
    alive = market.request(100)
    assert await money.hold([lost, alive]) == [True, True]
    async with sessions.begin() as session:
        assert await ledger.release_expired(session) == 1
        assert await ledger.release_expired(session) == 0
    assert await balances(sessions, market) == (1_000, 100, 0)
    # Too late: nothing is charged for a call whose hold ran out.
    assert await money.settle([market.settlement(lost.call_id, Charge(1, 1))]) == [False]
    assert await balances(sessions, market) == (1_000, 100, 0)


async def test_a_charge_above_its_hold_is_refused_whole(sessions: Sessions, money: Ledger) -> None:
    market = await open_market(sessions, 1_000)
    held = market.request(100)
    await money.hold([held])
    with pytest.raises(Exception, match="above what was held"):
        await money.settle([market.settlement(held.call_id, Charge(100, 1))])
    assert await balances(sessions, market) == (1_000, 100, 0)


async def test_a_burst_of_500_against_credit_for_10_is_served_10_times(
    sessions: Sessions, money: Ledger
) -> None:
    market = await open_market(sessions, 10 * 130)

    async def one() -> bool:
        held = market.request(130)
        if not (await money.hold([held]))[0]:
            return False
        return (await money.settle([market.settlement(held.call_id, Charge(100, 30))]))[0]

    served = await asyncio.gather(*(one() for _ in range(500)))
    assert sum(served) == 10
    assert await balances(sessions, market) == (0, 0, 700)


async def test_the_database_itself_refuses_a_balance_below_zero(
    sessions: Sessions, money: Ledger
) -> None:
    market = await open_market(sessions, 100)
    with pytest.raises(IntegrityError):
        async with sessions.begin() as session:
            await session.execute(
                text("UPDATE wallet SET balance = -1 WHERE id = :id"), {"id": market.payer_wallet}
            )


async def test_entries_can_be_checked_against_balances(sessions: Sessions) -> None:
    market = await open_market(sessions, 100)
    async with sessions.begin() as session:
        await session.execute(
            text("UPDATE wallet SET balance = 99 WHERE id = :id"), {"id": market.payer_wallet}
        )
    async with sessions() as session:
        (found,) = await ledger.differences(session)
    assert str(market.payer_wallet) in found


@pytest.mark.parametrize("amount", [0, -5])
async def test_a_grant_is_above_zero(sessions: Sessions, amount: int) -> None:
    market = await open_market(sessions, 100)
    with pytest.raises(BadInput):
        async with sessions.begin() as session:
            await ledger.grant(session, market.payer, amount, "no")


async def begin_anew(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        for statement in EMPTY.split(";\n"):
            if statement.strip():
                await session.execute(text(statement))


async def keep(sessions: Sessions, market: Market, minutes: set[datetime], amount: int) -> int:
    """Charge the payer for replicas that were kept, some minutes more than once; gives the cost."""
    kept = Reservation(
        version_id=market.version, account_id=market.payer, replicas=1, amount=amount,
        minute=MINUTES + timedelta(minutes=amount % 7),
    )  # fmt: skip
    balance, held, _ = await balances(sessions, market)
    async with sessions.begin() as session:
        paid = await ledger.charge_reservation(session, kept)
    if kept.minute in minutes:
        return 0
    assert paid == (amount <= balance - held)
    minutes |= {kept.minute} if paid else set()
    return amount if paid else 0


STEP = st.one_of(
    st.tuples(st.just("hold"), st.integers(1, 400)),
    st.tuples(st.just("batch"), st.integers(1, 6)),
    st.tuples(st.just("succeed"), st.integers(0, 100)),
    st.tuples(st.just("fail"), st.integers(0, 100)),
    st.tuples(st.just("repeat"), st.integers(0, 100)),
    st.tuples(st.just("crash"), st.integers(0, 100)),
    st.tuples(st.just("release"), st.just(0)),
    st.tuples(st.just("grant"), st.integers(1, 200)),
    st.tuples(st.just("keep"), st.integers(0, 400)),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(credit=st.integers(0, 1_000), steps=st.lists(STEP, max_size=25))
async def test_the_books_agree_after_any_sequence(
    sessions: Sessions, money: Ledger, credit: int, steps: list[tuple[str, int]]
) -> None:
    await begin_anew(sessions)
    market = await open_market(sessions, credit)
    open_holds: list[HoldRequest] = []
    ended: list[Settlement] = []
    minutes: set[datetime] = set()
    granted, spent = credit, 0
    for name, number in steps:
        if name in {"hold", "batch"}:
            amounts = [number] if name == "hold" else [100] * number
            asked = [market.request(amount) for amount in amounts]
            placed = await money.hold(asked)
            open_holds += [held for held, ok in zip(asked, placed, strict=True) if ok]
        elif name in {"succeed", "fail"} and open_holds:
            held = open_holds.pop(number % len(open_holds))
            royalty = min(number, held.amount)
            cost = Charge(royalty, held.amount - royalty) if name == "succeed" else FREE
            last = market.settlement(held.call_id, cost, failed=name == "fail")
            assert await money.settle([last]) == [True]
            ended.append(last)
            spent += cost.total
        elif name == "repeat" and ended:
            assert await money.settle([ended[number % len(ended)]]) == [False]
        elif name == "crash" and open_holds:
            lost = open_holds.pop(number % len(open_holds))
            async with sessions.begin() as session:
                hold = await session.get_one(Hold, lost.call_id)
                hold.expires_at = now() - timedelta(seconds=1)
        elif name == "release":
            async with sessions.begin() as session:
                await ledger.release_expired(session)
        elif name == "grant":
            async with sessions.begin() as session:
                await ledger.grant(session, market.payer, number, "more")
            granted += number
        elif name == "keep":
            spent += await keep(sessions, market, minutes, number)
        balance, held_now, earned = await balances(sessions, market)
        assert balance == granted - spent
        assert 0 <= held_now <= balance
        assert earned == sum(one.author_share for one in ended)
        async with sessions() as session:
            assert await ledger.differences(session) == []


async def test_the_house_has_one_wallet_of_each_kind(sessions: Sessions) -> None:
    with pytest.raises(IntegrityError):
        async with sessions.begin() as session:
            session.add(Wallet(kind=WalletKind.MARKET))
    assert pricing.AUTHOR_PERCENT == 70
