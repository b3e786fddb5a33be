"""One call in full: whole for its payer, its own part for its author, nothing for the rest."""

from uuid import UUID, uuid4

import pytest

from billing import receipts
from billing.models import EntryKind
from billing.receipts import receipt
from core.accounts import service
from core.accounts.actor import VISITOR, Actor
from core.accounts.models import Account
from core.db import Sessions
from core.errors import NotFound
from tests.accounts.books import book
from tests.people import add_algorithm, add_person


def as_actor(account: Account) -> Actor:
    return Actor(account_id=account.id, name=account.name)


@pytest.fixture
async def payer(sessions: Sessions) -> Account:
    return await add_person(sessions, "payer")


@pytest.fixture
async def author(sessions: Sessions) -> Account:
    return await add_person(sessions, "author", credit=0)


async def test_the_payer_sees_every_line_and_they_sum_to_nothing(
    sessions: Sessions, payer: Account, author: Account
) -> None:
    algorithm, version = await add_algorithm(sessions, author.id)
    async with sessions.begin() as session:
        key, _ = await service.add_key(session, payer.id, "laptop")
    call_id = await book(
        sessions, payer.id, algorithm, version, royalty=101, compute=48, key_id=key.id
    )
    async with sessions() as session:
        seen = await receipt(session, as_actor(payer), call_id)
    assert seen.is_payer
    assert not seen.is_author
    assert (seen.line.total, seen.line.key_label) == (149, "laptop")
    assert sum(line.amount for line in seen.lines) == 0
    assert [(line.owner, line.is_own, line.kind, line.amount) for line in seen.lines] == [
        ("payer", True, EntryKind.ROYALTY, -101),
        ("payer", True, EntryKind.COMPUTE, -48),
        ("author", False, EntryKind.SHARE, 71),
        (None, False, EntryKind.CUT, 30),
        (None, False, EntryKind.COMPUTE, 48),
    ]
    phases = seen.phases
    whole = phases.queued + phases.started + phases.loaded + phases.ran + phases.between
    assert whole == pytest.approx(phases.duration)


async def test_the_author_sees_the_share_and_nothing_of_the_caller(
    sessions: Sessions, payer: Account, author: Account
) -> None:
    outer, outer_version = await add_algorithm(sessions, payer.id, "Outer")
    inner, inner_version = await add_algorithm(sessions, author.id, "Inner")
    async with sessions.begin() as session:
        key, _ = await service.add_key(session, payer.id, "secret project")
    top = await book(sessions, payer.id, outer, outer_version, key_id=key.id)
    call_id = await book(
        sessions, payer.id, inner, inner_version,
        royalty=101, compute=48, key_id=key.id, parent_id=top,
    )  # fmt: skip
    await book(sessions, payer.id, outer, outer_version, parent_id=call_id)
    async with sessions() as session:
        seen = await receipt(session, as_actor(author), call_id)
    assert seen.is_author
    assert not seen.is_payer
    assert [(line.is_own, line.amount) for line in seen.lines] == [(True, 71)]
    assert seen.line.parent_id is None
    assert seen.line.key_label is None
    assert seen.line.key_last_four is None
    assert seen.nested.count == 0
    assert str(payer.id) not in repr(seen)
    assert "'payer'" not in repr(seen)
    assert "secret project" not in repr(seen)


async def test_the_words_of_an_error_are_the_callers_alone(
    sessions: Sessions, payer: Account, author: Account
) -> None:
    """They may quote the input: a way out of a sandbox that has no network."""
    algorithm, version = await add_algorithm(sessions, author.id)
    call_id = await book(
        sessions, payer.id, algorithm, version, error=("InputError", "got: my secret")
    )
    async with sessions() as session:
        mine = await receipt(session, as_actor(payer), call_id)
        theirs = await receipt(session, as_actor(author), call_id)
    assert (mine.error_message, mine.line.total, mine.lines) == ("got: my secret", 0, ())
    assert (theirs.error_message, theirs.line.error_type) == ("", "InputError")
    assert "my secret" not in repr(theirs)


async def test_to_anybody_else_there_is_no_such_call(
    sessions: Sessions, payer: Account, author: Account
) -> None:
    algorithm, version = await add_algorithm(sessions, author.id)
    call_id = await book(sessions, payer.id, algorithm, version)
    stranger = as_actor(await add_person(sessions, "stranger"))
    admin = Actor(account_id=uuid4(), is_admin=True)
    for actor in (stranger, admin, VISITOR):
        words = set()
        for wanted in (call_id, uuid4()):
            async with sessions() as session:
                with pytest.raises(NotFound) as refusal:
                    await receipt(session, actor, wanted)
                words.add(refusal.value.message)
        assert len(words) == 1


async def test_an_author_who_paid_sees_it_whole(sessions: Sessions, author: Account) -> None:
    algorithm, version = await add_algorithm(sessions, author.id)
    async with sessions.begin() as session:
        from billing.ledger import grant  # noqa: PLC0415

        await grant(session, author.id, 1000, "for a test")
    call_id = await book(sessions, author.id, algorithm, version, royalty=100, compute=1)
    async with sessions() as session:
        seen = await receipt(session, as_actor(author), call_id)
    assert seen.is_payer
    assert seen.is_author
    assert len(seen.lines) == 5
    assert sum(line.amount for line in seen.lines if line.is_own) == -31


async def test_calls_within_calls_are_a_tree_with_sums(
    sessions: Sessions, payer: Account, author: Account
) -> None:
    algorithm, version = await add_algorithm(sessions, author.id)

    async def call(cost: int, parent: UUID | None = None) -> UUID:
        return await book(sessions, payer.id, algorithm, version, royalty=cost, parent_id=parent)

    top = await call(1)
    first = await call(10, top)
    await call(100, first)
    deepest = await call(1000, first)
    await call(10_000, deepest)
    await call(100_000, top)
    await call(7)
    async with sessions() as session:
        seen = await receipt(session, as_actor(payer), top)
        inner = await receipt(session, as_actor(payer), first)
    assert [(one.depth, one.line.total, one.subtotal) for one in seen.nested.branches] == [
        (1, 10, 11_110),
        (2, 100, 100),
        (2, 1000, 11_000),
        (3, 10_000, 10_000),
        (1, 100_000, 100_000),
    ]
    assert (seen.nested.count, seen.nested.total) == (5, 111_110)
    assert (inner.nested.count, inner.nested.total) == (3, 11_100)
    assert inner.line.parent_id == top


async def test_a_very_wide_call_is_summed_whole_and_shown_in_part(
    sessions: Sessions, payer: Account, author: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "MOST_NESTED", 3)
    algorithm, version = await add_algorithm(sessions, author.id)
    top = await book(sessions, payer.id, algorithm, version)
    for _ in range(5):
        await book(sessions, payer.id, algorithm, version, royalty=10, parent_id=top)
    async with sessions() as session:
        seen = await receipt(session, as_actor(payer), top)
    assert len(seen.nested.branches) == 3
    assert (seen.nested.count, seen.nested.total) == (5, 50)
