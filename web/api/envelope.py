"""How a call is answered, as clients of the contract read it.

A success never has a member `error`, and a failure always has its type. Failures of an
algorithm, of finding it and of paying for it come with status 200, since the published clients
show their users the message only then; what is wrong with the request itself has its own
status. With `output=raw` every failure has its status.
"""

import base64
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from core.errors import InsufficientCredits, MarketError, NotFound, TooManyCalls
from execution.calls import Answer
from execution.outcome import ContentType, Failure, Payload
from web.api.body import Output

SHOWN_WITH_200 = (NotFound, InsufficientCredits)
RAW_TYPES = {
    ContentType.TEXT: "text/plain; charset=utf-8",
    ContentType.JSON: "application/json",
    ContentType.BINARY: "application/octet-stream",
    ContentType.VOID: "application/octet-stream",
}


def answer_of(answer: Answer, output: Output) -> Response:
    """Dress the end of a call."""
    failure = answer.outcome.failure
    headers = {
        "X-Request-Id": str(answer.call_id),
        "X-Algorithm-Version": answer.number,
        "X-Charged-Microcredits": str(answer.charge.total),
    }
    if failure is not None:
        status = HTTPStatus.BAD_REQUEST if output is Output.RAW else HTTPStatus.OK
        metadata = {"duration": answer.duration_ms / 1000, "request_id": str(answer.call_id)}
        if answer.stdout is not None:
            metadata["stdout"] = answer.stdout
        return _json(_error(failure, answer, metadata), status, headers)
    result = answer.outcome.result or Payload(ContentType.VOID, b"")
    if output is Output.RAW:
        return Response(
            result.data, headers=headers | {"Content-Type": RAW_TYPES[result.content_type]}
        )
    return _success(answer, result, headers)


def refusal_of(error: MarketError, output: Output) -> Response:
    """Dress a refusal: nothing ran, nothing was charged."""
    with_200 = output is Output.DEFAULT and isinstance(error, SHOWN_WITH_200)
    body = {
        "error": {
            "message": error.message,
            "error_type": error.error_type,
            "code": error.code,
        }
    }
    headers = {"X-Error-Message": _header(error.message), "X-Charged-Microcredits": "0"}
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Simple"
    if isinstance(error, TooManyCalls):
        headers["Retry-After"] = str(error.retry_after_s)
    return _json(body, HTTPStatus.OK if with_200 else error.status, headers)


def _success(answer: Answer, result: Payload, headers: dict[str, str]) -> Response:
    metadata: dict[str, Any] = {
        "content_type": result.content_type.value,
        "duration": answer.duration_ms / 1000,
        "request_id": str(answer.call_id),
        "version": answer.number,
        "microcredits": {
            "royalty": answer.charge.royalty,
            "compute": answer.charge.compute,
            "total": answer.charge.total,
        },
    }
    if answer.stdout is not None:
        metadata["stdout"] = answer.stdout
    # A JSON result is passed on as the algorithm's runner wrote it, not read and written again.
    body = b'{"result":%b,"metadata":%b}' % (_value(result), orjson.dumps(metadata))
    return Response(body, headers=headers | {"Content-Type": "application/json"})


def _value(result: Payload) -> bytes:
    match result.content_type:
        case ContentType.JSON:
            return result.data
        case ContentType.TEXT:
            return orjson.dumps(result.data.decode("utf-8", "replace"))
        case ContentType.BINARY:
            return b'"%b"' % base64.b64encode(result.data)
        case ContentType.VOID:
            return b"null"


def _error(failure: Failure, answer: Answer, metadata: dict[str, Any]) -> dict[str, Any]:
    error: dict[str, Any] = {
        "message": _text(failure.message),
        "error_type": failure.type,
        "charged": False,
    }
    # Clients differ in how they spell it. Only who may read the source sees the trace.
    if answer.stdout is not None and failure.stacktrace:
        error["stacktrace"] = error["stack_trace"] = _text(failure.stacktrace)
    return {"error": error, "metadata": metadata}


def _text(text: str) -> str:
    """Make a stranger's text fit for JSON: lone surrogates have no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _header(message: str) -> str:
    return " ".join(message.split()).encode("ascii", "replace").decode()[:500]


def _json(body: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(
        orjson.dumps(body), status, headers=headers | {"Content-Type": "application/json"}
    )
