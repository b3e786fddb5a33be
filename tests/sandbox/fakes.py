"""Workers of a pool that do what a test says, and short ways to ask for runs."""

import asyncio
from collections.abc import Callable

from execution.outcome import Artefact, ContentType, Failure, Outcome, Payload
from execution.pool import Pool
from execution.sandbox.limits import Limits
from execution.sandbox.worker import OnCall

INPUT = Payload(ContentType.JSON, b"1")


class FakeWorker:
    """A worker whose runs end when the test says so."""

    made: list["FakeWorker"]

    def __init__(self) -> None:
        self.usable = True
        self.started_ms, self.loaded_ms, self.load_output = 1.0, 1.0, ""
        self.held_mib: int | None = None
        self.artefact: Artefact | None = None
        self.running = 0
        self.stopped = False
        self.goes_on = asyncio.Event()
        self.failure: Failure | None = None
        self.breaks = False
        self.start_waits: asyncio.Event | None = None

    async def start(self, artefact: Artefact, limits: Limits) -> Failure | None:
        self.artefact = artefact
        if self.start_waits is not None:
            await self.start_waits.wait()
        if self.failure is not None:
            self.usable = False
        return self.failure

    async def run(
        self, payload: Payload, timeout_s: float, *, wants_stdout: bool, on_call: OnCall | None
    ) -> Outcome:
        assert self.usable
        self.running += 1
        assert self.running == 1
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.usable = False
            raise
        finally:
            self.running -= 1
        if self.breaks:
            self.usable = False
        return Outcome(payload, None)

    async def stop(self) -> None:
        self.usable = False
        self.stopped = True


def version(name: str, memory_mib: int = 100) -> Artefact:
    return Artefact(name, name, "/s", "", memory_mib)


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


def ask(
    pool: Pool, artefact: Artefact, timeout_s: float = 20, *, payer: str = "", depth: int = 0
) -> "asyncio.Task[Outcome]":
    return asyncio.create_task(
        pool.run(artefact, INPUT, timeout_s=timeout_s, payer=payer, depth=depth)
    )


def caller(name: str, memory_mib: int = 100) -> Artefact:
    return Artefact(name, name, "/s", "", memory_mib, calls_others=True)


Make = Callable[[], FakeWorker]
