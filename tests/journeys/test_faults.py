"""Every part is killed while people call: service comes back by itself, and the books are right.

`-s` prints what the callers saw, which docs/operating.md tells.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import psutil
import pytest
from sqlmodel import col, select

from bench.installation import Installation, free_port, start
from billing.models import Call, CallState
from core import db
from core.accounts.models import Account
from tests.journeys.conftest import new_key
from tests.journeys.test_publishing import project
from tests.journeys.test_surviving import find, until_it_answers
from web.up.postgres import database_url

CALLERS = 6
PATIENCE_S = 120
# What a caller may see of a part that was killed: typed errors, or no connection. A call that
# waits for a cluster that a slow machine starts again may reach its own deadline.
ALLOWED = {"ok", "SystemError", "TimeoutError", "unreachable"}


@dataclass
class Seen:
    """One call as its caller saw it."""

    began: float
    took: float
    how: str
    call_id: UUID | None
    charged: int


@dataclass
class Callers:
    """Some who call again and again, in a thread of their own."""

    url: str
    key: str
    seen: list[Seen] = field(default_factory=list)
    stopped: bool = False

    def __enter__(self) -> Self:
        """Begin."""
        self.thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after the calls that are under way."""
        self.stopped = True
        self.thread.join()

    async def _all(self) -> None:
        async with httpx.AsyncClient(timeout=90) as client:
            await asyncio.gather(*(self._one(client) for _ in range(CALLERS)))

    async def _one(self, client: httpx.AsyncClient) -> None:
        while not self.stopped:
            began = time.monotonic()
            call_id, charged = None, 0
            try:
                answer = await client.post(
                    f"{self.url}/v1/algo/owner/Double?timeout=60",
                    json=4,
                    headers={"Authorization": self.key},
                )
                body = answer.json()
                how = "ok" if body.get("result") == 8 else str(body["error"]["error_type"])
                charged = int(answer.headers["x-charged-microcredits"])
                if "x-request-id" in answer.headers:
                    call_id = UUID(answer.headers["x-request-id"])
            except (httpx.HTTPError, ValueError):
                how = "unreachable"
                await asyncio.sleep(0.05)
            self.seen.append(Seen(began, time.monotonic() - began, how, call_id, charged))

    def longest_gap(self, since: float) -> float:
        """Tell for how long nobody was served, at most, from a moment on."""
        ends = sorted(one.began + one.took for one in self.seen if one.how == "ok")
        ends = [since, *(end for end in ends if end > since)]
        return max(later - earlier for earlier, later in pairwise(ends))

    def until_served(self, since: float) -> None:
        """Wait until as many calls as there are callers, all begun later, were served."""
        while time.monotonic() - since < PATIENCE_S:
            good = [one for one in self.seen if one.how == "ok" and one.began > since]
            if len(good) >= CALLERS:
                return
            time.sleep(0.05)
        raise AssertionError(f"not served again: {Counter(one.how for one in self.seen)}")


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One without the starter catalog, to be mistreated."""
    home = tmp_path_factory.mktemp("faults") / "home"
    home.mkdir()
    started = start(home, free_port(), ALGORIUM_STARTER="0")
    yield started
    started.stop()


def a_sandbox(installation: Installation) -> psutil.Process:
    """The innermost process of a sandbox that runs calls."""
    replica = find(installation.home, "ServeReplica")
    return max(
        (one for one in replica.children(recursive=True) if "/runner/" in " ".join(one.cmdline())),
        key=lambda one: one.pid,
    )


def the_database(installation: Installation) -> psutil.Process:
    """The server, which writes its id beside its socket."""
    folder = Path(parse_qs(urlsplit(database_url(installation.home)).query)["host"][0])
    (lock,) = folder.glob(".s.PGSQL.*.lock")
    return psutil.Process(int(lock.read_text().split()[0]))


def named(words: str) -> Callable[[Installation], psutil.Process]:
    """The process of an installation with these words in its command."""
    return lambda installation: find(installation.home, words)


def until_another(look: Callable[[], psutil.Process], than: psutil.Process) -> None:
    """Wait until a process was started in the place of one that was killed."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(AssertionError, ValueError, OSError, psutil.Error):
            if look().pid != than.pid:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing took the place of {than}")


PARTS = {
    "a sandboxed worker": a_sandbox,
    "a replica": named("ServeReplica"),
    "the Serve controller": named("ServeController"),
    "the web server": named("web.cli serve"),
    "the worker": named("web.cli worker"),
    "the Ray head": named("gcs_server"),
    "PostgreSQL": the_database,
}


def test_whatever_is_killed_under_load_nobody_pays_for_what_wasnt_answered(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = new_key(installation, "owner")
    caller = new_key(installation, "caller")
    installation.command("credits", "grant", "caller", "10000000")
    code = "def apply(x):\n    return 2 * x\n"
    folder = project(tmp_path_factory.mktemp("project"), "1.0.0", code)
    installation.command("publish", str(folder), "--owner", "owner")
    until_it_answers(installation, key)

    with Callers(installation.url, caller) as callers:
        callers.until_served(time.monotonic())
        for part, found in PARTS.items():
            process = found(installation)
            killed_at = time.monotonic()
            process.kill()
            callers.until_served(killed_at)
            until_another(lambda found=found: found(installation), process)
            callers.until_served(time.monotonic())
            seen = [one for one in callers.seen if one.began + one.took > killed_at]
            print(
                f"{part}: {dict(Counter(one.how for one in seen))}, longest call "
                f"{max(one.took for one in seen):.1f} s, nobody served for "
                f"{callers.longest_gap(killed_at):.1f} s"
            )
        callers.until_served(time.monotonic())

    assert {one.how for one in callers.seen} <= ALLOWED
    assert all(one.charged == 0 for one in callers.seen if one.how != "ok")
    assert installation.command("books", "verify") == "The books agree."
    charged = asyncio.run(succeeded(installation))
    paid = {one.call_id: one.charged for one in callers.seen if one.charged}
    assert len(paid) == sum(one.charged > 0 for one in callers.seen)
    assert paid.items() <= charged.items()
    # A hold that the killed database forgot makes its call free: answered, and not in the books.
    free = {one.call_id for one in callers.seen if one.how == "ok" and not one.charged}
    assert not free & charged.keys()
    # Settled, and killed before the answer was out: at most what each caller had under way
    # when the web server or the database was killed. Their usage lists these.
    assert len(free) <= CALLERS
    assert len(charged) - len(paid) <= 2 * CALLERS


async def succeeded(installation: Installation) -> dict[UUID, int]:
    """What the caller was charged, by call."""
    async with db.connected(database_url(installation.home)) as sessions, sessions() as session:
        rows = await session.scalars(
            select(Call)
            .join(Account, col(Account.id) == col(Call.account_id))
            .where(Call.state == CallState.SUCCEEDED, Account.name_key == "caller")
        )
        return {one.id: one.royalty + one.compute for one in rows}
