"""`POST /v1/algo`: what the contract's clients send, and what they must get."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from sqlmodel import func, select

from billing.models import Call, Hold
from core.accounts import service as accounts
from core.accounts.keys import new_key
from tests.market import Market
from web.auth import key_cache

MIB = 2**20
KINDS = """
import time

def apply(x):
    if x == "hang":
        time.sleep(60)
    if x == "bytes":
        return bytes(range(256))
    if x == "text":
        return "gr\\u00fc\\u00df"
    if x == "none":
        return None
    if x == "fail":
        raise ValueError("no, thanks")
    return {"kind": type(x).__name__, "size": len(x) if hasattr(x, "__len__") else x}
"""


@pytest.fixture
async def key(market: Market) -> str:
    """A key of the payer's."""
    await market.publish("Kinds", KINDS, royalty=10)
    async with market.sessions.begin() as session:
        _, text = await accounts.add_key(session, market.payer.id, "tests")
    return text


@pytest.fixture
async def untouched(market: Market, key: str) -> AsyncIterator[None]:
    """Whatever the test does charges nothing, holds nothing and is on no record."""
    yield
    async with market.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Call)) == 0
        assert await session.scalar(select(func.count()).select_from(Hold)) == 0
    assert market.cluster.runs == 0


def call(
    site: httpx.AsyncClient, key: str, path: str = "author/Kinds", **more: object
) -> "httpx._client.Response":
    headers = {"Authorization": key, "Content-Type": "application/json"}
    headers |= more.pop("headers", {})  # type: ignore[operator, arg-type]
    return site.post(f"/v1/algo/{path}", headers=headers, **({"content": b"1"} | more))  # type: ignore[return-value, arg-type]


@pytest.mark.parametrize("form", ["{}", "Simple {}", "Bearer {}", "simple {}"])
async def test_a_key_comes_in_three_forms(site: httpx.AsyncClient, key: str, form: str) -> None:
    answer = await call(site, form.format(key))
    assert answer.status_code == 200
    assert answer.json()["result"] == {"kind": "int", "size": 1}


async def test_a_success_has_its_parts_and_no_member_error(
    site: httpx.AsyncClient, key: str
) -> None:
    answer = await call(site, key, content=b'{"a": 1}')
    body = answer.json()
    assert answer.headers["content-type"].startswith("application/json")
    assert set(body) == {"result", "metadata"}
    metadata = body["metadata"]
    assert metadata["content_type"] == "json"
    assert isinstance(metadata["duration"], float)
    assert metadata["microcredits"]["royalty"] == 10
    assert metadata["microcredits"]["total"] == 10 + metadata["microcredits"]["compute"]
    assert "stdout" not in metadata


@pytest.mark.parametrize(
    ("header", "body", "kind", "size"),
    [
        ("application/json", b'"abc"', "str", 3),
        ("application/json; charset=utf-8", b"[1,2]", "list", 2),
        ("text/plain", b"[1,2]", "str", 5),
        ("application/text", "grüß".encode(), "str", 4),
        ("Text/Plain; charset=UTF-8", b"", "str", 0),
        ("application/octet-stream", b"\x00\xff\x80", "bytes", 3),
    ],
)
async def test_inputs_arrive_as_what_they_were_sent_as(
    site: httpx.AsyncClient, key: str, header: str, body: bytes, kind: str, size: int
) -> None:
    answer = await call(site, key, content=body, headers={"Content-Type": header})
    assert answer.json()["result"] == {"kind": kind, "size": size}


@pytest.mark.parametrize(
    ("mood", "kind", "result", "raw"),
    [
        ("bytes", "binary", base64.b64encode(bytes(range(256))).decode(), bytes(range(256))),
        ("text", "text", "grüß", "grüß".encode()),
        ("none", "json", None, b"null"),
    ],
)
async def test_results_come_as_what_they_are(
    site: httpx.AsyncClient, key: str, mood: str, kind: str, result: object, raw: bytes
) -> None:
    body = (await call(site, key, content=f'"{mood}"'.encode())).json()
    assert (body["metadata"]["content_type"], body["result"]) == (kind, result)
    bare = await call(site, key, "author/Kinds?output=raw", content=f'"{mood}"'.encode())
    assert (bare.status_code, bare.content) == (200, raw)


