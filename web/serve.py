"""The web process: uvicorn with our application, ending in good order."""

import uvicorn

from core import log
from core.settings import Settings
from web.app import create_app
from web.bounded import BoundedProtocol
from web.resources import opened

GRACE_S = 12


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; calls under way are ended and settled first."""
    log.configure()
    app = create_app(settings, lambda: opened(settings))
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
