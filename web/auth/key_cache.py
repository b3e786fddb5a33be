"""Keys of programs: who sends one, looked up fast and forgotten fast."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncSession

from core.accounts import keys
from core.accounts.actor import VISITOR, Actor
from core.accounts.queries import actor_of_key
from core.accounts.service import note_use
from core.clock import now
from core.db import Sessions
from core.errors import BadKey

# Below a second, so that a revoked key has stopped working everywhere when one is over.
LASTS_S = 0.9
LARGEST = 20_000


@dataclass(frozen=True, slots=True)
class _Found:
    """What the database said of a key, and until when that may be relied on."""

    actor: Actor | None
    until: float


class KeyCache:
    """Actors by the digests of their keys, each kept for 0.9 seconds at most.

    One lives in every process that takes calls. `clock` gives seconds that never go back.
    """

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._clock = clock
        self._found: OrderedDict[str, _Found] = OrderedDict()
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._used: dict[UUID, datetime] = {}

    async def find(self, key: str) -> Actor | None:
        """Tell whose key it is; None where it was revoked or never was.

        Requests that need the same look-up at the same moment share one.
        """
        digest = keys.digest(key)
        found = self._fresh(digest)
        if found is None:
            lock = self._asking.setdefault(digest, asyncio.Lock())
            async with lock:
                found = self._fresh(digest) or await self._ask(digest)
        if found.actor is not None and found.actor.key_id is not None:
            self._used[found.actor.key_id] = now()
        return found.actor

    async def flush(self, session: AsyncSession) -> None:
        """Write when keys were last used. What can't be written now is kept for the next time."""
        used, self._used = self._used, {}
        try:
            await note_use(session, dict(used))
        except BaseException:
            self._used = used | self._used
            raise

    def _fresh(self, digest: str) -> _Found | None:
        found = self._found.get(digest)
        return found if found is not None and self._clock() < found.until else None

    async def _ask(self, digest: str) -> _Found:
        # Counted from before the look: a revocation during it must not live longer.
        until = self._clock() + LASTS_S
        async with self._sessions() as session:
            found = _Found(await actor_of_key(session, digest), until)
        self._found[digest] = found
        self._found.move_to_end(digest)
        while len(self._found) > LARGEST:
            self._found.popitem(last=False)
        return found


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
