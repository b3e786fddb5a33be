"""Every route of the interface for programs."""

from starlette.routing import BaseRoute

from web.api import calls

routes: list[BaseRoute] = [*calls.routes]
