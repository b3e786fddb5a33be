"""Messages on a connection between a gateway and a replica.

Each is four bytes with the length of what follows, and a MessagePack array whose first member
is its kind. Nothing that arrives is ever unpickled.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack

from execution.sandbox.wire import BODY_LIMIT, MIB

# The largest payload, and room for what goes with it.
LARGEST = BODY_LIMIT + 4 * MIB
_PREFIX = struct.Struct(">I")

Message = list[Any]


class FrameError(Exception):
    """The other end doesn't keep to the format."""


def encode(message: Sequence[Any]) -> bytes:
    """Return one message as bytes. Strings may hold what isn't valid Unicode."""
    body: bytes = msgpack.packb(message, unicode_errors="surrogatepass")
    return _PREFIX.pack(len(body)) + body


class Decoder:
    """Turns a stream of bytes into messages."""

    def __init__(self, largest: int = LARGEST) -> None:
        """Start with nothing received; `largest` bounds one message, in bytes."""
        self.largest = largest
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add what was received, and give the messages that it completes. Raises FrameError.

        Each is read when it is asked for: taking one may change `largest` for the next.
        """
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _PREFIX.size:
            (length,) = _PREFIX.unpack_from(self._buffer, at)
            if length > self.largest:
                raise FrameError(f"a message of {length} bytes is announced")
            end = at + _PREFIX.size + length
            if len(self._buffer) < end:
                break
            yield _decode(bytes(self._buffer[at + _PREFIX.size : end]))
            at = end
        del self._buffer[:at]


def _decode(body: bytes) -> Message:
    try:
        message = msgpack.unpackb(body, unicode_errors="surrogatepass", strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise FrameError("a message is no MessagePack") from error
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise FrameError("a message has no kind")
    return message
