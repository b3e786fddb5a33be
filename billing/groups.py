"""Group commit: what arrives while one batch is being written goes together into the next."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST = 256
LONGEST_PAUSE_S = 0.003


class Group(Generic[Item, Result]):
    """Writes items in batches, one batch at a time, and gives each its own result.

    Alone, an item is written at once; where many come, there is a pause between batches, as
    long as the last one took to write. A batch that fails is written again one by one, so
    that one bad item fails alone.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[list[Result]]]) -> None:
        self._write = write
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Write one item; returns when it is durable."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                began = time.perf_counter()
                batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
                await self._flush(batch)
                if len(batch) > 1:
                    # Many come: larger batches cost each of them less.
                    await asyncio.sleep(min(LONGEST_PAUSE_S, time.perf_counter() - began))
        finally:
            self._running = None

    async def _flush(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._write([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for one in batch:
                await self._flush([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: "asyncio.Future[Result]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
