"""Keys of programs: who sends one, looked up fast and forgotten fast."""

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.accounts import keys
from core.accounts.actor import VISITOR, Actor
from core.accounts.queries import actor_of_key
from core.accounts.service import note_use
from core.clock import now
from core.db import Sessions
from core.errors import BadKey
from core.memory import Memory

# Below a second, so that a revoked key has stopped working everywhere when one is over.
LASTS_S = 0.9
LARGEST = 20_000


class KeyCache:
    """Actors by the digests of their keys, each kept for 0.9 seconds at most.

    One lives in every process that takes calls. `clock` gives seconds that never go back.
    """

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._known: Memory[str, Actor | None] = Memory(
            self._ask, lasts_s=LASTS_S, largest=LARGEST, clock=clock
        )
        self._used: dict[UUID, datetime] = {}

    async def find(self, key: str) -> Actor | None:
        """Tell whose key it is; None where it was revoked or never was."""
        actor = await self._known.get(keys.digest(key))
        if actor is not None and actor.key_id is not None:
            self._used[actor.key_id] = now()
        return actor

    async def flush(self, session: AsyncSession) -> None:
        """Write when keys were last used. What can't be written now is kept for the next time."""
        used, self._used = self._used, {}
        try:
            await note_use(session, dict(used))
        except BaseException:
            self._used = used | self._used
            raise

    async def _ask(self, digest: str) -> Actor | None:
        async with self._sessions() as session:
            return await actor_of_key(session, digest)


async def actor_of_authorization(header: str | None, cache: KeyCache) -> Actor:
    """Tell whose key an `Authorization` header carries; a visitor where there is none.

    Accepts `KEY`, `Simple KEY` and `Bearer KEY`. Raises BadKey: a text that can't be a key
    never reaches the database, and an unknown key reads the same as a revoked one.
    """
    words = (header or "").split()
    if not words:
        return VISITOR
    if len(words) > 2 or (len(words) == 2 and words[0].lower() not in {"simple", "bearer"}):  # noqa: PLR2004
        raise BadKey("Send the key alone, or as `Authorization: Simple KEY` or `Bearer KEY`.")
    if not keys.is_well_formed(words[-1]):
        raise BadKey(
            f"This is no key: one begins with {keys.PREFIX} and has {keys.LENGTH} letters and "
            "digits, and its last three must fit the others. Was it copied whole?"
        )
    actor = await cache.find(words[-1])
    if actor is None:
        raise BadKey("This key doesn't work: it was revoked, or never existed here.")
    return actor
