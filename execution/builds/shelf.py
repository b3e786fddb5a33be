"""What was built, on the machine that runs it: brought there once, and given up for what is new.

A build lies below the home of the machine that made it and, where there is a data store, as
archives in that. Any other machine fetches it from there when it first runs it, and keeps it
until the room is needed. Without a data store all is on one machine, and nothing is moved.

A file beside each place says how much is in it, which is said only of what can be fetched
again; when it was changed is when the place was last used. Whoever uses a place holds a lock
on that file shared, whoever makes or removes it alone: so do processes that share a home, and
one that dies lets go.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from execution.builds import archives, places
from execution.builds.making import COMPLETE
from execution.data.store import Store, StoreFailed
from execution.outcome import Artefact

log = structlog.get_logger()

_MIB = 2**20


class NotThere(Exception):
    """A build can't be brought to this machine; the message says why."""


@dataclass(slots=True, eq=False)
class _Held:
    """A place that isn't removed meanwhile, and how many runs are in need of it."""

    lock: int
    runs: int = 0


class Shelf:
    """The builds on this machine. Used on one loop."""

    def __init__(self, home: Path, store: Store | None = None, *, most_mib: int = 0) -> None:
        """`most_mib` is what may lie here of what the store has, too."""
        self.home = home
        self._store = store
        self._most = most_mib * _MIB
        self._held: dict[str, _Held] = {}
        self._taking: dict[str, asyncio.Task[int]] = {}

    @asynccontextmanager
    async def placed(self, artefact: Artefact) -> AsyncIterator[Artefact]:
        """Give where it lies here, after bringing it if need be. Raises NotThere.

        It stays there for as long as this lasts, and then until `let_go` says that it needn't.
        """
        here = replace(
            artefact,
            source=os.path.join(self.home, artefact.source),  # noqa: PTH118 - quick: every call
            environment=artefact.environment and os.path.join(self.home, artefact.environment),  # noqa: PTH118
        )
        if self._store is None:
            yield here
            return
        held: list[_Held] = []
        try:
            for place, archive in (
                (here.source, here.source_archive),
                (here.environment, here.environment_archive),
            ):
                if place:
                    held.append(await self._hold(place, archive))
                    held[-1].runs += 1
            yield here
        finally:
            for one in held:
                one.runs -= 1

    def let_go(self, but: Iterable[Artefact] = ()) -> None:
        """Hold nothing any more that no run needs, but what these artefacts need."""
        kept = {place for one in but for place in (one.source, one.environment)}
        for place in [place for place, one in self._held.items() if not one.runs]:
            if place not in kept:
                os.close(self._held.pop(place).lock)

    async def keep(self, place: Path, known: str = "") -> str:
        """Put what was built here into the store; gives its archive, "" where there is no store.

        `known` is what somebody else put there of the same. Raises NotThere, StoreFailed.
        """
        if self._store is None:
            return ""
        lock = await asyncio.to_thread(_locked, place, fcntl.LOCK_SH)
        try:
            if not _is_whole(place):
                raise NotThere(f"{place.name} isn't on this machine")
            if known and await self._store.has(_name(known)):
                archive, size = known, await asyncio.to_thread(archives.size_of, place)
            else:
                with self._draft() as draft:
                    archive, size = await asyncio.to_thread(archives.pack, place, draft)
                    if not await self._store.has(_name(archive)):
                        await self._store.put(_name(archive), draft)
            os.pwrite(lock, b"%d" % size, 0)
        finally:
            os.close(lock)
        return archive

    def tidy(self) -> None:
        """Remove what processes left half done that died."""
        for folder in (places.versions(self.home), places.environments(self.home)):
            for left in (*folder.glob("*.fetched"), *folder.glob("*.gone")):
                with suppress(BlockingIOError):
                    lock = _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
                    os.close(lock)

    async def _hold(self, place: str, archive: str) -> _Held:
        while place not in self._held:
            if place not in self._taking:
                # It goes on where nobody waits for it any more, so that the next call finds it.
                task = asyncio.create_task(self._take(Path(place), archive))
                self._taking[place] = task
                task.add_done_callback(lambda done: self._taken(place, done))
            await asyncio.shield(self._taking[place])
        return self._held[place]

    def _taken(self, place: str, task: "asyncio.Task[int]") -> None:
        del self._taking[place]
        if not task.cancelled() and task.exception() is None:
            self._held[place] = _Held(task.result())

    async def _take(self, place: Path, archive: str) -> int:
        """Lock a place so that it stays, having fetched it where it isn't there."""
        await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
        while True:
            lock = await asyncio.to_thread(_locked, place, fcntl.LOCK_SH)
            if _is_whole(place):
                os.utime(lock)
                return lock
            os.close(lock)
            try:
                await self._fetch(place, archive)
            except (OSError, StoreFailed, archives.Torn) as error:
                raise NotThere(f"{place.name} can't be brought here: {error}") from error

    async def _fetch(self, place: Path, archive: str) -> None:
        if self._store is None or not archive:
            raise NotThere(f"{place.name} was made on another machine, and isn't in a data store")
        lock = await asyncio.to_thread(_locked, place, fcntl.LOCK_EX)
        try:
            if _is_whole(place):
                return
            part = place.with_suffix(".fetched")
            with self._draft() as draft:
                await self._store.get(_name(archive), draft)
                size = await asyncio.to_thread(archives.unpack, draft, archive, part)
            await asyncio.to_thread(_put, part, place)
            os.pwrite(lock, b"%d" % size, 0)
            log.info("a build was brought here", place=place.name, mib=size // _MIB)
        finally:
            os.close(lock)
        await asyncio.to_thread(self._make_room, place)

    def _make_room(self, but: Path) -> None:
        """Remove what was not used for longest until what is left is within bounds."""
        found: list[tuple[float, int, Path]] = []
        for folder in (places.versions(self.home), places.environments(self.home)):
            for file in folder.glob("*.lock"):
                size = _size(file)
                if size:
                    found.append((file.stat().st_mtime, size, file.with_suffix("")))
        left = sum(size for _, size, _ in found)
        for _, size, place in sorted(found):
            if left <= self._most:
                return
            if place != but and _removed(place):
                log.info("a build gave way here", place=place.name, mib=size // _MIB)
                left -= size

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """Give a file on the disk that builds are on; a process that dies leaves none."""
        folder = self.home / "builds"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            yield Path("/proc/self/fd", str(file.fileno()))


def _name(archive: str) -> str:
    return f"builds/{archive}.tar.gz"


def _is_whole(place: Path) -> bool:
    # A project's files come all at once; a build fills a folder that is there already.
    marked = place.parent.name == places.environments(Path()).name
    return (place / COMPLETE).exists() if marked else place.is_dir()


def _locked(place: Path, how: int) -> int:
    """Wait for a lock. Raises BlockingIOError where `how` says not to wait."""
    lock = os.open(place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _size(file: Path) -> int:
    """Read what a place takes, 0 for what may not be removed."""
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return 0


def _put(part: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


def _removed(place: Path) -> bool:
    """Remove a place unless somebody uses it."""
    try:
        lock = _locked(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    try:
        gone = place.with_suffix(".gone")
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(FileNotFoundError):
            place.rename(gone)
        os.ftruncate(lock, 0)
        shutil.rmtree(gone, ignore_errors=True)
        return True
    finally:
        os.close(lock)
