"""What was read a moment ago, for whoever needs the same again before it may have changed."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class _Loaded(Generic[Value]):
    value: Value
    began: float


class Memory(Generic[Key, Value]):
    """Values by their keys, none older than `lasts_s` seconds, counted from before it was read.

    Whoever needs the same at the same moment shares one reading. What is in steady use is read
    again in its second half, beside those who use it, so that none of them waits for that.
    """

    def __init__(
        self,
        load: Callable[[Key], Awaitable[Value]],
        *,
        lasts_s: float,
        largest: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` reads a value; what it raises isn't remembered. `clock` never goes back."""
        self._load = load
        self._lasts_s = lasts_s
        self._largest = largest
        self._clock = clock
        self._known: OrderedDict[Key, _Loaded[Value]] = OrderedDict()
        self._loading: dict[Key, tuple[float, asyncio.Task[Value]]] = {}

    async def get(self, key: Key) -> Value:
        """Give what is known of `key`, or read it. Raises what reading raises."""
        asked = self._clock()
        known = self._known.get(key)
        if known is not None and (age := asked - known.began) < self._lasts_s:
            if age > self._lasts_s / 2 and key not in self._loading:
                self._begin(key)
            return known.value
        while True:
            began, task = self._loading.get(key) or self._begin(key)
            value = await asyncio.shield(task)
            # A reading that was under way may have been slow, and older than what may be used.
            if began >= asked or self._clock() - began < self._lasts_s:
                return value

    def _begin(self, key: Key) -> tuple[float, asyncio.Task[Value]]:
        task = asyncio.create_task(self._read(key))
        # Read ahead, it has nobody who would hear of a failure: whoever comes next reads again.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._loading[key] = loading = (self._clock(), task)
        return loading

    async def _read(self, key: Key) -> Value:
        began = self._clock()
        try:
            value = await self._load(key)
        except BaseException:
            self._known.pop(key, None)
            raise
        finally:
            del self._loading[key]
        self._known[key] = _Loaded(value, began)
        self._known.move_to_end(key)
        while len(self._known) > self._largest:
            self._known.popitem(last=False)
        return value
