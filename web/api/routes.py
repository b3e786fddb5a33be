"""Every route of the interface for programs."""

from starlette.routing import BaseRoute, Mount

from web.api import calls

# Some clients add a slash to the address that they are given, and then send two.
routes: list[BaseRoute] = [Mount(prefix, routes=calls.routes) for prefix in ("/v1", "//v1")]
