"""What a stranger may make the server keep, over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.upgrades import declined
from web import bounded
from web.bounded import BoundedProtocol


async def size(request: Request) -> PlainTextResponse:
    """Tell how large the body was, after a while."""
    data = await request.body()
    await asyncio.sleep(0.3)
    return PlainTextResponse(str(len(data)))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers here."""
    app = Starlette(routes=[Route("/", size, methods=["GET", "POST"])])
    config = uvicorn.Config(app, port=0, http=BoundedProtocol, log_level="critical")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def answer(port: int, *parts: bytes) -> bytes:
    """Send parts, each by itself; give what comes back until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


async def test_a_usual_request_is_answered(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n"
    assert (await answer(port, head, b"x" * 100_000, b"x" * 100_000)).endswith(b"200000")


async def test_requests_may_follow_each_other(port: int) -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await answer(port, one, one, last)).count(b"200 OK") == 3


OFFER = (
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
    b"upGrade: h2c\r\nContent-Length: 27\r\n\r\n"
)
BODY = b"one line\r\nUpgrade: another\r\n"[:27]


async def test_an_offer_of_another_protocol_costs_no_body(port: int) -> None:
    """Java's own client makes it with its first request."""
    assert (await answer(port, OFFER + BODY)).endswith(b"27")
    assert (await answer(port, OFFER, BODY)).endswith(b"27")


async def test_an_offer_that_comes_in_pieces_is_refused(port: int) -> None:
    got = await answer(port, OFFER[:20], OFFER[20:] + BODY)
    assert got.startswith(b"HTTP/1.1 400") or got.endswith(b"27")


def test_a_body_is_never_changed() -> None:
    said = declined(OFFER + b"a\r\nUpgrade: b\r\n\r\nUpgrade: c")
    assert said.endswith(b"\r\n\r\na\r\nUpgrade: b\r\n\r\nUpgrade: c")
    assert b"\r\nX-upGrade: h2c\r\n" in said


@pytest.mark.parametrize("line", [b"X: %b\r\n" % (b"a" * 1000), b"a" * 1000], ids=["many", "one"])
async def test_a_head_without_end_is_refused(port: int, line: bytes) -> None:
    got = await answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nY: ", *[line] * 1000)
    assert got == b"reset" or got.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_never_ends_ends_the_connection(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(bounded, "HEAD_S", 0.1)
    assert await answer(port, sent) in {b"", b"reset"}


async def test_a_body_that_never_ends_ends_the_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "BODY_S", 0.1)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    assert await answer(port, head, b"x") in {b"", b"reset"}


async def test_an_answer_may_take_longer_than_its_request(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "HEAD_S", 0.1)
    monkeypatch.setattr(bounded, "BODY_S", 0.1)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"
    assert (await answer(port, head)).endswith(b"2")
