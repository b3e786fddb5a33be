"""What a caller sends: the query and the body of a call, checked before anything is held."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request

from billing.pricing import parse_credits
from core.errors import BadInput, TooLarge, UnsupportedType
from execution.calls import LONGEST_TIMEOUT_S, NESTED_BUDGET, CallOptions
from execution.outcome import ContentType, Payload

LARGEST_BODY = 10 * 2**20

CONTENT_TYPES = {
    "application/json": ContentType.JSON,
    "text/plain": ContentType.TEXT,
    "application/text": ContentType.TEXT,
    "application/octet-stream": ContentType.BINARY,
}


class Output(StrEnum):
    """How the answer is dressed: in the envelope, or bare."""

    DEFAULT = "default"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class CallQuery:
    """The query of a call. Unknown names in it are let pass, as clients send them."""

    options: CallOptions
    output: Output

    @classmethod
    def of(cls, request: Request[Any]) -> "CallQuery":
        """Read the query of a request, which most calls don't have."""
        return cls.from_params(request.query_params) if request.scope["query_string"] else NO_QUERY

    @classmethod
    def from_params(cls, params: QueryParams) -> "CallQuery":
        """Read `timeout`, `stdout`, `budget` and `output`. Raises BadInput with the name."""
        return cls(
            CallOptions(
                timeout_s=_timeout(params.get("timeout")),
                wants_stdout=_flag(params, "stdout"),
                budget=_budget(params.get("budget")),
            ),
            _output(params.get("output")),
        )


NO_QUERY = CallQuery(CallOptions(), Output.DEFAULT)


async def read_payload(request: Request[Any]) -> Payload:
    """Read the body of a call, in one piece or in chunks.

    Raises UnsupportedType, TooLarge above 10 MiB, BadInput for what isn't the JSON or the
    text that it says it is.
    """
    kind = _content_type(request.headers.get("content-type", ""))
    data = await _read(request)
    if kind is ContentType.JSON:
        _check_json(data)
    elif kind is ContentType.TEXT:
        _check_text(data)
    return Payload(kind, data)


def _content_type(header: str) -> ContentType:
    name = header.split(";", 1)[0].strip().lower()
    kind = CONTENT_TYPES.get(name)
    if kind is None:
        raise UnsupportedType(
            f"The content type {name[:80]!r} can't be called with. Send application/json, "
            "text/plain or application/octet-stream. Nothing was charged."
        )
    return kind


async def _read(request: Request[Any]) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:15]) > LARGEST_BODY:
        raise _too_large()
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BadInput("The body ended before it was whole. Nothing was charged.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            raise _too_large()
        has_more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge(
        f"The input is above {LARGEST_BODY // 2**20} MiB. Send less at once. Nothing was charged."
    )


def _check_json(data: bytes) -> None:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadInput(
            f"The input is no valid JSON: {error}. A text is sent in quotes, or as text/plain. "
            "Nothing was charged."
        ) from error


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise BadInput(
            "The input is no UTF-8 text. Send bytes as application/octet-stream. "
            "Nothing was charged."
        ) from error


def _timeout(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise BadInput(
            f"The timeout {text[:40]!r} can't be used. Give seconds above 0, at most "
            f"{LONGEST_TIMEOUT_S:.0f}. Nothing was charged."
        )
    return seconds


def _budget(text: str | None) -> int:
    if text is None:
        return NESTED_BUDGET
    try:
        return parse_credits(text)
    except BadInput as error:
        raise BadInput(f"The budget can't be used: {error} Nothing was charged.") from error


def _flag(params: QueryParams, name: str) -> bool:
    text = params.get(name, "false").lower()
    if text not in {"true", "false", "1", "0", ""}:
        raise BadInput(f"{name} is true or false, not {text[:40]!r}. Nothing was charged.")
    return text in {"true", "1"}


def _output(text: str | None) -> Output:
    if text in {None, "", "default"}:
        return Output.DEFAULT
    if text == "raw":
        return Output.RAW
    raise BadInput(f"output is default or raw, not {str(text)[:40]!r}. Nothing was charged.")
