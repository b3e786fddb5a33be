"""The server's protocol with bounds on what a stranger may make it keep, and for how long.

The parser by itself takes headers of any size, and waits for ever for whoever begins a request
and doesn't end it.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.upgrades import HEAD_ENDS, declined

# Far above what browsers send, together with what they keep for us in cookies.
LARGEST_HEAD = 64 * 1024
HEAD_S = 20.0
# The largest input at less than 300 kbit/s.
BODY_S = 300.0


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections whose request line and headers are too large, or that come too slowly."""

    _head_size = 0
    _reads_head = True
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; whoever connects has something to say."""
        super().connection_made(transport)
        self._allow(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_limit()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that goes on beyond its bound is refused."""
        if self._reads_head:
            if not self._head_size and HEAD_ENDS in data:
                data = declined(data)
            self._head_size += len(data)
        super().data_received(data)
        if self._reads_head and self._head_size > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The request line and the headers are too large.")

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._allow(HEAD_S)

    def on_headers_complete(self) -> None:
        """The head is whole; now its body may come."""
        if self.parser.should_upgrade():
            # Its head came in pieces, or behind another request. Refused, as its body is lost.
            raise ValueError("an offer of another protocol")
        self._reads_head = False
        self._head_size = 0
        self._allow(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; how long its answer takes is no business of ours."""
        self._reads_head = True
        self._stop_limit()
        super().on_message_complete()

    def _allow(self, seconds: float) -> None:
        self._stop_limit()
        self._limit = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
