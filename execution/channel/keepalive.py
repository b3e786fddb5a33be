"""A machine that is gone without a word is noticed within seconds, in the midst of any silence."""

import asyncio
import socket

_IDLE_S = 5
_EVERY_S = 2
_TRIES = 3
# For how long what was sent may go unconfirmed.
_UNCONFIRMED_MS = 1000 * (_IDLE_S + _EVERY_S * _TRIES)


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the kernel ask the other machine again and again, and end a connection that is dead."""
    end = transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _IDLE_S),
        (socket.TCP_KEEPINTVL, _EVERY_S),
        (socket.TCP_KEEPCNT, _TRIES),
        (socket.TCP_USER_TIMEOUT, _UNCONFIRMED_MS),
    ):
        end.setsockopt(socket.IPPROTO_TCP, option, value)
