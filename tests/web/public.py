"""The whole site in this process; its algorithms answer what a test tells them to."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from starlette.types import Receive, Scope, Send

from billing.ledger import Ledger
from catalog import service as catalog
from catalog.models import Algorithm, Version, Visibility
from catalog.service import Built, Draft
from core.accounts import service
from core.db import Sessions
from core.settings import Settings
from execution.calls import Caller
from execution.messages import Run
from execution.outcome import ContentType, Failure, Outcome, Payload
from execution.sandbox.nesting import OnCall
from search.tantivy_index import TantivyIndex
from search.tasks import Follower
from tests.people import add_algorithm
from web.app import create_app
from web.auth.key_cache import KeyCache

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
TOKEN = re.compile(r'name="csrf"\s+value="([^"]+)"')


@dataclass
class Told:
    """A cluster that answers with what a test tells it to, and remembers what it was sent."""

    outcome: Outcome = field(
        default_factory=lambda: Outcome(
            Payload(ContentType.JSON, b'{"answer": 42}'), None,
            queued_ms=1, started_ms=30, loaded_ms=20, ran_ms=12,
        )
    )  # fmt: skip
    sent: list[Payload] = field(default_factory=list)

    async def invoke(self, run: Run, on_call: OnCall | None = None) -> Outcome:
        """Answer."""
        self.sent.append(run.payload)
        return self.outcome

    async def ready(self) -> bool:
        """It always is."""
        return True

    def fail(self, kind: str, message: str) -> None:
        """Let the next runs fail."""
        self.outcome = Outcome(None, Failure(kind, message), ran_ms=5)


class Public:
    """A site without a socket. `settings.url` is where it would be."""

    def __init__(
        self, sessions: Sessions, money: Ledger, home: Path, url: str = "http://127.0.0.1:8000"
    ) -> None:
        self.sessions = sessions
        self.cluster = Told()
        self.index = TantivyIndex()
        self.follower = Follower(sessions, self.index)
        self.settings = Settings(home=home, url=url, starter=False)
        self.caller = Caller(sessions, money, self.cluster)
        self.state = {
            "settings": self.settings,
            "sessions": sessions,
            "index": self.index,
            "caller": self.caller,
            "cluster": self.cluster,
            "keys": KeyCache(sessions),
        }
        self.app = create_app(self.settings, self._never)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the state that a start would have made."""
        await self.app({**scope, "state": dict(self.state)}, receive, send)

    async def publish(
        self,
        owner_id: UUID,
        name: str,
        *,
        sample: Payload | None = None,
        output: Payload | None = None,
        **more: Any,
    ) -> tuple[Algorithm, Version]:
        """Publish an algorithm with a sample and its answer, and let the search know of it."""
        if sample is not None:
            more |= {"sample_type": sample.content_type.value, "sample_input": sample.data}
        found, version = await add_algorithm(self.sessions, owner_id, name, **more)
        if output is not None:
            built = Built("e" * 32, output.content_type.value, output.data)
            draft = Draft(
                name=name, summary=found.summary, category=found.category,
                tags=tuple(found.tags), licence=found.licence, number=(1, 0, 0), royalty=0,
                visibility=Visibility.PUBLIC,
            )  # fmt: skip
            async with self.sessions.begin() as session:
                await catalog.go_live(session, version.id, draft, built)
        await self.follower.catch_up()
        return found, version

    async def token(self, account_id: UUID) -> str:
        """Sign somebody in; gives what their browser's cookie holds."""
        async with self.sessions.begin() as session:
            return await service.open_session(session, account_id)

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open a browser without any cookie."""
        transport = httpx.ASGITransport(self, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=self.settings.url) as client:
            yield client

    async def sign_in(self, client: httpx.AsyncClient, account_id: UUID) -> None:
        """Sign a browser in."""
        token = await self.token(account_id)
        client.cookies.set("algorium_session", token, domain="127.0.0.1", path="/")

    def _never(self) -> Any:
        raise NotImplementedError


def form_token(page: httpx.Response) -> str:
    """Find the token of the page's first form."""
    found = TOKEN.search(page.text)
    assert found, page.text
    return found[1]
