"""Refusals, dressed for whoever asked: a page, a part for htmx, or a problem in JSON under /v1."""

import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from core.errors import MarketError, SignInNeeded
from core.settings import Settings
from web import headers
from web.auth.returning import sign_in_address
from web.templating import is_htmx, render

log = structlog.get_logger()

Handler = Callable[[Request[Any], Exception], Awaitable[Response]]

# What to do about it, by status; the error's own words say what happened.
ADVICE = {
    HTTPStatus.BAD_REQUEST: "Go back, change what was sent, and send it again.",
    HTTPStatus.UNAUTHORIZED: "Sign in, then try again.",
    HTTPStatus.PAYMENT_REQUIRED: "Your account page shows what you have and what it went on.",
    HTTPStatus.FORBIDDEN: "Go back and reload the page, or sign in as somebody who may.",
    HTTPStatus.NOT_FOUND: "Check the address, or search for what you expected to find here.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Open the page anew and use the form on it.",
    HTTPStatus.CONFLICT: "Reload the page to see how things stand.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Send less at once.",
    HTTPStatus.SERVICE_UNAVAILABLE: "It comes back by itself. Try again in a few seconds.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "It was written down for whoever runs this site. "
    "Try again; if it stays, tell them what you did.",
}
TITLES = {
    HTTPStatus.BAD_REQUEST: "That can't be done",
    HTTPStatus.UNAUTHORIZED: "Sign in first",
    HTTPStatus.PAYMENT_REQUIRED: "Not enough credit",
    HTTPStatus.FORBIDDEN: "That isn't allowed",
    HTTPStatus.NOT_FOUND: "Nothing here",
    HTTPStatus.METHOD_NOT_ALLOWED: "That can't be done here",
    HTTPStatus.CONFLICT: "It is not as it was",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not ready yet",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something broke on our side",
}
WORDS = {
    HTTPStatus.NOT_FOUND: "There is no page at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address doesn't take that kind of request.",
}


async def on_refusal(request: Request[Any], error: Exception) -> Response:
    """Answer a MarketError."""
    if not isinstance(error, MarketError):
        raise error
    if isinstance(error, SignInNeeded) and not _is_api(request):
        return _to_sign_in(request)
    return dressed(request, error.status, error.message, code=error.code)


async def on_http(request: Request[Any], error: Exception) -> Response:
    """Answer what the framework itself refuses: no such address, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    words = WORDS.get(status, error.detail)
    return dressed(request, status, words, extra=dict(error.headers or {}))


def on_bug(settings: Settings) -> Handler:
    """Make the answer to whatever nobody thought of: logged, and shown without a trace of it.

    It is given outside of all middleware, so that it brings its security headers itself.
    """
    secured = headers.headers(settings)

    async def answer(request: Request[Any], error: Exception) -> Response:
        # As text: a formatter that prints variables would write cookies into the log.
        trace = "".join(traceback.format_exception(error))
        log.error("a request failed", path=request.url.path, method=request.method, trace=trace)
        words = "This request could not be answered, because of an error in the site itself."
        return dressed(request, HTTPStatus.INTERNAL_SERVER_ERROR, words, extra=secured)

    return answer


def dressed(
    request: Request[Any],
    status: HTTPStatus,
    words: str,
    *,
    code: str = "",
    extra: dict[str, str] | None = None,
) -> Response:
    """Give the refusal in the form that the request expects."""
    title = TITLES.get(status, status.phrase)
    if _is_api(request):
        problem = {
            "type": "about:blank",
            "title": title,
            "status": int(status),
            "code": code or status.name.lower(),
            "detail": words,
        }
        return JSONResponse(problem, status, headers=extra, media_type="application/problem+json")
    return render(
        request,
        "errors/page.html",
        "errors/_part.html",
        status=status,
        headers=extra,
        code=int(status),
        title=title,
        words=words,
        advice=ADVICE.get(status, ADVICE[HTTPStatus.BAD_REQUEST]),
    )


def _to_sign_in(request: Request[Any]) -> Response:
    address = sign_in_address(request) if request.method == "GET" else "/sign_in"
    if is_htmx(request):
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": address})
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def _is_api(request: Request[Any]) -> bool:
    return request.url.path.startswith("/v1/")


def handlers(settings: Settings) -> dict[type[Exception], Handler]:
    """Give what the application does about each kind of error."""
    return {MarketError: on_refusal, HTTPException: on_http, Exception: on_bug(settings)}
