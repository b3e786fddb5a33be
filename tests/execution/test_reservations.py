"""Replicas that are kept for an author: watched by the minute, paid for once, ended unpaid."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from billing import ledger
from billing.models import Entry, EntryKind, Reservation
from billing.pricing import CREDIT
from catalog.models import ReservationEnd, Version
from catalog.scaling import Scaling
from core.accounts.models import Account
from core.db import Sessions
from core.errors import BadInput, Conflict, InsufficientCredits, NotFound
from execution.applications import POOL, Found, own_application
from execution.reconcile import Reconciler
from execution.reservations import Kept, Meter, change, charge
from execution.scaling import IDLE_S
from tests.execution.serve import Serve
from tests.market import actor_of
from tests.people import add_algorithm, add_person

BEGAN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
ONE = uuid4()
MINUTE = 60 * CREDIT  # what one replica of the default hardware costs


def seconds(*numbers: float) -> list[datetime]:
    return [BEGAN + timedelta(seconds=number) for number in numbers]


def watched(meter: Meter, moments: list[datetime], running: int = 1) -> list[Kept]:
    return [kept for at in moments for kept in meter.see({ONE: running}, at)]


def test_a_minute_counts_once_it_has_ended_and_was_watched_whole() -> None:
    meter = Meter()
    assert watched(meter, seconds(*range(30, 120))) == []
    assert watched(meter, seconds(120)) == [Kept(ONE, BEGAN + timedelta(minutes=1), 1)]
    assert watched(meter, seconds(121, 122)) == []


def test_the_fewest_replicas_of_a_minute_count() -> None:
    meter = Meter()
    watched(meter, seconds(*range(50, 90)), 2)
    watched(meter, seconds(90), 1)
    watched(meter, seconds(*range(91, 120)), 3)
    assert [kept.replicas for kept in watched(meter, seconds(120), 3)] == [1]


def test_a_minute_with_none_for_a_moment_or_begun_late_is_free() -> None:
    meter = Meter()
    watched(meter, seconds(*range(50, 70)))
    watched(meter, seconds(70), 0)
    assert watched(meter, seconds(*range(71, 121))) == []
    late = Meter()
    late.see({}, BEGAN + timedelta(seconds=59))
    late.see({}, BEGAN + timedelta(seconds=60))
    assert watched(late, seconds(*range(61, 121))) == []


@pytest.mark.parametrize("gap", [(70, 100), (110, 130), (40, 61), (70, 3700), (70, 30)])
def test_a_minute_with_a_gap_in_it_is_free(gap: tuple[int, int]) -> None:
    meter = Meter()
    moments = [*range(35, gap[0] + 1, 5), *range(gap[1], gap[1] + 31, 5)]
    assert watched(meter, seconds(*moments)) == []


@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(0, 3)), max_size=80))
def test_never_more_is_counted_than_was_seen_all_through_the_minute(
    looks: list[tuple[float, int]],
) -> None:
    meter, at = Meter(), BEGAN
    seen: list[tuple[datetime, int]] = []
    counted: set[datetime] = set()
    for pause, running in looks:
        at += timedelta(seconds=pause)
        for kept in meter.see({ONE: running}, at):
            inside = [n for when, n in seen if kept.minute <= when < kept.minute + MINUTE_LONG]
            assert inside
            assert 0 < kept.replicas == min(inside)
            assert kept.minute not in counted
            counted.add(kept.minute)
        seen.append((at, running))


MINUTE_LONG = timedelta(minutes=1)


async def author_of(
    sessions: Sessions, credit: int = 1000 * CREDIT, **more: object
) -> tuple[Account, Version]:
    author = await add_person(sessions, "author", credit=credit)
    _, version = await add_algorithm(sessions, author.id, **more)  # type: ignore[arg-type]
    return author, version


async def balance(sessions: Sessions, author: Account) -> int:
    async with sessions() as session:
        assert await ledger.differences(session) == []
        return (await ledger.wallet_of(session, author.id)).balance


async def test_a_minute_is_charged_once_whoever_asks_how_often(sessions: Sessions) -> None:
    author, version = await author_of(sessions, min_replicas=2)
    kept = Kept(version.id, BEGAN, 2)
    await asyncio.gather(*(charge(sessions, kept) for _ in range(5)))
    assert await balance(sessions, author) == 1000 * CREDIT - 2 * MINUTE
    async with sessions() as session:
        (row,) = await session.scalars(select(Reservation))
        assert (row.replicas, row.amount, row.account_id) == (2, 2 * MINUTE, author.id)
        lines = await session.scalars(
            select(Entry).where(Entry.transaction_id == row.id).order_by(col(Entry.id))
        )
        assert [(line.kind, line.amount) for line in lines] == [
            (EntryKind.RESERVATION, -2 * MINUTE), (EntryKind.RESERVATION, 2 * MINUTE),
        ]  # fmt: skip


async def test_the_rate_is_that_of_the_versions_hardware(sessions: Sessions) -> None:
    author, version = await author_of(sessions, hardware="gpu", compute_rate=12_000)
    await charge(sessions, Kept(version.id, BEGAN, 1))
    assert await balance(sessions, author) == 1000 * CREDIT - 12 * MINUTE


async def test_who_cant_pay_is_charged_nothing_and_keeps_nothing(sessions: Sessions) -> None:
    author, version = await author_of(sessions, MINUTE - 1, min_replicas=1)
    await charge(sessions, Kept(version.id, BEGAN, 1))
    assert await balance(sessions, author) == MINUTE - 1
    async with sessions() as session:
        found = await session.get_one(Version, version.id)
        assert (found.min_replicas, found.reservation_end) == (0, ReservationEnd.UNPAID)


async def test_what_is_held_for_calls_is_not_spent_on_replicas(sessions: Sessions) -> None:
    author, version = await author_of(sessions, MINUTE, min_replicas=1)
    async with sessions.begin() as session:
        wallet = await ledger.wallet_of(session, author.id)
        wallet.held = 1
    await charge(sessions, Kept(version.id, BEGAN, 1))
    async with sessions() as session:
        assert (await ledger.wallet_of(session, author.id)).balance == MINUTE


async def test_a_row_that_the_books_dont_know_is_found(sessions: Sessions) -> None:
    author, version = await author_of(sessions)
    async with sessions.begin() as session:
        session.add(
            Reservation(
                version_id=version.id, account_id=author.id, minute=BEGAN, replicas=1, amount=5
            )
        )
    async with sessions() as session:
        (found,) = await ledger.differences(session)
        assert "5 microcredits, the books say 0" in found


class Wall:
    """Both clocks, stepped together."""

    at = BEGAN

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return (self.at - BEGAN).total_seconds()


async def keep(sessions: Sessions, serve: Serve, wall: Wall, for_s: int) -> None:
    """Let a worker tick for a while, every ten seconds."""
    worker = Reconciler(sessions, serve, clock=wall.seconds, wall=wall.now)
    for _ in range(0, for_s, 10):
        await worker.tick()
        wall.at += timedelta(seconds=10)


async def test_replicas_are_kept_and_paid_by_the_minute_until_the_credit_ends(
    sessions: Sessions,
) -> None:
    author, version = await author_of(sessions, 2 * MINUTE + MINUTE // 2, min_replicas=1)
    serve, wall = Serve(), Wall()
    own = own_application(version.id)
    await keep(sessions, serve, wall, 130)
    assert serve.there[own].running == 1
    assert await balance(sessions, author) == MINUTE + MINUTE // 2
    # Another worker, that knows nothing of this one: the minute between them is free.
    await keep(sessions, serve, wall, 250)
    assert await balance(sessions, author) < MINUTE
    await keep(sessions, serve, wall, int(IDLE_S) + 60)
    assert set(serve.there) == {POOL}
    async with sessions() as session:
        found = await session.get_one(Version, version.id)
        assert (found.min_replicas, found.reservation_end) == (0, ReservationEnd.UNPAID)


async def test_what_does_not_run_costs_nothing(sessions: Sessions) -> None:
    author, version = await author_of(sessions, min_replicas=1)

    class Full(Serve):
        async def deploy(self, name: str, wish: object) -> None:
            self.there[name] = Found(wish, int(name == POOL))  # type: ignore[arg-type]

    serve, wall = Full(), Wall()
    await keep(sessions, serve, wall, 300)
    assert own_application(version.id) in serve.there
    assert await balance(sessions, author) == 1000 * CREDIT


async def test_a_newer_version_ends_it(sessions: Sessions) -> None:
    author, version = await author_of(sessions, min_replicas=1)
    await add_algorithm(sessions, author.id, number=(1, 1, 0))
    async with sessions() as session:
        found = await session.get_one(Version, version.id)
        assert (found.min_replicas, found.reservation_end) == (0, ReservationEnd.REPLACED)
    # One that is older from the start keeps none either.
    _, older = await add_algorithm(sessions, author.id, number=(1, 0, 1), min_replicas=1)
    assert older.reservation_end is ReservationEnd.REPLACED
    serve, wall = Serve(), Wall()
    await keep(sessions, serve, wall, 30)
    assert set(serve.there) == {POOL}


async def test_only_its_author_changes_how_a_version_is_scaled(sessions: Sessions) -> None:
    author, version = await author_of(sessions, 7200 * CREDIT)
    other = await add_person(sessions, "other")
    wish = Scaling(min_replicas=2, max_replicas=3, target_ongoing=9)
    with pytest.raises(NotFound):
        async with sessions.begin() as session:
            await change(session, actor_of(other), version.id, wish)
    async with sessions.begin() as session:
        changed = await change(session, actor_of(author), version.id, wish)
    assert (changed.min_replicas, changed.max_replicas, changed.target_ongoing) == (2, 3, 9)


async def test_what_cant_be_kept_or_paid_is_refused_and_nothing_changes(
    sessions: Sessions,
) -> None:
    author, version = await author_of(sessions, 7200 * CREDIT - 1)
    _, old = await add_algorithm(sessions, author.id, "Old")
    await add_algorithm(sessions, author.id, "Old", number=(2, 0, 0))
    for version_id, wish, refusal in (
        (version.id, Scaling(min_replicas=2), InsufficientCredits),
        (version.id, Scaling(min_replicas=5), BadInput),
        (version.id, Scaling(target_ongoing=0), BadInput),
        (old.id, Scaling(), Conflict),
    ):
        with pytest.raises(refusal):
            async with sessions.begin() as session:
                await change(session, actor_of(author), version_id, wish)
    async with sessions() as session:
        assert (await session.get_one(Version, version.id)).min_replicas == 0
