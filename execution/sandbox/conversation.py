"""The platform's end of the wire to one sandbox. What comes from there may be hostile."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any, cast

from execution.sandbox import wire

_CUT = "\n[cut: the rest of the output was not kept]\n"
_READ_BYTES = 65_536
_DRAIN_READS = 64  # a process that never stops printing must not hold its caller


class Conversation(asyncio.Protocol):
    """Frames over a connected socket; both callbacks are called on the loop, never at once.

    `ended` is called once, with the reason when the other end broke the rules.
    """

    def __init__(
        self, frame: Callable[[dict[str, Any], bytes], None], ended: Callable[[str], None]
    ) -> None:
        """Not yet connected."""
        self._frame = frame
        self._ended = ended
        self._decoder = wire.Decoder()
        self._transport: asyncio.Transport | None = None

    async def connect(self, connected: socket.socket) -> None:
        """Take over a socket of a connected pair."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self, sock=connected)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over every whole frame."""
        self._decoder.feed(data)
        try:
            while self._transport is not None and (frame := self._decoder.next()) is not None:
                self._frame(*frame)
        except wire.WireError as error:
            self.close(str(error))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The other end is gone."""
        self.close("")

    def send(self, frame: bytes) -> None:
        """Send, or do nothing once the connection has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self, reason: str = "") -> None:
        """End it; harmless when it has ended."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            self._ended(reason)


class Output:
    """Reads what a sandbox prints, always, and keeps the first `limit` bytes when asked to."""

    def __init__(self, fd: int, limit: int) -> None:
        """Own `fd`, which must not block, and keep from the start."""
        self._fd = fd
        self._limit = limit
        self._kept = bytearray()
        self._more = False
        self._keeping = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read)

    def begin(self, *, keep: bool) -> None:
        """Forget what was printed until now."""
        if keep:
            self._drain()
        self._kept.clear()
        self._more = False
        self._keeping = keep

    def text(self) -> str:
        """Return what was printed since the beginning, with a note where it was cut."""
        self._drain()
        return self._kept.decode(errors="replace") + (_CUT if self._more else "")

    def close(self) -> None:
        """Stop reading."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _drain(self) -> None:
        for _ in range(_DRAIN_READS):
            if not self._read():
                return

    def _read(self) -> bool:
        """Read once; whether there may be more."""
        if self._fd < 0:
            return False
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._fd, _READ_BYTES)
            if not data:
                self.close()
        if data and self._keeping:
            room = self._limit - len(self._kept)
            self._kept += data[:room]
            self._more = self._more or len(data) > room
        return bool(data)
