"""Issuers that are away, broken, or not who they say they are; and the development one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlmodel import select

from core.accounts.models import Account, Identity
from core.clock import now
from core.db import Sessions
from core.settings import Issuer
from tests.accounts.site import Browser, Site, introduce, query_of, running_issuer

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


class Odd(HTTPServer):
    """An issuer that says whatever a test wants."""

    answers: dict[str, tuple[int, bytes]]
    address: str
    asked: tuple[str, str]


class Handler(BaseHTTPRequestHandler):
    server: Odd

    def do_GET(self) -> None:
        status, body = self.server.answers.get(self.path, (404, b"none"))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked = (self.headers.get("Authorization", ""), body)
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[Odd]:
    server = Odd(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.answers = {}
    discover(server)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def discover(server: Odd, **changed: object) -> None:
    """Say what the issuer is."""
    about = {
        "issuer": server.address,
        "authorization_endpoint": f"{server.address}/authorize",
        "token_endpoint": f"{server.address}/token",
        "jwks_uri": f"{server.address}/keys",
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        **changed,
    }
    server.answers["/.well-known/openid-configuration"] = (200, orjson.dumps(about))
    server.answers["/keys"] = (200, orjson.dumps({"keys": [KEY.as_dict(private=False)]}))


def promise(server: Odd, trip: str, *, key: RSAKey = KEY, **changed: object) -> None:
    """Give out an ID token."""
    moment = int(now().timestamp())
    claims = {
        "iss": server.address, "aud": "algorium", "sub": "odd", "iat": moment,
        "exp": moment + 60, "nonce": trip, "preferred_username": "odd", **changed,
    }  # fmt: skip
    token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
    give(server, token)


def give(server: Odd, token: str) -> None:
    body = {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token}
    server.answers["/token"] = (200, orjson.dumps(body))


@asynccontextmanager
async def at(
    sessions: Sessions, home: Path, issuer: Issuer | None, url: str = "http://127.0.0.1:8000"
) -> AsyncIterator[Browser]:
    async with Site(sessions, home, issuer, url).browser() as browser:
        yield browser


async def come_back(browser: Browser, server: Odd, **changed: object) -> tuple[int, str]:
    asked = query_of(await browser.leave())
    promise(server, asked["nonce"], **changed)  # type: ignore[arg-type]
    answer = await browser.get(f"/sign_in/callback?code=1&state={asked['state']}")
    return answer.status_code, answer.text


async def test_a_good_token_of_the_odd_issuer_is_taken(
    sessions: Sessions, tmp_path: Path, odd: Odd
) -> None:
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", "s", "Odd")) as browser:
        assert (await come_back(browser, odd))[0] == 303


@pytest.mark.parametrize(
    ("secret", "methods", "in_header", "in_body"),
    [
        ("s3cret", None, True, False),
        ("s3cret", ["client_secret_post", "client_secret_basic"], True, False),
        ("s3cret", ["client_secret_post"], False, True),
        ("", ["client_secret_basic"], False, False),
    ],
)
async def test_the_secret_goes_where_the_issuer_wants_it(
    sessions: Sessions,
    tmp_path: Path,
    odd: Odd,
    secret: str,
    methods: list[str] | None,
    in_header: bool,
    in_body: bool,
) -> None:
    discover(odd, token_endpoint_auth_methods_supported=methods)
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", secret, "Odd")) as browser:
        assert (await come_back(browser, odd))[0] == 303
    header, body = odd.asked
    assert header.startswith("Basic ") is in_header
    assert ("client_secret=s3cret" in body) is in_body
    assert in_header or "client_id=algorium" in body
    assert "code_verifier=" in body


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example"},
        {"aud": "another-client"},
        {"aud": ["algorium-2", "x"], "azp": "algorium-2"},
        {"nonce": "another trip's"},
        {"exp": 1},
        {"sub": ""},
        {"sub": "x" * 256},
        {"key": RSAKey.generate_key(2048, {"kid": "one"})},
    ],
)
async def test_a_token_that_is_not_for_us_now_is_refused(
    sessions: Sessions, tmp_path: Path, odd: Odd, changed: dict[str, object]
) -> None:
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", "s", "Odd")) as browser:
        status, text = await come_back(browser, odd, **changed)
    assert status == 403
    assert "You are not signed in" in text
    async with sessions() as session:
        assert (await session.scalars(select(Account))).all() == []


async def test_a_token_without_a_signature_is_refused(
    sessions: Sessions, tmp_path: Path, odd: Odd
) -> None:
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", "s", "Odd")) as browser:
        asked = query_of(await browser.leave())
        promise(odd, asked["nonce"])
        body = orjson.loads(odd.answers["/token"][1])["id_token"].split(".")[1]
        give(odd, f"eyJhbGciOiJub25lIn0.{body}.")
        answer = await browser.get(f"/sign_in/callback?code=1&state={asked['state']}")
    assert answer.status_code == 403


async def test_an_issuer_that_is_away_is_told_in_words(sessions: Sessions, tmp_path: Path) -> None:
    issuer = Issuer("http://127.0.0.1:9", "algorium", "s", "Faraway")
    async with at(sessions, tmp_path, issuer) as browser:
        answer = await browser.submit("/sign_in", "/sign_in", next="/account/keys")
    assert answer.status_code == 503
    assert "Faraway doesn&#39;t answer" in answer.text
    assert 'value="/account/keys"' in answer.text


async def test_an_issuer_that_dies_on_the_way_is_told_in_words(
    sessions: Sessions, tmp_path: Path, odd: Odd
) -> None:
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", "s", "Odd")) as browser:
        asked = query_of(await browser.leave())
        odd.answers["/token"] = (500, b"<html>")
        answer = await browser.get(f"/sign_in/callback?code=1&state={asked['state']}")
    assert answer.status_code == 503


@pytest.mark.parametrize(
    "broken", [(500, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (404, b"{}")]
)
async def test_an_issuer_that_talks_nonsense_is_told_in_words_and_asked_again(
    sessions: Sessions, tmp_path: Path, odd: Odd, broken: tuple[int, bytes]
) -> None:
    odd.answers["/.well-known/openid-configuration"] = broken
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", "s", "Odd")) as browser:
        answer = await browser.submit("/sign_in", "/sign_in")
        assert answer.status_code == 503
        discover(odd)
        assert (await browser.leave()).startswith(odd.address)


async def test_an_issuer_of_another_name_is_refused(
    sessions: Sessions, tmp_path: Path, odd: Odd
) -> None:
    discover(odd, issuer="https://accounts.example")
    async with at(sessions, tmp_path, Issuer(odd.address, "algorium", "s", "Odd")) as browser:
        answer = await browser.submit("/sign_in", "/sign_in")
    assert answer.status_code == 503
    assert "accounts.example" in answer.text


async def test_no_issuer_is_told_in_words(sessions: Sessions, tmp_path: Path) -> None:
    async with at(sessions, tmp_path, None) as browser:
        page = await browser.get("/sign_in")
        assert "OIDC_ISSUER" in page.text
        assert '<form action="/sign_in"' not in page.text
        assert (await browser.get("/sign_in/callback?code=1&state=2")).status_code == 200


async def test_the_development_sign_in_says_what_it_is_and_outlives_its_port(
    sessions: Sessions, tmp_path: Path
) -> None:
    for _ in range(2):
        with running_issuer() as address:
            issuer = Issuer(address, "algorium", "s", "the development sign-in", development=True)
            await introduce(address, "alice", preferred_username="alice")
            async with at(sessions, tmp_path, issuer) as browser:
                assert "Development sign-in" in (await browser.get("/sign_in")).text
                assert (await browser.sign_in("alice")).status_code == 303
    async with sessions() as session:
        assert (await session.scalars(select(Account.name))).all() == ["alice"]
        assert (await session.scalars(select(Identity.issuer))).all() == ["development"]


async def test_the_development_sign_in_is_off_where_others_can_reach_the_site(
    sessions: Sessions, tmp_path: Path
) -> None:
    issuer = Issuer("http://127.0.0.1:9", "algorium", "s", "development", development=True)
    async with at(sessions, tmp_path, issuer, "https://market.example") as browser:
        page = await browser.get("/sign_in")
        assert "switched off" in page.text
        assert '<form action="/sign_in"' not in page.text