async def test_a_body_may_come_in_pieces(site: httpx.AsyncClient, key: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    answer = await call(site, key, content=pieces(), headers={"Content-Type": "text/plain"})
    assert answer.json()["result"]["size"] == 100_000


@pytest.mark.parametrize(
    "path",
    ["author/Kinds/", "algo://author/Kinds", "AUTHOR/kinds", "author/Kinds/latest",
     "author/Kinds/1.0.*", "author/Kinds?timeout=20&stdout=True&output=default&more=1"],
)  # fmt: skip
async def test_paths_and_options_are_borne_as_clients_write_them(
    site: httpx.AsyncClient, key: str, path: str
) -> None:
    assert "result" in (await call(site, key, path)).json()


async def test_an_address_with_a_slash_too_many_works(site: httpx.AsyncClient, key: str) -> None:
    answer = await site.post(
        f"{site.base_url}//v1/algo/author/Kinds", content=b"1",
        headers={"Authorization": key, "Content-Type": "application/json"},
    )  # fmt: skip
    assert "result" in answer.json()


async def test_what_an_algorithm_raises_reaches_the_caller_free(
    site: httpx.AsyncClient, key: str
) -> None:
    answer = await call(site, key, content=b'"fail"')
    error = answer.json()["error"]
    assert (answer.status_code, error["error_type"]) == (200, "AlgorithmError")
    assert "no, thanks" in error["message"]
    assert "stacktrace" not in error
    assert answer.headers["x-charged-microcredits"] == "0"
    bare = await call(site, key, "author/Kinds?output=raw", content=b'"fail"')
    assert bare.status_code == 400


async def test_a_call_that_hangs_ends_at_its_deadline(site: httpx.AsyncClient, key: str) -> None:
    answer = await call(site, key, "author/Kinds?timeout=0.5", content=b'"hang"')
    assert answer.json()["error"]["error_type"] == "TimeoutError"
    assert "result" in (await call(site, key)).json()


async def test_the_owner_gets_what_was_printed_and_the_trace(
    site: httpx.AsyncClient, market: Market, key: str
) -> None:
    await market.publish("Prints", "def apply(x):\n    print('seen', x)\n    return 1 // x\n")
    async with market.sessions.begin() as session:
        _, own = await accounts.add_key(session, market.author.id, "own")
    from billing import ledger  # noqa: PLC0415

    async with market.sessions.begin() as session:
        await ledger.grant(session, market.author.id, 10**9, "to test")
    path = "author/Prints?stdout=true&timeout=30"
    assert (await call(site, own, path)).json()["metadata"]["stdout"] == "seen 1\n"
    assert "Prints.py" in (await call(site, own, path, content=b"0")).json()["error"]["stacktrace"]
    assert "stdout" not in (await call(site, key, path)).json()["metadata"]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("change", "status", "kind", "words"),
    [
        (lambda _: {"path": "author/Nothing"}, 200, "EntityNotFoundError", "No such algorithm"),
        (lambda _: {"path": "author/Kinds/9.9.9"}, 200, "EntityNotFoundError", "no version"),
        (lambda _: {"path": "author/Kinds/nine"}, 200, "EntityNotFoundError", "no version"),
        (lambda _: {"path": "author"}, 200, "EntityNotFoundError", "owner/Name"),
        (lambda _: {"path": "author/Nothing?output=raw"}, 404, "EntityNotFoundError", "404"),
        (lambda _: {"key": new_key()}, 401, "AuthorizationError", "revoked"),
        (lambda key: {"key": key[:-1]}, 401, "AuthorizationError", "no key"),
        (lambda key: {"key": f"Basic {key}"}, 401, "AuthorizationError", "Simple KEY"),
        (lambda _: {"key": ""}, 401, "AuthorizationError", "needs a key"),
        (lambda _: {"key": "Bearer call.made.up"}, 401, "AuthorizationError", "no key"),
        (lambda _: {"content": b'{"a":'}, 400, "InputError", "no valid JSON"),
        (lambda _: {"content": b""}, 400, "InputError", "no valid JSON"),
        (lambda _: {"content": b"[" * 100_000}, 400, "InputError", "no valid JSON"),
        (lambda _: {"content": b"NaN"}, 400, "InputError", "no valid JSON"),
        (lambda _: {"content": b"x" * (11 * MIB)}, 413, "TooLargeError", "10 MiB"),
        (lambda _: {"headers": {"Content-Type": "image/png"}}, 415, "InputError", "image/png"),
        (lambda _: {"headers": {"Content-Type": ""}}, 415, "InputError", "content type"),
        (
            lambda _: {"content": b"\xff", "headers": {"Content-Type": "text/plain"}},
            400, "InputError", "UTF-8",
        ),
        (lambda _: {"path": "author/Kinds?timeout=0"}, 400, "InputError", "timeout '0'"),
        (lambda _: {"path": "author/Kinds?timeout=soon"}, 400, "InputError", "timeout 'soon'"),
        (lambda _: {"path": "author/Kinds?timeout=nan"}, 400, "InputError", "timeout 'nan'"),
        (lambda _: {"path": "author/Kinds?timeout=3001"}, 400, "InputError", "3000"),
        (lambda _: {"path": "author/Kinds?budget=all"}, 400, "InputError", "budget"),
        (lambda _: {"path": "author/Kinds?budget=-1"}, 400, "InputError", "budget"),
        (lambda _: {"path": "author/Kinds?stdout=maybe"}, 400, "InputError", "stdout"),
        (lambda _: {"path": "author/Kinds?output=void"}, 400, "InputError", "output"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_in_words_and_free(
    site: httpx.AsyncClient,
    key: str,
    change: Callable[[str], dict[str, object]],
    status: int,
    kind: str,
    words: str,
) -> None:
    wish: dict[str, object] = {"key": key} | change(key)
    answer = await call(site, **wish)  # type: ignore[arg-type]
    error = answer.json()["error"]
    assert (answer.status_code, error["error_type"]) == (status, kind)
    assert words in error["message"]
    assert answer.headers["x-charged-microcredits"] == "0"


@pytest.mark.usefixtures("untouched")
async def test_a_body_without_an_end_is_cut_off_in_time(site: httpx.AsyncClient, key: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 50 * MIB:
            sent += MIB
            yield os.urandom(16) * (MIB // 16)

    answer = await call(
        site, key, content=endless(), headers={"Content-Type": "application/octet-stream"}
    )
    assert answer.status_code == 413
    assert sent <= 12 * MIB


async def test_a_revoked_key_stops_working_within_a_second(
    site: httpx.AsyncClient, market: Market
) -> None:
    assert key_cache.LASTS_S < 1
    await market.publish("Kinds", KINDS)
    async with market.sessions.begin() as session:
        row, key = await accounts.add_key(session, market.payer.id, "to be revoked")
    assert (await call(site, key)).status_code == 200
    async with market.sessions.begin() as session:
        await accounts.revoke_key(session, market.payer.id, row.id)
    deadline = time.monotonic() + 10
    while (answer := await call(site, key)).status_code != 401 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert answer.status_code == 401


async def test_without_credit_the_refusal_says_what_to_do(
    site: httpx.AsyncClient, market: Market
) -> None:
    await market.publish("Kinds", KINDS)
    async with market.sessions.begin() as session:
        _, poor = await accounts.add_key(session, market.author.id, "poor")
    answer = await call(site, poor)
    error = answer.json()["error"]
    assert (answer.status_code, error["error_type"]) == (200, "PaymentRequiredError")
    assert "timeout" in error["message"]
    assert market.cluster.runs == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(site: httpx.AsyncClient, method: str) -> None:
    assert (await site.request(method, "/v1/algo/author/Kinds")).status_code == 405


async def test_one_call_too_many_at_once_is_told_when_to_come_again(
    site: httpx.AsyncClient, market: Market, key: str
) -> None:
    answer = await call(site, key=key)
    assert answer.status_code == 200
    site._transport.app._state["caller"]._of_account._most = 0  # type: ignore[attr-defined]
    answer = await call(site, key=key)
    assert answer.status_code == 429
    assert answer.json()["error"]["error_type"] == "RateLimitError"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-charged-microcredits"] == "0"
