"""Reads what a sandbox answered, trusting none of it."""

import asyncio

import orjson

from execution.languages.python.code import TYPES
from execution.outcome import ContentType, Failure, Payload
from execution.sandbox.limits import Limits
from execution.sandbox.wire import MIB

_CHECK_ELSEWHERE = MIB // 4  # checking this much takes long enough to delay others on the loop
_MESSAGE_LIMIT = 10_000
_STACKTRACE_LIMIT = 20_000


def failure_of(body: bytes) -> tuple[str, str, str]:
    """Return type, message and stack trace of a failure, whatever `body` holds."""
    try:
        found = orjson.loads(body)
        kind, message, stacktrace = (str(found[key]) for key in ("type", "message", "stacktrace"))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "SystemError", "The algorithm's process gave an answer that can't be read.", ""
    known = kind if kind in TYPES else "AlgorithmError"
    return known, message[:_MESSAGE_LIMIT], stacktrace[:_STACKTRACE_LIMIT]


async def payload_of(
    kind: str, body: bytes, limits: Limits
) -> tuple[Payload | None, Failure | None]:
    """Return the result, or why it can't be passed on."""
    if len(body) > limits.result_bytes:
        allowed = f"{limits.result_bytes / MIB:g}"
        return None, Failure(
            "TooLargeError",
            f"The result has more than {allowed} MiB, the most that can be returned.",
        )
    if len(body) > _CHECK_ELSEWHERE:
        valid = await asyncio.to_thread(_is, kind, body)
    else:
        valid = _is(kind, body)
    if not valid:
        return None, Failure("ParsingError", f"The result is not valid as {kind[:20]}.")
    return Payload(ContentType(kind), body), None


def _is(kind: str, body: bytes) -> bool:
    try:
        if kind == "json":
            orjson.loads(body)
        elif kind == "text":
            body.decode()
        else:
            return kind == "binary"
    except ValueError:
        return False
    return True
