"""All of a gateway's connections, and which of them a call goes over."""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol
from uuid import uuid4

from core.hardware import PROFILES
from execution.applications import POOL, own_application
from execution.channel.link import Link, LinkLost
from execution.messages import Run
from execution.outcome import Outcome
from execution.sandbox.nesting import OnCall

log = logging.getLogger(__name__)

# How often the directory is read again: what a new replica waits for its first call.
LOOK_EVERY_S = 0.5
# One that was struck off is sent nothing more after so long; one that lives is back in time.
GONE_S = 5.0
# A version stays with the replica that has it warm until that has this many calls more than
# the one that has the fewest.
STICKS = 4


# A version's own replicas send calls to the pool from here on, where that is less busy.
FULL = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """What a replica says of itself: where it listens, what it runs, and how busy it is.

    `load` is how many calls of each version were under way of late, by the version's id; `beat`
    is another number each time that it says so. A gateway whose calls wait for replicas that
    aren't there yet enters itself too, with these as its load and `port` 0.
    """

    host: str
    port: int
    app: str = POOL
    fingerprint: str = ""
    load: Mapping[str, float] = field(default_factory=dict)
    beat: int = 0


class NoReplica(TimeoutError):
    """In all the time that a call had, no replica came that could run it."""


class Directory(Protocol):
    """Knows the replicas that there are, and the gateways that wait for one."""

    async def replicas(self) -> Mapping[str, Entry]:
        """Give what all say of themselves, by name; may raise OSError."""
        ...

    async def enter(self, name: str, entry: Entry) -> None:
        """Write what one says of itself, over what was there; may raise OSError."""
        ...

    async def forget(self, name: str) -> None:
        """Strike a replica off, which nobody reaches; one that lives enters itself again."""
        ...


class Links:
    """Connections to every replica in the directory, kept for as long as they hold."""

    def __init__(self, directory: Directory, secret: bytes) -> None:
        """Connect at the first need."""
        self._directory = directory
        self._secret = secret
        self._links: dict[str, Link] = {}
        self._of_app: dict[str, dict[str, Link]] = {}
        self._missing: dict[str, float] = {}
        self._looked_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._name = f"gateway:{uuid4()}"
        self._waiting: Counter[str] = Counter()
        self._waits = False
        self._beats = count()

    async def run(self, run: Run, on_call: OnCall | None, *, wait_s: float) -> Outcome:
        """Run once on some replica, after waiting at most `wait_s` for one to be there.

        Raises LinkLost where the replica was lost on the way, NoReplica where none came.
        """
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._look()
        pooled = PROFILES[run.hardware].is_pooled
        link = self._pick(run.artefact.version_id, pooled=pooled)
        if link is not None:
            return await link.run(run, on_call)
        began = time.monotonic()
        link = await self._await_one(run.artefact.version_id, wait_s, pooled=pooled)
        waited_s = time.monotonic() - began
        left = replace(run, timeout_s=max(0.001, run.timeout_s - waited_s))
        outcome = await link.run(left, on_call)
        return replace(outcome, queued_ms=outcome.queued_ms + waited_s * 1000)

    async def ready(self, wait_s: float) -> bool:
        """Whether a call sent now would find a replica."""
        try:
            await self._await_one("", wait_s)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Hang up everywhere."""
        if self._looking is not None:
            self._looking.cancel()
        for link in self._links.values():
            link.close()

    def _pick(self, version_id: str, *, pooled: bool = True) -> Link | None:
        """Choose among the version's own replicas, or else those of the pool where it may."""
        own = self._least(own_application(version_id), version_id)
        if not pooled or (own is not None and own.under_way < FULL):
            return own
        shared = self._least(POOL, version_id)
        if own is None or (shared is not None and shared.under_way < own.under_way):
            return shared
        return own

    def _least(self, app: str, version_id: str) -> Link | None:
        links = self._of_app.get(app)
        if links is None:
            return None
        usable = [(name, link) for name, link in links.items() if link.usable]
        if len(usable) <= 1:
            return usable[0][1] if usable else None
        fewest = min(link.under_way for _, link in usable)
        near = [one for one in usable if one[1].under_way <= fewest + STICKS]
        return max(near, key=lambda one: _affinity(version_id, one[0]))[1]

    async def _await_one(self, version_id: str, wait_s: float, *, pooled: bool = True) -> Link:
        if not pooled:
            self._waiting[version_id] += 1
        try:
            async with asyncio.timeout(wait_s):
                while (link := self._pick(version_id, pooled=pooled)) is None:
                    await asyncio.shield(self._look())
                    if self._pick(version_id, pooled=pooled) is None:
                        await asyncio.sleep(LOOK_EVERY_S / 5)
        except TimeoutError as error:
            raise NoReplica from error
        else:
            return link
        finally:
            if not pooled:
                self._waiting[version_id] -= 1
                self._waiting += Counter()  # without those that are at zero
                if not self._waiting:
                    self._look()

    def _look(self) -> "asyncio.Task[None]":
        """Read the directory and connect to whoever is new; one look serves all who want one."""
        if self._looking is None or self._looking.done():
            self._looked_at = time.monotonic()
            self._looking = asyncio.create_task(self._read_directory())
        return self._looking

    async def _read_directory(self) -> None:
        try:
            known = await self._directory.replicas()
            await self._say_what_waits()
        except OSError as error:
            log.warning("the directory of replicas can't be read: %s", error)
            return
        self._leave_the_missing(known)
        for name in [name for name, link in self._links.items() if not link.usable]:
            if not self._links[name].under_way:
                self._links.pop(name).close()
        self._of_app = {
            app: {name: link for name, link in links.items() if name in self._links}
            for app, links in self._of_app.items()
            if links.keys() & self._links.keys()
        }
        await asyncio.gather(
            *(
                self._connect(name, entry)
                for name, entry in known.items()
                if entry.port and name not in self._links
            )
        )

    async def _say_what_waits(self) -> None:
        """Let whoever starts replicas know that calls wait for some; may raise OSError."""
        if self._waiting:
            self._waits = True
            waiting = {version_id: float(n) for version_id, n in self._waiting.items()}
            entry = Entry("", 0, app="", load=waiting, beat=next(self._beats))
            await self._directory.enter(self._name, entry)
        elif self._waits:
            await self._directory.forget(self._name)
            self._waits = False

    def _leave_the_missing(self, known: Mapping[str, Entry]) -> None:
        """Send nothing more to who says nothing of himself: a machine may be gone or frozen."""
        moment = time.monotonic()
        self._missing = {
            name: self._missing.get(name, moment) for name in self._links if name not in known
        }
        for name, since in self._missing.items():
            if moment - since > GONE_S:
                self._links[name].leaving = True

    async def _connect(self, name: str, entry: Entry) -> None:
        try:
            link = await Link.open(entry.host, entry.port, self._secret)
        except LinkLost as error:
            log.info("replica %s is not there: %s", name, error)
            with suppress(OSError):
                await self._directory.forget(name)
        else:
            self._links[name] = link
            self._of_app.setdefault(entry.app, {})[name] = link


def _affinity(version_id: str, name: str) -> bytes:
    return hashlib.blake2b(f"{version_id} {name}".encode(), digest_size=8).digest()
