"""Keys of programs: which ones let a call in, and how fast one that was revoked stops."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from core.accounts import keys, service
from core.accounts.actor import VISITOR
from core.accounts.models import Key
from core.db import Sessions
from core.errors import BadKey
from tests.people import add_person
from web.auth import key_cache
from web.auth.key_cache import KeyCache, actor_of_authorization


@dataclass
class Clock:
    """Seconds that go on when told to."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(sessions: Sessions, clock: Clock) -> KeyCache:
    return KeyCache(sessions, clock=clock)


@pytest.fixture
def statements(engine: AsyncEngine) -> Any:
    """The statements that the database is asked while the test runs."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine.sync_engine, "before_cursor_execute", note)


async def new_key(sessions: Sessions, name: str = "alice") -> tuple[Key, str]:
    account = await add_person(sessions, name)
    async with sessions.begin() as session:
        return await service.add_key(session, account.id, "laptop")


@pytest.mark.parametrize("scheme", ["", "Simple ", "Bearer ", "simple ", "BEARER  "])
async def test_a_key_is_known_in_each_form(
    sessions: Sessions, cache: KeyCache, scheme: str
) -> None:
    key, text = await new_key(sessions)
    actor = await actor_of_authorization(scheme + text, cache)
    assert (actor.name, actor.key_id) == ("alice", key.id)


@pytest.mark.parametrize("header", [None, "", "  "])
async def test_without_a_header_it_is_a_visitor(cache: KeyCache, header: str | None) -> None:
    assert await actor_of_authorization(header, cache) == VISITOR


async def test_what_cant_be_a_key_never_reaches_the_database(
    sessions: Sessions, cache: KeyCache, statements: list[str]
) -> None:
    good = keys.new_key()
    typo = good[:10] + ("a" if good[10] != "a" else "b") + good[11:]
    for header in ("x", typo, good[:-1], good + "a", "sim" + "é" * 25, f"Basic {good}", "a b c"):
        with pytest.raises(BadKey):
            await actor_of_authorization(header, cache)
    assert statements == []


async def test_unknown_and_revoked_keys_read_the_same(
    sessions: Sessions, cache: KeyCache, clock: Clock
) -> None:
    key, text = await new_key(sessions)
    async with sessions.begin() as session:
        await service.revoke_key(session, key.account_id, key.id)
    words = set()
    for one in (text, keys.new_key()):
        with pytest.raises(BadKey) as refusal:
            await actor_of_authorization(f"Simple {one}", cache)
        words.add(refusal.value.message)
    assert len(words) == 1


async def test_a_revoked_key_stops_within_a_second(
    sessions: Sessions, cache: KeyCache, clock: Clock
) -> None:
    key, text = await new_key(sessions)
    assert await cache.find(text)
    async with sessions.begin() as session:
        await service.revoke_key(session, key.account_id, key.id)
    clock.at += 0.999
    assert await cache.find(text) is None


async def test_a_revocation_during_the_look_up_lives_no_longer(
    sessions: Sessions, clock: Clock
) -> None:
    """The time counts from before the database was asked, however long it took."""
    key, text = await new_key(sessions)

    class Slow(KeyCache):
        async def _ask(self, digest: str) -> Any:
            found = await super()._ask(digest)
            clock.at += 5
            return found

    cache = Slow(sessions, clock=clock)
    assert await cache.find(text)
    async with sessions.begin() as session:
        await service.revoke_key(session, key.account_id, key.id)
    assert await cache.find(text) is None


async def test_a_new_key_works_within_a_second_of_a_try_before(
    sessions: Sessions, cache: KeyCache, clock: Clock
) -> None:
    account = await add_person(sessions, "alice")
    text = keys.new_key()
    assert await cache.find(text) is None
    async with sessions.begin() as session:
        session.add(
            Key(account_id=account.id, label="l", digest=keys.digest(text), last_four=text[-4:])
        )
    clock.at += 0.999
    assert await cache.find(text)


async def test_many_calls_at_once_ask_the_database_once(
    sessions: Sessions, cache: KeyCache, clock: Clock, statements: list[str]
) -> None:
    _, text = await new_key(sessions)
    statements.clear()
    found = await asyncio.gather(*(cache.find(text) for _ in range(50)))
    assert all(found)
    assert len([one for one in statements if "FROM account" in one]) == 1
    clock.at += 1
    await cache.find(text)
    assert len([one for one in statements if "FROM account" in one]) == 2


async def test_uses_are_written_together_and_once(
    sessions: Sessions, cache: KeyCache, statements: list[str]
) -> None:
    key, text = await new_key(sessions)
    for _ in range(20):
        await cache.find(text)
    statements.clear()
    async with sessions.begin() as session:
        await cache.flush(session)
        await cache.flush(session)
    assert len([one for one in statements if one.startswith("UPDATE")]) == 1
    async with sessions() as session:
        assert (await session.get_one(Key, key.id)).last_used_at is not None


async def test_what_could_not_be_written_is_written_the_next_time(
    sessions: Sessions, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, text = await new_key(sessions)
    await cache.find(text)

    async def broken(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(key_cache, "note_use", broken)
        async with sessions() as session:
            with pytest.raises(ConnectionError):
                await cache.flush(session)
    async with sessions.begin() as session:
        await cache.flush(session)
    async with sessions() as session:
        assert (await session.get_one(Key, key.id)).last_used_at is not None
