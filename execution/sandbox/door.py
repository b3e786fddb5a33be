"""The address inside a sandbox that leads to the gateway, for clients that speak HTTP.

A version that may call others finds at `ADDRESS` what it would find at the site's own address:
`POST /v1/algo/{owner}/{name}[/{version}]`. It needs no key, since the call is its caller's. The
socket listens inside the sandbox's own network and was handed out before any file of a version
was read; nothing else passes through it. Whoever connects may be hostile.
"""

import asyncio
import base64
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs, unquote

import httptools
import orjson

from core.upgrades import HEAD_ENDS, declined
from execution.outcome import ContentType, Failure, Payload
from execution.sandbox.wire import BODY_LIMIT, MIB

PORT = 8080
ADDRESS = f"http://127.0.0.1:{PORT}"

Call = Callable[[str, Payload, float | None], Awaitable[Payload | Failure]]

_MOST_CONNECTIONS = 64
# Of one run, refused ones included: what is answered and never read must have an end.
MOST_REQUESTS = 200
# Of all connections together: what was received and isn't answered yet.
_MOST_BYTES = BODY_LIMIT + 16 * MIB
_LARGEST_HEAD = 64 * 1024
_PREFIX = "/v1/algo/"
_TYPES = {
    "application/json": ContentType.JSON,
    "text/plain": ContentType.TEXT,
    "application/text": ContentType.TEXT,
    "application/octet-stream": ContentType.BINARY,
}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Door:
    """Answers the HTTP calls of one sandbox, by way of `call`."""

    def __init__(self, call: Call) -> None:
        """`call` makes one call for the run that is under way; it never raises."""
        self.call = call
        self.held = 0
        self.left = MOST_REQUESTS
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket) -> None:
        """Begin to answer at a socket that listens already."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=listener)

    def begin(self) -> None:
        """Another run begins."""
        self.left = MOST_REQUESTS

    def cancel(self) -> None:
        """End what is under way, with its connections: the run that began it has ended."""
        for connection in list(self.connections):
            connection.cancel()

    def close(self) -> None:
        """End it; harmless when it has ended."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.abort()


class _Refused(Exception):
    """A request that is answered without a call."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Connection(asyncio.Protocol):
    """One request after another, each once the last is answered."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._task: asyncio.Task[None] | None = None
        self._head = b""
        self._is_in_head = True
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._keeps_alive = True

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._door.connections.add(self)
        if len(self._door.connections) > _MOST_CONNECTIONS:
            self.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._door.connections.discard(self)
        self._forget()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._task is not None:
            self.abort()
            return
        if self._is_in_head:
            data = self._head + data
            ends_at = data.find(HEAD_ENDS, 0, _LARGEST_HEAD)
            if ends_at < 0 and len(data) > _LARGEST_HEAD:
                self.abort()
            if ends_at < 0:
                self._head = data
                return
            self._head, self._is_in_head = b"", False
            data = declined(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()

    def cancel(self) -> None:
        """End it unless it is between two requests."""
        if self._task is not None or self._head or not self._is_in_head:
            self.abort()

    def abort(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()

    # What the parser calls.

    # An exception in one of these is an error of the parser, which ends the connection.

    def on_message_begin(self) -> None:
        self._door.left -= 1
        if self._task is not None or self._door.left < 0:
            raise ValueError("a request out of turn")
        self._url, self._headers = b"", {}

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport:
            self._transport.write(_CONTINUE)

    def on_body(self, data: bytes) -> None:
        self._body += data
        self._door.held += len(data)
        if len(self._body) > BODY_LIMIT or self._door.held > _MOST_BYTES:
            self.abort()

    def on_message_complete(self) -> None:
        self._is_in_head = True
        self._keeps_alive = self._parser.should_keep_alive()
        method = self._parser.get_method()
        self._task = asyncio.get_running_loop().create_task(self._answer(method))

    # The answer.

    async def _answer(self, method: bytes) -> None:
        try:
            reference, payload, timeout_s = self._read(method)
        except _Refused as refused:
            self._write(refused.status, _error("InputError", refused.message))
        else:
            began = time.perf_counter()
            answer = await self._door.call(reference, payload, timeout_s)
            if isinstance(answer, Failure):
                # As the site answers: published clients show the message of a 200 only.
                self._write(HTTPStatus.OK, _error(answer.type, answer.message))
            else:
                self._write(HTTPStatus.OK, _success(answer, time.perf_counter() - began))
        self._next()

    def _read(self, method: bytes) -> tuple[str, Payload, float | None]:
        target, _, query = self._url.decode("latin-1").partition("?")
        # Some clients add a slash to the address that they are given, and then send two.
        path = "/" + unquote(target).lstrip("/")
        if not path.startswith(_PREFIX):
            raise _Refused(HTTPStatus.NOT_FOUND, f"Only {_PREFIX}OWNER/NAME is served here.")
        if method != b"POST":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "A call is a POST.")
        header = self._headers.get(b"content-type", b"").decode("latin-1")
        kind = _TYPES.get(header.split(";", 1)[0].strip().lower())
        if kind is None:
            raise _Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Send application/json, text/plain or application/octet-stream.",
            )
        body = bytes(self._body)
        try:
            wanted = parse_qs(query).get("timeout")
            timeout_s = float(wanted[0]) if wanted else None
            if kind is ContentType.JSON:
                orjson.loads(body)
            elif kind is ContentType.TEXT:
                body.decode()
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, f"The call can't be read: {error}") from error
        return path.removeprefix(_PREFIX), Payload(kind, body), timeout_s

    def _write(self, status: HTTPStatus, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        ending = "" if self._keeps_alive else "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{ending}\r\n"
        )
        self._transport.write(head.encode() + body)

    def _next(self) -> None:
        """Be ready for the next request."""
        self._task = None
        self._forget()
        if self._transport is not None and not self._keeps_alive:
            self._transport.close()

    def _forget(self) -> None:
        self._door.held -= len(self._body)
        self._body = bytearray()


def _success(result: Payload, seconds: float) -> bytes:
    match result.content_type:
        case ContentType.JSON:
            value = result.data
        case ContentType.TEXT:
            value = orjson.dumps(result.data.decode("utf-8", "replace"))
        case ContentType.BINARY:
            value = b'"%b"' % base64.b64encode(result.data)
        case ContentType.VOID:
            value = b"null"
    metadata = {"content_type": result.content_type.value, "duration": seconds}
    return b'{"result":%b,"metadata":%b}' % (value, orjson.dumps(metadata))


def _error(kind: str, message: str) -> bytes:
    text = message.encode("utf-8", "replace").decode()
    return orjson.dumps({"error": {"error_type": kind, "message": text}})
