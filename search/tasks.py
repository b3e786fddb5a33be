"""Keeping the index as the catalog is."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.db import Sessions
from search import documents
from search.index import Index

EVERY_S = 1.0
# Everything is read anew this often, so that call counts move and nothing lost stays lost.
WHOLE_EVERY_S = 300.0
# A transaction commits after the moment that it wrote; changes may turn up this much later.
OVERLAP = timedelta(seconds=5)

CallCounts = Callable[[AsyncSession], Awaitable[Mapping[UUID, int]]]

log = logging.getLogger(__name__)


async def no_counts(_: AsyncSession) -> Mapping[UUID, int]:
    """Count nothing: order equally good hits by stars alone."""
    return {}


async def follow(sessions: Sessions, index: Index, calls: CallCounts = no_counts) -> None:
    """Bring the index up to date once a second, until cancelled.

    Nothing ends it: what failed is logged and tried again. `calls` counts the calls of the
    last 30 days by algorithm.
    """
    follower = Follower(sessions, index, calls)
    while True:
        try:
            await follower.catch_up()
        except Exception:
            log.exception("The search index could not be brought up to date; trying again")
        await asyncio.sleep(EVERY_S)


class Follower:
    """Remembers how far an index has followed the catalog."""

    def __init__(self, sessions: Sessions, index: Index, calls: CallCounts = no_counts) -> None:
        self._sessions = sessions
        self._index = index
        self._calls = calls
        self._newest: datetime | None = None
        # What was applied within the overlap; it isn't applied again every second.
        self._applied: dict[UUID, datetime] = {}
        self._whole_at = 0.0

    async def catch_up(self) -> None:
        """Apply what has changed since the last time. When it returns, the index is current."""
        whole = self._newest is None or time.monotonic() >= self._whole_at
        since = None if whole or self._newest is None else self._newest - OVERLAP
        async with self._sessions() as session:
            changed = await documents.changes(session, since)
            known = {} if whole else self._applied
            fresh = [one for one, at in changed.items() if known.get(one) != at]
            counts = await self._calls(session) if fresh else {}
            listed, gone = await documents.read(session, fresh, counts)
        if whole:
            await self._index.rebuild(listed)
            self._whole_at = time.monotonic() + WHOLE_EVERY_S
        elif fresh:
            await self._index.apply(listed, gone)
        if changed:
            self._newest = max(changed.values())
            self._applied = {one: at for one, at in changed.items() if at > self._newest - OVERLAP}
