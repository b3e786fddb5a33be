"""Calls that one run makes to other algorithms, as its worker sees them."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from execution.outcome import ContentType, Failure, Payload
from execution.sandbox import wire
from execution.sandbox.limits import NESTED_CALLS_LIMIT

log = logging.getLogger(__name__)

_PATIENCE = 1000

OnCall = Callable[[str, Payload], Awaitable[Payload | Failure]]


class NestedCalls:
    """Answers one run's calls, several at a time; without `on_call` it refuses them all."""

    def __init__(self, reply: Callable[[bytes], None], on_call: OnCall | None) -> None:
        """`reply` sends a frame to the run."""
        self._reply = reply
        self._on_call = on_call
        self._left = NESTED_CALLS_LIMIT
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, header: dict[str, Any], body: bytes) -> None:
        """Begin to answer one call; `WireError` if it comes after very many refusals."""
        self._left -= 1
        if self._left < -_PATIENCE:
            raise wire.WireError("calls without end")
        task = asyncio.get_running_loop().create_task(self._call(header, body, self._left))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def call(
        self, reference: str, payload: Payload, timeout_s: float | None
    ) -> Payload | Failure:
        """Make one call that didn't come over the wire, and give its answer."""
        self._left -= 1
        header = {"ref": reference, "type": payload.content_type.value, "timeout": timeout_s}
        return await self._called(header, payload.data, self._left)

    def cancel(self) -> None:
        """Give up whatever is under way."""
        for task in self._tasks:
            task.cancel()

    async def _call(self, header: dict[str, Any], body: bytes, left: int) -> None:
        answer = await self._called(header, body, left)
        number = header.get("id")
        reply: dict[str, Any] = {
            "kind": "answer",
            "id": number if isinstance(number, int) else None,
        }
        if isinstance(answer, Failure):
            reply["error"] = answer.type
            answer = Payload(ContentType.TEXT, answer.message.encode("utf-8", "replace"))
        else:
            reply["type"] = answer.content_type.value
        self._reply(wire.encode(reply, answer.data))

    async def _called(self, header: dict[str, Any], body: bytes, left: int) -> Payload | Failure:
        if self._on_call is None:
            message = "This version wasn't published with the permission to call others."
            return Failure("UnsupportedError", message)
        if left < 0:
            message = f"One run may make at most {NESTED_CALLS_LIMIT} calls to others."
            return Failure("UnsupportedError", message)
        timeout_s = None
        try:
            if (wanted := header.get("timeout")) is not None:
                timeout_s = _seconds(wanted)
            payload = Payload(ContentType(str(header.get("type"))), body)
            async with asyncio.timeout(timeout_s):
                return await self._on_call(str(header.get("ref")), payload)
        except TimeoutError:
            return Failure("TimeoutError", f"The call did not finish within {timeout_s:g} s.")
        except (ValueError, TypeError):
            return Failure("InputError", "The call could not be understood.")
        except Exception:
            log.exception("nested call failed")
            return Failure("SystemError", "The call could not be made.")


def _seconds(wanted: Any) -> float:  # noqa: ANN401
    """Read a time; one that is no number has no place among the loop's timers."""
    seconds = float(wanted)
    if not math.isfinite(seconds):
        raise ValueError(wanted)
    return seconds
