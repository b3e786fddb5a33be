"""The sandboxed workers of one replica: many versions in few slots, the least used give way."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field, replace

from execution.bounds import Bounds, Runs
from execution.outcome import Artefact, Failure, Outcome, Payload
from execution.sandbox.limits import Limits
from execution.sandbox.worker import OnCall, Worker
from execution.shares import Shares

__all__ = ["Bounds", "Pool"]


# A version, and where its workers are kept apart, whose calls they run.
_Key = tuple[Artefact, str]


@dataclass(eq=False, slots=True)
class _Place:
    """A slot that is taken: by a worker, or by one that is about to start."""

    artefact: Artefact
    worker: Runs
    used_at: float = 0.0
    fresh: bool = True
    payer: str = ""
    # What it counts for: what it may use, or what it holds while it is idle.
    cost_mib: int = 0


@dataclass(eq=False, slots=True)
class _Waiter:
    artefact: Artefact
    payer: str
    depth: int
    given: "asyncio.Future[_Place]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Pool:
    """Runs any version, each call in a worker of its own for as long as it takes.

    A call waits only while no slot is free. Then the deepest goes first, since others wait for
    it; among these the payer with the fewest runs under way, so that no one's many calls keep
    another's few waiting; and among a payer's own whoever came first. One that could use an
    idle worker of its own version passes those that need a new one. `Shares` keeps room for
    payers who run little, and for what runs call, so that they can't wait in a circle. No
    failure of one worker reaches another. All of it happens on the loop that first used it.
    """

    def __init__(
        self, bounds: Bounds, limits: Limits, *, make: Callable[[], Runs] = Worker
    ) -> None:
        """Start empty. `limits` hold for every worker, its memory for those that ask for none."""
        self._bounds = bounds
        self._limits = limits
        self._make = make
        self._idle: dict[_Key, list[_Place]] = {}
        self._taken: dict[Artefact, int] = {}
        self._shares = Shares(bounds)
        self._memory_mib = 0
        self._slots = 0
        self._waiters: list[_Waiter] = []
        self._background: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False

    async def run(
        self,
        artefact: Artefact,
        payload: Payload,
        *,
        timeout_s: float,
        wants_stdout: bool = False,
        on_call: OnCall | None = None,
        payer: str = "",
        depth: int = 0,
    ) -> Outcome:
        """Run once; never raises for what the algorithm did.

        `timeout_s` covers everything: waiting, starting, loading and running. A worker that
        is still loading then goes on, so that the next call finds it.
        """
        began = time.perf_counter()
        deadline = began + timeout_s
        if artefact.memory_mib > self._bounds.memory_mib or self._closed:
            return _failed("SystemError", "This machine can't run an algorithm of that size.")
        try:
            place = await self._acquire(artefact, timeout_s, payer, depth)
        except TimeoutError:
            return _failed("TimeoutError", f"No worker became free within {timeout_s:g} s.")
        queued_ms = (time.perf_counter() - began) * 1000
        fresh = place.fresh
        if fresh and (failed := await self._start(place, deadline, timeout_s)) is not None:
            return replace(failed, queued_ms=queued_ms)
        try:
            outcome = await place.worker.run(
                payload,
                max(0.001, deadline - time.perf_counter()) if fresh or queued_ms > 1 else timeout_s,
                wants_stdout=wants_stdout,
                on_call=on_call,
            )
        finally:
            self._give_back(place)
        failure = outcome.failure
        if failure is not None and failure.type == "TimeoutError":
            # In the caller's terms, not in those of what was left of it.
            failure = _failed_in_time(timeout_s)
        worker = place.worker
        return replace(
            outcome,
            failure=failure,
            queued_ms=queued_ms,
            started_ms=worker.started_ms if fresh else 0.0,
            loaded_ms=worker.loaded_ms if fresh else 0.0,
        )

    async def close(self) -> None:
        """Stop every idle worker and take no more runs; those under way end by themselves."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        for place in [place for places in self._idle.values() for place in places]:
            self._evict(place)
        await asyncio.gather(*self._background)

    @property
    def artefacts(self) -> Collection[Artefact]:
        """What it has workers of."""
        return self._taken.keys()

    @property
    def workers(self) -> int:
        """How many slots are taken."""
        return self._slots

    # Starting.

    async def _start(self, place: _Place, deadline: float, timeout_s: float) -> Outcome | None:
        limits = replace(self._limits, memory_mib=place.artefact.memory_mib)
        start = asyncio.ensure_future(place.worker.start(place.artefact, limits))
        try:
            async with asyncio.timeout_at(
                asyncio.get_running_loop().time() + deadline - time.perf_counter()
            ):
                failure = await asyncio.shield(start)
        except (TimeoutError, asyncio.CancelledError) as error:
            self._spawn(self._finish_start(place, start))
            if isinstance(error, asyncio.CancelledError):
                raise
            return Outcome(None, _failed_in_time(timeout_s))
        except BaseException:
            self._give_back(place)
            raise
        place.fresh = False
        if failure is None:
            return None
        self._give_back(place)
        return Outcome(
            None, failure, stdout=place.worker.load_output, started_ms=place.worker.started_ms
        )

    async def _finish_start(self, place: _Place, start: "asyncio.Future[Failure | None]") -> None:
        """Let a start go on that nobody waits for, and keep the worker if it succeeds."""
        try:
            await start
        finally:
            place.fresh = False
            self._give_back(place)

    # Slots.

    async def _acquire(
        self, artefact: Artefact, timeout_s: float, payer: str, depth: int
    ) -> _Place:
        waiter = _Waiter(artefact, payer, depth)
        if not self._waiters and (place := self._grab(waiter, may_grow=True)) is not None:
            return place
        self._waiters.append(waiter)
        self._serve()
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter.given
        except BaseException:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.given.done() and not waiter.given.cancelled():
                self._return_unused(waiter.given.result())
            self._serve()
            raise

    def _serve(self) -> None:
        """Give what is free to those who wait, in their order."""
        may_grow = True
        waiting = self._waiters
        while waiting:
            left: list[_Waiter] = []
            given = False
            for waiter in self._in_order(waiting):
                if waiter.given.done():
                    # Its time is up; it only has not been told yet.
                    self._waiters.remove(waiter)
                elif not given and (place := self._grab(waiter, may_grow=may_grow)) is not None:
                    self._waiters.remove(waiter)
                    waiter.given.set_result(place)
                    # Whose turn is next has changed with it.
                    given = True
                else:
                    left.append(waiter)
                    if not given and self._waits_for_room(waiter):
                        # Nobody behind it may take room before it does.
                        may_grow = False
            if not given:
                return
            waiting, may_grow = left, True

    def _in_order(self, waiters: Sequence[_Waiter]) -> list[_Waiter]:
        return sorted(waiters, key=lambda one: (-one.depth, self._shares.of(one.payer)))

    def _waits_for_room(self, waiter: _Waiter) -> bool:
        taken = self._taken.get(waiter.artefact, 0)
        return self._may_run(waiter) and taken < self._bounds.of_one_version(waiter.depth)

    def _may_run(self, waiter: _Waiter) -> bool:
        return self._shares.may_run(waiter.artefact, waiter.payer, waiter.depth)

    def _grab(self, waiter: _Waiter, *, may_grow: bool) -> _Place | None:
        """Return an idle worker of this version, or a place for a new one, or None."""
        if not self._may_run(waiter):
            return None
        place = self._idle_place(_key(waiter.artefact, waiter.payer))
        if place is None:
            place = self._new_place(waiter) if may_grow else None
        elif not self._make_room(place.artefact.memory_mib - place.cost_mib, 0, waiter.depth):
            self._idle.setdefault(_key(place.artefact, waiter.payer), []).append(place)
            return None
        if place is not None:
            self._count(place, place.artefact.memory_mib)
            place.payer = waiter.payer
            self._shares.enter(place.artefact, place.payer)
        return place

    def _new_place(self, waiter: _Waiter) -> _Place | None:
        artefact = waiter.artefact
        most = self._bounds.of_one_version(waiter.depth)
        if self._taken.get(artefact, 0) >= most and not self._evict_anothers(artefact):
            return None
        if not self._make_room(artefact.memory_mib, 1, waiter.depth):
            return None
        self._slots += 1
        self._taken[artefact] = self._taken.get(artefact, 0) + 1
        return _Place(artefact, self._make())

    def _evict_anothers(self, artefact: Artefact) -> bool:
        """Of a version whose workers are kept apart, end the one that was idle the longest."""
        idle = [one for key, ones in self._idle.items() if key[0] == artefact for one in ones]
        if not artefact.apart or not idle:
            return False
        self._evict(min(idle, key=lambda place: place.used_at))
        return True

    def _idle_place(self, key: _Key) -> _Place | None:
        while places := self._idle.get(key):
            place = places.pop()
            if place.worker.usable:
                return place
            self._retire(place)
        return None

    def _count(self, place: _Place, cost_mib: int) -> None:
        self._memory_mib += cost_mib - place.cost_mib
        place.cost_mib = cost_mib

    def _make_room(self, memory_mib: int, slots: int, depth: int) -> bool:
        """Evict the least recently used until so much fits; evict none if that isn't enough."""
        most_mib = self._bounds.memory_at(depth) - memory_mib
        most = self._bounds.slots - slots
        if self._slots <= most and self._memory_mib <= most_mib:
            return True
        idle = [one for places in self._idle.values() for one in places]
        for place in idle:
            if place.worker.held_mib is not None:
                self._count(place, min(place.worker.held_mib, place.artefact.memory_mib))
        victims: list[_Place] = []
        left, memory = self._slots, self._memory_mib
        for place in sorted(idle, key=lambda one: one.used_at):
            if left <= most and memory <= most_mib:
                break
            victims.append(place)
            left -= 1
            memory -= place.cost_mib
        if left > most or memory > most_mib:
            return False
        for victim in victims:
            self._evict(victim)
        return True

    def _give_back(self, place: _Place) -> None:
        place.fresh = False
        self._shares.leave(place.artefact, place.payer)
        if place.worker.usable and not self._closed:
            place.used_at = time.monotonic()
            self._idle.setdefault(_key(place.artefact, place.payer), []).append(place)
            self._watch_idle()
        else:
            self._retire(place)
        if self._waiters:
            self._serve()

    def _return_unused(self, place: _Place) -> None:
        if place.fresh:
            self._shares.leave(place.artefact, place.payer)
            self._retire(place)
        else:
            self._give_back(place)

    def _evict(self, place: _Place) -> None:
        self._idle[_key(place.artefact, place.payer)].remove(place)
        self._retire(place)

    def _retire(self, place: _Place) -> None:
        """Free the slot at once; the process is killed now and cleared away meanwhile."""
        artefact = place.artefact
        self._slots -= 1
        self._count(place, 0)
        self._taken[artefact] -= 1
        if not self._taken[artefact]:
            del self._taken[artefact]
        key = _key(artefact, place.payer)
        if not self._idle.get(key):
            self._idle.pop(key, None)
        self._spawn(place.worker.stop())

    # In the background.

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _watch_idle(self) -> None:
        if self._reaper is None:
            loop = asyncio.get_running_loop()
            self._reaper = loop.call_later(self._bounds.idle_s, self._evict_idle)

    def _evict_idle(self) -> None:
        self._reaper = None
        limit = time.monotonic() - self._bounds.idle_s
        for place in [place for places in self._idle.values() for place in places]:
            if place.used_at <= limit or not place.worker.usable:
                self._evict(place)
        if self._idle:
            self._watch_idle()


def _key(artefact: Artefact, payer: str) -> _Key:
    return artefact, payer if artefact.apart else ""


def _failed(kind: str, message: str) -> Outcome:
    return Outcome(None, Failure(kind, message))


def _failed_in_time(timeout_s: float) -> Failure:
    return Failure("TimeoutError", f"The algorithm did not finish within {timeout_s:g} s.")
