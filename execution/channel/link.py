"""The gateway's end of a connection to one replica."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from execution.channel import handshake
from execution.channel.frames import LARGEST, Decoder, FrameError, Message, encode
from execution.channel.keepalive import keep_alive
from execution.messages import (
    Run,
    pack_answer,
    pack_run,
    unpack_outcome,
    unpack_payload,
)
from execution.outcome import Failure, Outcome
from execution.sandbox.nesting import OnCall

log = logging.getLogger(__name__)


class LinkLost(Exception):
    """The connection ended: with it, what ran over it."""


@dataclass(eq=False, slots=True)
class _Asked:
    """A run that waits for its outcome, and the calls that it makes meanwhile."""

    outcome: asyncio.Future[Outcome]
    on_call: OnCall | None
    calls: dict[int, asyncio.Task[None]]


class Link(asyncio.Protocol):
    """Runs calls on one replica, any number at a time."""

    def __init__(self, secret: bytes) -> None:
        self.leaving = False
        self._secret = secret
        self._nonce = handshake.nonce()
        self._decoder = Decoder(handshake.LARGEST)
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, _Asked] = {}
        self._number = 0

    @classmethod
    async def open(cls, host: str, port: int, secret: bytes) -> "Link":
        """Connect. Raises LinkLost where nobody is there, or nobody who knows the secret."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(handshake.SECONDS):
                transport, link = await loop.create_connection(lambda: cls(secret), host, port)
                try:
                    await link.opened
                except BaseException:
                    transport.abort()
                    raise
        except (OSError, TimeoutError, FrameError) as error:
            raise LinkLost(f"{host}:{port}: {error}") from error
        return link

    @property
    def usable(self) -> bool:
        """Whether it can be given another run."""
        return self._transport is not None and not self.leaving

    @property
    def under_way(self) -> int:
        """How many runs wait for their outcome."""
        return len(self._asked)

    async def run(self, run: Run, on_call: OnCall | None) -> Outcome:
        """Run once. Raises LinkLost. Cancelling this ends the run, and what it called."""
        if self._transport is None:
            raise LinkLost("the connection has ended")
        self._number += 1
        number = self._number
        asked = _Asked(asyncio.get_running_loop().create_future(), on_call, {})
        self._asked[number] = asked
        try:
            self._send(["run", number, pack_run(run)])
            return await asked.outcome
        except asyncio.CancelledError:
            self._send(["cancel", number])
            raise
        finally:
            del self._asked[number]
            for task in asked.calls.values():
                task.cancel()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to greet."""
        self._transport = transport  # type: ignore[assignment]
        keep_alive(transport)
        self._send(["hello", self._nonce])

    def connection_lost(self, _: Exception | None) -> None:
        """Tell everyone who waits."""
        self._transport = None
        lost = LinkLost("the connection to the replica was lost")
        for asked in self._asked.values():
            if not asked.outcome.done():
                asked.outcome.set_exception(lost)
        if not self.opened.done():
            self.opened.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        except (FrameError, ValueError, TypeError, IndexError, KeyError):
            log.warning("a replica's connection was closed: it sent what can't be read")
            self.close()

    # What the replica says.

    def _take(self, message: Message) -> None:
        kind, *rest = message
        if not self.opened.done():
            self._greet(kind, rest)
        elif kind == "outcome":
            asked = self._asked.get(rest[0])
            if asked is not None and not asked.outcome.done():
                asked.outcome.set_result(unpack_outcome(rest[1]))
        elif kind == "call":
            self._begin_call(*rest)
        elif kind == "uncall":
            asked = self._asked.get(rest[0])
            if asked is not None and (task := asked.calls.get(rest[1])) is not None:
                task.cancel()
        elif kind == "leaving":
            self.leaving = True
        else:
            raise FrameError(f"a message of kind {kind!r}")

    def _greet(self, kind: str, rest: list[Any]) -> None:
        theirs, shown = rest
        expected = handshake.proof(self._secret, b"replica", self._nonce, theirs)
        if kind != "hello" or not handshake.shows(shown, expected):
            raise FrameError("a replica that doesn't know the secret")
        self._send(["proof", handshake.proof(self._secret, b"gateway", self._nonce, theirs)])
        self._decoder.largest = LARGEST
        self.opened.set_result(None)

    def _begin_call(self, number: int, asked_as: int, reference: str, payload: list[Any]) -> None:
        asked = self._asked.get(number)
        if asked is None:
            return
        task = asyncio.create_task(self._call(asked, asked_as, reference, payload))
        asked.calls[asked_as] = task
        task.add_done_callback(lambda _: asked.calls.pop(asked_as, None))

    async def _call(self, asked: _Asked, asked_as: int, reference: str, payload: list[Any]) -> None:
        if asked.on_call is None:
            answer: Any = Failure("UnsupportedError", "This run may not call others.")
        else:
            answer = await asked.on_call(reference, unpack_payload(payload))
        self._send(["answer", asked_as, pack_answer(answer)])

    def _send(self, message: Message) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))
