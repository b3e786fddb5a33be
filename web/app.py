"""The web application: routes, what wraps them, and how refusals are worded."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from core.settings import Settings
from web import errors
from web.api import routes as api
from web.auth import routes as auth
from web.headers import SecurityHeaders
from web.pages import account, catalog, docs, health, running, scaling
from web.state import State
from web.templating import STATIC

StateMaker = Callable[[], AbstractAsyncContextManager[State]]

YEAR = "public, max-age=31536000, immutable"


class Files(StaticFiles):
    """Serves `static/`. What carries its digest or its version in its address never changes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Give a file, with how long a browser may keep it."""
        answer = await super().get_response(path, scope)
        is_named = b"v=" in scope["query_string"] or path.startswith(("fonts/", "vendor/"))
        answer.headers["Cache-Control"] = YEAR if is_named else "no-cache"
        return answer


def create_app(settings: Settings, opened: StateMaker) -> Starlette:
    """Make the application; `opened` gives its state, from start to end."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with opened() as state:
            yield state

    # Cookies and forms are no business of a program's: calls go past what guards those.
    pages = Starlette(
        routes=[
            *catalog.routes,
            *running.routes,
            *scaling.routes,
            *docs.routes,
            *account.routes,
            *auth.routes,
        ],
        middleware=auth.middleware(settings),
        exception_handlers=dict(errors.handlers(settings)),
    )
    return Starlette(
        routes=[
            *api.routes,
            *health.routes,
            Mount("/static", Files(directory=STATIC), name="static"),
            Mount("/", pages),
        ],
        lifespan=lifespan,
        middleware=[Middleware(SecurityHeaders, settings=settings)],
        exception_handlers=dict(errors.handlers(settings)),
    )
