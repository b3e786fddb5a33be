"""The replica's end: takes runs from every gateway that connects, and sends their outcomes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from execution.channel import handshake
from execution.channel.frames import LARGEST, Decoder, FrameError, Message, encode
from execution.channel.keepalive import keep_alive
from execution.messages import (
    Run,
    pack_outcome,
    pack_payload,
    unpack_answer,
    unpack_run,
)
from execution.outcome import Failure, Outcome, Payload
from execution.sandbox.nesting import OnCall

log = logging.getLogger(__name__)

Runner = Callable[[Run, OnCall], Awaitable[Outcome]]


class Server:
    """Listens for gateways. Everything happens on the loop that it was opened on."""

    def __init__(self, run: Runner, secret: bytes) -> None:
        """`run` runs one call and never raises for what the algorithm did."""
        self._run = run
        self._secret = secret
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    async def open(self, host: str) -> int:
        """Listen at `host`, at a port that the system chooses and that is given back."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, host, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Ask every gateway to send no more, wait for what is under way, then hang up."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.leave()
        under_way = [task for session in self._sessions for task in session.runs.values()]
        if under_way:
            await asyncio.wait(under_way)
        # What was written is sent before a connection that is closed ends.
        for session in list(self._sessions):
            session.hang_up()

    def _session(self) -> "_Session":
        return _Session(self._run, self._secret, self._sessions)


class _Session(asyncio.Protocol):
    """One gateway's connection."""

    def __init__(self, run: Runner, secret: bytes, sessions: "set[_Session]") -> None:
        self.runs: dict[int, asyncio.Task[None]] = {}
        self._run = run
        self._secret = secret
        self._sessions = sessions
        self._decoder = Decoder(handshake.LARGEST)
        self._expected = b""
        self._known = False
        self._transport: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._asked: dict[int, asyncio.Future[Payload | Failure]] = {}
        self._number = 0

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        keep_alive(transport)
        self._sessions.add(self)
        self._limit = asyncio.get_running_loop().call_later(handshake.SECONDS, transport.abort)  # type: ignore[attr-defined]

    def connection_lost(self, _: Exception | None) -> None:
        """The gateway is gone, and with it whoever would pay: end what it asked for."""
        self._transport = None
        self._sessions.discard(self)
        if self._limit is not None:
            self._limit.cancel()
        for task in self.runs.values():
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        except (FrameError, ValueError, TypeError, IndexError, KeyError):
            log.warning("a gateway's connection was closed: it sent what can't be read")
            if self._transport is not None:
                self._transport.abort()

    # What the gateway says.

    def _take(self, message: Message) -> None:
        kind, *rest = message
        if not self._known:
            self._greet(kind, rest)
        elif kind == "run":
            number, run = rest
            self.runs[number] = asyncio.create_task(self._answer(number, unpack_run(run)))
        elif kind == "cancel":
            if (task := self.runs.get(rest[0])) is not None:
                task.cancel()
        elif kind == "answer":
            asked = self._asked.get(rest[0])
            if asked is not None and not asked.done():
                asked.set_result(unpack_answer(rest[1]))
        else:
            raise FrameError(f"a message of kind {kind!r}")

    def _greet(self, kind: str, rest: list[Any]) -> None:
        if kind == "hello" and not self._expected and isinstance(rest[0], bytes):
            gateways, mine = rest[0], handshake.nonce()
            self._expected = handshake.proof(self._secret, b"gateway", gateways, mine)
            shown = handshake.proof(self._secret, b"replica", gateways, mine)
            self._send(["hello", mine, shown])
        elif kind == "proof" and self._expected and handshake.shows(rest[0], self._expected):
            self._known = True
            self._decoder.largest = LARGEST
            if self._limit is not None:
                self._limit.cancel()
        else:
            raise FrameError("a gateway that doesn't know the secret")

    # What is said to it.

    def leave(self) -> None:
        """Ask for no more runs."""
        self._send(["leaving"])

    def hang_up(self) -> None:
        """End the connection once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    async def _answer(self, number: int, run: Run) -> None:
        try:
            outcome = await self._run(run, self._ask_for(number))
            self._send(["outcome", number, pack_outcome(outcome)])
        finally:
            del self.runs[number]

    def _ask_for(self, number: int) -> OnCall:
        async def ask(reference: str, payload: Payload) -> Payload | Failure:
            self._number += 1
            asked = self._number
            future: asyncio.Future[Payload | Failure]
            future = self._asked[asked] = asyncio.get_running_loop().create_future()
            try:
                self._send(["call", number, asked, reference, pack_payload(payload)])
                return await future
            except asyncio.CancelledError:
                self._send(["uncall", number, asked])
                raise
            finally:
                del self._asked[asked]

        return ask

    def _send(self, message: Message) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))
