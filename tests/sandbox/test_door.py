"""The address inside a sandbox that leads to the gateway."""

import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from execution.outcome import ContentType, Failure, Payload
from execution.sandbox.door import MOST_REQUESTS
from tests.sandbox.authors import Author, again, failure_of, value_of

CALLS = """
import json, os, urllib.error, urllib.request
def apply(x):
    request = urllib.request.Request(
        os.environ["ALGORITHMIA_API"] + x["path"], x.get("body", "1").encode(),
        {"Content-Type": x.get("type", "application/json")}, method=x.get("method", "POST"))
    try:
        with urllib.request.urlopen(request) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]
"""


async def shout(reference: str, payload: Payload) -> Payload | Failure:
    if reference == "ada/Fails":
        return Failure("InputError", "not that")
    if reference == "ada/Bytes":
        return Payload(ContentType.BINARY, b"\x00\xff")
    return Payload(ContentType.TEXT, reference.encode() + b":" + payload.data.upper())


async def asks(author: Author, **request: Any) -> Any:
    worker = await author.start(CALLS, calls_others=True)
    return value_of(await again(worker, request, on_call=shout))


async def test_a_client_that_speaks_http_needs_no_key(author: Author) -> None:
    status, answer = await asks(author, path="/v1/algo/ada/Shout/1.2.3", body='"hi"')
    assert status == 200
    assert answer["result"] == 'ada/Shout/1.2.3:"HI"'
    assert answer["metadata"]["content_type"] == "text"


async def test_the_published_client_works_as_it_is(author: Author) -> None:
    """Of the packages of the tests' own environment, which hold it."""
    artefact = author.write(
        """
        import Algorithmia
        from Algorithmia.errors import AlgorithmException
        assert "site-packages" in Algorithmia.__file__
        client = Algorithmia.client()
        def apply(x):
            try:
                client.algo("ada/Fails").pipe(x)
            except AlgorithmException as error:
                said = str(error)
            return [
                client.algo("algo://ada/Shout/1.0").set_options(timeout=10).pipe(x).result,
                bytes(client.algo("ada/Bytes").pipe(bytearray(b"b")).result).hex(),
                said,
            ]
        """,
        calls_others=True,
    )
    worker, failure = await author.load(replace(artefact, environment=sys.prefix))
    assert failure is None
    assert value_of(await again(worker, "hi", on_call=shout)) == [
        "ada/Shout/1.0:HI",
        "00ff",
        "'not that'",
    ]


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"path": "/v1/algo/ada/Fails"}, 200, {"error_type": "InputError", "message": "not that"}),
        ({"path": "//v1/algo/ada/Bytes"}, 200, "AP8="),
        ({"path": "/v1/algo/ada/Shout", "type": "text/plain", "body": "a"}, 200, "ada/Shout:A"),
        ({"path": "/v1/algo/ada/Shout", "type": "image/png"}, 415, "Send application/json"),
        ({"path": "/v1/algo/ada/Shout", "body": "{"}, 400, "can't be read"),
        ({"path": "/v1/algo/ada/Shout?timeout=soon"}, 400, "can't be read"),
        ({"path": "/v1/algo/ada/Shout", "method": "PUT"}, 405, "POST"),
        ({"path": "/keys"}, 404, "/v1/algo/"),
    ],
)
async def test_every_request_is_answered(
    writer: Author, request_: dict[str, Any], status: int, said: Any
) -> None:
    got, answer = await asks(writer, **request_)
    assert got == status
    if status == 200:
        assert said == answer.get("error", answer.get("result"))
    else:
        assert said in answer["error"]["message"]


async def test_one_connection_serves_call_after_call_and_run_after_run(writer: Author) -> None:
    worker = await writer.start(
        """
        import http.client, json
        connection = http.client.HTTPConnection("127.0.0.1", 8080)
        def apply(x):
            answers = []
            for n in range(3):
                connection.request("POST", "/v1/algo/ada/Shout", json.dumps(n),
                                   {"Content-Type": "application/json"})
                answers.append(json.load(connection.getresponse())["result"])
            return answers
        """,
        calls_others=True,
    )
    for _ in range(2):
        assert value_of(await again(worker, 1, on_call=shout)) == [
            f"ada/Shout:{n}" for n in range(3)
        ]


async def test_a_run_makes_at_most_24_calls_by_either_way(writer: Author) -> None:
    worker = await writer.start(
        """
        import algorium, json, urllib.request
        def apply(x):
            for n in range(12):
                algorium.call("ada/Shout", "x")
            for n in range(x):
                request = urllib.request.Request("http://127.0.0.1:8080/v1/algo/ada/Shout", b"1",
                                                 {"Content-Type": "application/json"})
                with urllib.request.urlopen(request) as answer:
                    last = json.load(answer)
            return last
        """,
        calls_others=True,
    )
    assert "result" in value_of(await again(worker, 12, on_call=shout))
    assert "at most 24" in value_of(await again(worker, 13, on_call=shout))["error"]["message"]


async def test_what_a_run_called_ends_with_it(writer: Author) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never(_: str, payload: Payload) -> Payload:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return payload

    worker = await writer.start(
        CALLS,
        calls_others=True,
    )
    run = asyncio.create_task(
        worker.run(
            Payload(ContentType.JSON, json.dumps({"path": "/v1/algo/ada/Slow"}).encode()),
            20,
            wants_stdout=False,
            on_call=never,
        )
    )
    await asyncio.wait_for(begun.wait(), 20)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await asyncio.wait_for(ended.wait(), 20)


