"""The whole site as a browser meets it, with a real issuer beside it; for tests of accounts."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import oidc_provider_mock
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from core.accounts import queries, service
from core.db import Sessions
from core.settings import Issuer, Settings
from web.app import create_app
from web.auth.key_cache import KeyCache

URL = "http://127.0.0.1:8000"
_TOKEN = re.compile(r'name="csrf"\s+value="([^"]+)"')


@contextmanager
def running_issuer() -> Iterator[str]:
    """Run an OpenID provider on a port of its own; gives its address."""
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@dataclass
class Site:
    """A site in this process. Requests go through the whole application, without a socket."""

    sessions: Sessions
    home: Path
    issuer: Issuer | None
    url: str = URL
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings(home=self.home, url=self.url, issuer=self.issuer)
        self.keys = KeyCache(self.sessions)
        self.app = create_app(self.settings, self._never)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the state that a start would have made."""
        state = {"settings": self.settings, "sessions": self.sessions, "keys": self.keys}
        await self.app({**scope, "state": state}, receive, send)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator["Browser"]:
        """Open a browser without any cookie."""
        transport = httpx.ASGITransport(self)
        async with httpx.AsyncClient(transport=transport, base_url=self.url) as client:
            yield Browser(client, self)

    async def person(self, browser: "Browser", name: str) -> UUID:
        """Sign a browser in as the account of that name, without the way over the issuer."""
        async with self.sessions.begin() as session:
            account = await queries.account_named(session, name)
            token = await service.open_session(session, account.id)
        browser.client.cookies.set("algorium_session", token, domain="127.0.0.1", path="/")
        return account.id

    def _never(self) -> Any:
        raise NotImplementedError


@dataclass
class Browser:
    """What one person clicks."""

    client: httpx.AsyncClient
    site: Site

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """Open a page."""
        return await self.client.get(path, **more)

    async def submit(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Open a page, and send the form on it that leads to `path`."""
        shown = await self.client.get(page)
        return await self.client.post(path, data={"csrf": token_on(shown), **fields})

    async def leave(self, next_path: str = "") -> str:
        """Press the sign-in button; gives the issuer's address that it leads to."""
        answer = await self.submit(
            "/sign_in", "/sign_in", **({"next": next_path} if next_path else {})
        )
        assert answer.is_redirect, answer.text
        return answer.headers["location"]

    async def sign_in(self, subject: str, next_path: str = "") -> httpx.Response:
        """Sign in as the issuer's `subject`; gives the answer to the callback."""
        return await self.client.get(await allow(await self.leave(next_path), subject))


async def allow(address: str, subject: str) -> str:
    """Say yes at the issuer; gives the address that it sends the browser back to."""
    async with httpx.AsyncClient() as outside:
        answer = await outside.post(address, data={"sub": subject})
    assert answer.is_redirect, answer.text
    return answer.headers["location"]


async def introduce(issuer: str, subject: str, **claims: object) -> None:
    """Tell the issuer what to say of somebody."""
    async with httpx.AsyncClient() as outside:
        (await outside.put(f"{issuer}/users/{subject}", json=claims)).raise_for_status()


def token_on(page: httpx.Response) -> str:
    """Find the token of the page's first form."""
    found = _TOKEN.search(page.text)
    assert found, page.text
    return found[1]


def query_of(address: str) -> dict[str, str]:
    """Read what an address asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
