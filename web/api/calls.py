"""`POST /v1/algo/{owner}/{name}[/{version}]`: a call."""

from http import HTTPStatus
from urllib.parse import unquote

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from catalog.names import Reference
from core.errors import MarketError, SignInNeeded
from core.settings import Settings
from web.api.body import CallQuery, Output, read_payload
from web.api.envelope import answer_of, refusal_of
from web.auth.key_cache import actor_of_authorization
from web.headers import raw_headers
from web.state import State

log = structlog.get_logger()

PREFIX = "/v1/algo/"


class UnexpectedError(MarketError):
    """A bug of ours. The words promise what a caller needs to know."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"
    error_type = "SystemError"


async def call(request: Request[State]) -> Response:
    """Run an algorithm for whoever holds the key."""
    output = Output.DEFAULT
    if request.scope["query_string"] and request.query_params.get("output") == "raw":
        output = Output.RAW
    try:
        return await _call(request, output)
    except MarketError as error:
        return refusal_of(error, output)
    except Exception:
        log.exception("a call failed inside the platform", path=request.url.path)
        return refusal_of(
            UnexpectedError(
                "The platform could not finish this call. It was charged only if your usage "
                "lists it. Try again."
            ),
            output,
        )


async def _call(request: Request[State], output: Output) -> Response:
    header = request.headers.get("authorization", "")
    actor = await actor_of_authorization(header, request.state["keys"])
    if actor.is_visitor:
        raise SignInNeeded(
            "A call needs a key: send it as `Authorization: YOUR_KEY`. Keys are made on the "
            "account page. Nothing was charged."
        )
    reference = Reference.parse(unquote(request.path_params["reference"]))
    query = CallQuery.of(request)
    payload = await read_payload(request)
    answer = await request.state["caller"].call(actor, reference, payload, query.options)
    return answer_of(answer, output)


class CallEndpoint:
    """Answers calls, with the headers that every answer carries."""

    def __init__(self, settings: Settings) -> None:
        self._headers = raw_headers(settings)

    def takes(self, scope: Scope) -> bool:
        """Whether a request is a call."""
        path: str = scope.get("path", "")
        return path.startswith(PREFIX) and scope.get("method") == "POST"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one."""
        scope["path_params"] = {"reference": scope["path"][len(PREFIX) :]}
        answer = await call(Request(scope, receive))
        answer.raw_headers += self._headers
        await answer(scope, receive, send)


routes = [Route("/algo/{reference:path}", call, methods=["POST"], name="call")]
