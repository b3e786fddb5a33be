"""Whether the site is alive, and whether it can serve calls."""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from web.resources import readiness
from web.state import State

NEVER_KEPT = {"Cache-Control": "no-store"}


async def alive(_: Request[Any]) -> Response:
    """Answer as long as the process does."""
    return PlainTextResponse("ok", headers=NEVER_KEPT)


async def ready(request: Request[State]) -> Response:
    """Tell what is up; 503 until calls can be served."""
    is_ready, parts = await readiness(request.state)
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(parts, status, headers=NEVER_KEPT)


routes: list[BaseRoute] = [
    Route("/healthz", alive, name="healthz"),
    Route("/readyz", ready, name="readyz"),
]
