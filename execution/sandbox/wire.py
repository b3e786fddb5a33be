"""Frames between a replica and the process inside a sandbox.

A frame is four bytes with the length of what follows, two bytes with the length of its
header, the header (a JSON object) and the body (bytes as they are, so binary payloads are
never inflated). Standard library only: this file is also read inside the sandbox.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

MIB = 1024 * 1024
HEADER_LIMIT = 32 * 1024
# One MiB above the largest result, so that a result that is only just too large can be named.
BODY_LIMIT = 16 * MIB

_PREFIX = struct.Struct(">IH")
_LENGTH_BYTES = 4
_HEADER_LENGTH_BYTES = 2
# Made once: `json.dumps` makes one for each call where it isn't used as it is.
_ENCODER = json.JSONEncoder(separators=(",", ":"))

Frame = tuple[dict[str, Any], bytes]


class WireError(Exception):
    """The other end did not keep to the format, or sent more than it may."""


def encode(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return one frame; `WireError` if the header or the body is larger than allowed."""
    head = _ENCODER.encode(header).encode()
    if len(head) > HEADER_LIMIT or len(body) > BODY_LIMIT:
        message = f"frame of {len(head)} + {len(body)} bytes is larger than allowed"
        raise WireError(message)
    return _PREFIX.pack(_HEADER_LENGTH_BYTES + len(head) + len(body), len(head)) + head + body


class Decoder:
    """Turns a stream of bytes into frames, and holds at most one frame's worth of them."""

    def __init__(self) -> None:
        """Start with nothing received."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer += data

    def next(self) -> Frame | None:
        """Return the next whole frame, None until there is one; `WireError` if it is malformed."""
        if len(self._buffer) < _PREFIX.size:
            return None
        length, head_length = _PREFIX.unpack_from(self._buffer)
        if (
            head_length > HEADER_LIMIT
            or not _HEADER_LENGTH_BYTES + head_length <= length
            or length > _HEADER_LENGTH_BYTES + HEADER_LIMIT + BODY_LIMIT
        ):
            message = f"frame announces {length} bytes with a header of {head_length}"
            raise WireError(message)
        end = _LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        body_at = _PREFIX.size + head_length
        with memoryview(self._buffer) as view:
            head, body = bytes(view[_PREFIX.size : body_at]), bytes(view[body_at:end])
        del self._buffer[:end]
        return _header(head), body


def _header(head: bytes) -> dict[str, Any]:
    try:
        header = json.loads(head.decode())
    except (ValueError, RecursionError) as error:
        message = "frame header is not JSON"
        raise WireError(message) from error
    if not isinstance(header, dict):
        message = "frame header is not an object"
        raise WireError(message)
    return header
