"""The web process: uvicorn with our application, ending in good order."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from core import log
from core.settings import Settings
from web.app import create_app
from web.bounded import BoundedProtocol
from web.resources import opened
from web.state import State

GRACE_S = 12


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; calls under way are ended and settled first."""
    log.configure()
    app = create_app(settings, lambda: _opened(settings))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedProtocol,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[State]:
    async with opened(settings) as state:
        # What is there by now stays: to look through all of it again stopped calls for 0.1 s.
        gc.collect()
        gc.freeze()
        yield state