async def test_two_requests_in_one_piece_leave_no_call_behind(writer: Author) -> None:
    """What goes on after its run would be paid by a caller who has had his answer."""
    under_way = 0
    begun = asyncio.Event()

    async def never(_: str, payload: Payload) -> Payload:
        nonlocal under_way
        under_way += 1
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            under_way -= 1
        return payload

    worker = await writer.start(
        """
        import socket
        ONE = (b"POST /v1/algo/ada/Slow HTTP/1.1\\r\\nContent-Type: text/plain\\r\\n"
               b"Content-Length: 1\\r\\n\\r\\na")
        kept = []
        def apply(times):
            kept.append(socket.create_connection(("127.0.0.1", 8080), 10))
            kept[-1].sendall(ONE * times)
            try:
                kept[-1].recv(1)
            except OSError as error:
                return type(error).__name__
            return "ended"
        """,
        calls_others=True,
    )
    twice = await again(worker, 2, on_call=never)
    assert twice.failure is None
    await asyncio.sleep(0)
    assert under_way == 0
    once = asyncio.create_task(again(worker, 1, on_call=never))
    await asyncio.wait_for(begun.wait(), 20)
    once.cancel()
    await asyncio.gather(once, return_exceptions=True)
    await asyncio.sleep(0)
    assert under_way == 0


async def test_what_one_run_began_to_send_no_other_run_finishes(writer: Author) -> None:
    asked = []

    async def note(reference: str, payload: Payload) -> Payload:
        asked.append(reference)
        return payload

    worker = await writer.start(
        """
        import socket
        kept = []
        def apply(step):
            if step == "begin":
                kept.append(socket.create_connection(("127.0.0.1", 8080), 10))
                kept[0].sendall(b"POST /v1/algo/ada/Late HTTP/1.1\\r\\nContent-Type: text/plain"
                                b"\\r\\nContent-Length: 1000001\\r\\n\\r\\n" + b"a" * 1000000)
                return "begun"
            try:
                kept[0].sendall(b"a")
                return kept[0].recv(10).decode() or "ended"
            except OSError as error:
                return "ended"
        """,
        calls_others=True,
    )
    assert value_of(await again(worker, "begin", on_call=note)) == "begun"
    assert value_of(await again(worker, "end", on_call=note)) == "ended"
    assert asked == []
    assert worker._door.held == 0


async def test_requests_without_end_are_ended(writer: Author) -> None:
    worker = await writer.start(
        """
        import http.client
        def apply(x):
            answered = 0
            try:
                while True:
                    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
                    connection.request("GET", "/")
                    connection.getresponse().read()
                    connection.close()
                    answered += 1
            except (OSError, http.client.HTTPException):
                return answered
        """,
        calls_others=True,
    )
    for _ in range(2):
        assert value_of(await again(worker, 1, on_call=shout)) == MOST_REQUESTS


async def test_a_client_that_offers_another_protocol_is_answered_in_this_one(
    writer: Author,
) -> None:
    """Java's own does so with its first request."""
    outcome = await writer.run(
        """
        import http.client, json
        def apply(x):
            connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
            headers = {"Content-Type": "text/plain", "Connection": "Upgrade, HTTP2-Settings",
                       "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABk"}
            connection.request("POST", "/v1/algo/ada/Shout", "a", headers)
            return json.load(connection.getresponse())["result"]
        """,
        calls_others=True,
        on_call=shout,
    )
    assert value_of(outcome) == "ada/Shout:A"


async def test_nothing_is_called_while_it_loads(writer: Author) -> None:
    outcome = await writer.run(
        """
        import json, urllib.request
        request = urllib.request.Request("http://127.0.0.1:8080/v1/algo/ada/Shout", b"1",
                                         {"Content-Type": "application/json"})
        said = json.load(urllib.request.urlopen(request))
        def apply(x):
            return said["error"]["error_type"]
        """,
        calls_others=True,
        on_call=shout,
    )
    assert value_of(outcome) == "UnsupportedError"


async def test_without_the_permission_nobody_listens(author: Author) -> None:
    outcome = await author.run(
        """
        import os, socket
        def apply(x):
            assert "ALGORITHMIA_API" not in os.environ
            socket.create_connection(("127.0.0.1", 8080), 2)
        """,
        on_call=shout,
    )
    assert "refused" in failure_of(outcome).message


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff" * 100,
        b"GET " + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/algo/a/B HTTP/1.1\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"POST /v1/algo/a/B HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n" + b"a" * 12_000_000,
        b"POST /v1/algo/a/B HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
        b"POST /v1/algo/a/B HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\na"
        * 5000,
    ],
    ids=["noise", "long line", "many headers", "long body", "two lengths", "pipelined"],
)
async def test_what_is_hostile_harms_nobody(writer: Author, sent: bytes) -> None:
    worker = await writer.start(
        """
        import socket
        def apply(sent):
            if not isinstance(sent, bytes):
                return sent
            connection = socket.create_connection(("127.0.0.1", 8080), 10)
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError as error:
                return type(error).__name__
            return "ended"
        """,
        calls_others=True,
    )
    assert value_of(await again(worker, sent, on_call=shout))
    assert value_of(await again(worker, "still here", on_call=shout)) == "still here"
    assert worker._door.held == 0


async def test_many_connections_are_bounded(writer: Author) -> None:
    outcome = await writer.run(
        """
        import socket, time
        def apply(x):
            connections = [socket.create_connection(("127.0.0.1", 8080), 10) for _ in range(100)]
            for one in connections:
                one.settimeout(10)
            ended = 0
            for one in connections[64:]:
                try:
                    ended += one.recv(1) == b""
                except ConnectionResetError:
                    ended += 1
            return ended
        """,
        calls_others=True,
        on_call=shout,
    )
    assert value_of(outcome) == 36
