"""An installation on an outside Ray cluster of three nodes, one of which is lost under load.

Each node has a home of its own, so that nothing runs there that wasn't brought; what is built
lies in an object store. `-s` prints what callers saw, which docs/operating.md tells.
"""

import asyncio
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest
from sqlmodel import select

from bench.installation import Installation, free_port, start
from billing import ledger
from billing.models import Call, CallState
from billing.pricing import CREDIT
from core import db
from core.accounts import service as accounts
from core.db import Sessions
from core.errors import BuildFailed
from core.hardware import PROFILES
from execution.applications import own_application
from execution.builds import tasks
from execution.builds.shelf import Shelf
from execution.builds.source import read_project
from execution.data.store import Store
from execution.hardware import offers
from execution.models import Build, BuildState
from tests.cluster.nodes import Node, Nodes, bucket, without_ray
from tests.journeys.test_faults import ALLOWED, Callers
from tests.people import add_person
from web.up.postgres import database_url

TOML = """
[algorithm]
name = "{name}"
summary = "Says something about numbers"
category = "utilities"
licence = "MIT"
[version]
number = "1.0.0"
royalty_credits = "1"
{more}
"""
SLOW = "import time\ndef apply(x):\n    time.sleep(2)\n    return x\n"
QUAD = """
import Algorithmia, time
def apply(x):
    time.sleep(0.5)
    double = Algorithmia.client().algo("owner/Double")
    return double.pipe(double.pipe(x).result).result
"""
PROJECTS = (
    ("Double", "def apply(x):\n    return 2 * x\n", ""),
    ("Repeatable", SLOW, "idempotent = true"),
    ("Once", SLOW, ""),
    ("Quad", QUAD, "calls_others = true"),
)
PATIENCE_S = 120
# More than what one replica is sent while others have less to do.
MANY = 18


@dataclass
class Site:
    """The cluster, the installation that uses it, and a caller's key."""

    nodes: Nodes
    installation: Installation
    key: str
    versions: dict[str, str]
    author: Shelf
    owner_id: UUID
    charged: dict[UUID, int] = field(default_factory=dict)

    async def calls(self, name: str, count: int) -> list[object]:
        """Call with 7 so many times at once; gives results, or the types of errors."""
        async with httpx.AsyncClient(timeout=90) as client:

            async def one() -> object:
                answer = await client.post(
                    f"{self.installation.url}/v1/algo/owner/{name}?timeout=60",
                    json=7,
                    headers={"Authorization": self.key},
                )
                body = answer.json()
                price = int(answer.headers["x-charged-microcredits"])
                if price:
                    self.charged[UUID(answer.headers["x-request-id"])] = price
                assert (price > 0) == ("result" in body)
                return body["result"] if "result" in body else body["error"]["error_type"]

            return list(await asyncio.gather(*(one() for _ in range(count))))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three nodes, an object store, and one installation beside them."""
    folder = tmp_path_factory.mktemp("nodes")
    folder.chmod(0o755)
    with without_ray(), bucket(folder / "store") as store:
        environment = {
            **store, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }  # fmt: skip
        nodes = Nodes(folder, environment)
        try:
            for _ in range(3):
                nodes.add()
            (folder / "home").mkdir()
            installation = start(
                folder / "home", free_port(), **environment, RAY_ADDRESS=nodes.head,
                ALGORIUM_STARTER="0", ALGORIUM_SECRET=secrets.token_hex(32),
                # Nobody signs in, so that this is never asked.
                OIDC_ISSUER="http://127.0.0.1:9", OIDC_CLIENT_ID="nobody",
            )  # fmt: skip
            try:
                yield Site(nodes, installation, *asyncio.run(publish(installation, folder, store)))
            finally:
                installation.stop()
        finally:
            nodes.close()


async def publish(
    installation: Installation, folder: Path, store: Mapping[str, str]
) -> tuple[str, dict[str, str], Shelf, UUID]:
    """Publish as from another machine than the one that builds.

    Gives a caller's key, the versions by their algorithms' names, and what it was done with.
    """
    before = dict(os.environ)
    os.environ.update(store)
    shelf = Shelf(folder / "author", Store(store["DATA_URL"]))
    try:
        async with db.connected(database_url(installation.home)) as sessions:
            owner = await add_person(sessions, "owner")
            caller = await add_person(sessions, "caller", credit=10_000_000 * CREDIT)
            async with sessions.begin() as session:
                _, key = await accounts.add_key(session, caller.id, "test")
            builds = {}
            for name, code, more in PROJECTS:
                place = written(folder / "projects" / name, name, code, more)
                builds[name] = await tasks.submit(sessions, shelf, owner.id, read_project(place))
            versions = await live(sessions, builds)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return key, versions, shelf, owner.id


def written(place: Path, name: str, code: str, more: str) -> Path:
    (place / "src").mkdir(parents=True)
    (place / "algorium.toml").write_text(TOML.format(name=name, more=more))
    (place / "src" / f"{name}.py").write_text(code)
    (place / "README.md").write_text(f"# {name}\n")
    return place


async def live(sessions: Sessions, builds: dict[str, UUID]) -> dict[str, str]:
    """Wait for the ends of builds; gives the versions."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with sessions() as session:
                found = {
                    name: await session.get_one(Build, build_id)
                    for name, build_id in builds.items()
                }
            for build in found.values():
                assert build.state is not BuildState.FAILED, build.log
            if all(build.state is BuildState.SUCCEEDED for build in found.values()):
                return {name: str(build.version_id) for name, build in found.items()}
            await asyncio.sleep(0.2)


async def books(installation: Installation) -> tuple[list[str], dict[UUID, int], int]:
    """What is wrong with the books, what each call cost, and how many calls others made."""
    async with db.connected(database_url(installation.home)) as sessions, sessions() as session:
        calls = (await session.scalars(select(Call).where(Call.state == CallState.SUCCEEDED))).all()
        costs = {one.id: one.royalty + one.compute for one in calls if one.parent_id is None}
        return await ledger.differences(session), costs, len(calls) - len(costs)


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def has_replica(node: Node, app: str = "") -> bool:
    for one in node.tree():
        with suppress(psutil.Error):
            if f"ServeReplica:{app}" in " ".join(one.cmdline()):
                return True
    return False


def test_a_node_is_lost_under_load(site: Site) -> None:
    nodes, installation = site.nodes.there, site.installation
    until(lambda: all(has_replica(node) for node in nodes), "a replica on each node")

    async def on_every_node() -> None:
        # Each makes two calls inside it; a replica takes what others have no room for.
        assert await site.calls("Quad", MANY) == [28] * MANY

    asyncio.run(on_every_node())
    until(lambda: all(node.versions() for node in nodes), "what is called is on each node")

    lost = nodes[2]
    with Callers(installation.url, site.key) as callers:
        callers.until_served(time.monotonic())
        repeatable, once, killed_at = asyncio.run(calls_while_killed(site, lost))
        callers.until_served(killed_at)
    seen = [one for one in callers.seen if one.began + one.took > killed_at]
    print(
        f"a node: {dict(Counter(one.how for one in seen))}, longest call "
        f"{max(one.took for one in seen):.1f} s, nobody served for "
        f"{callers.longest_gap(killed_at):.1f} s; slow calls under way {Counter(once)}, "
        f"those that may be repeated {Counter(repeatable)}"
    )

    assert repeatable == [7] * MANY
    assert set(once) == {7, "SystemError"}
    assert {one.how for one in callers.seen} <= ALLOWED
    assert all(one.charged == 0 for one in callers.seen if one.how != "ok")
    # No gateway was killed: exactly what was answered was charged, and each once.
    answered = {one.call_id: one.charged for one in callers.seen if one.how == "ok"}
    assert len(answered) == sum(one.how == "ok" for one in callers.seen)
    wrong, costs, inside = asyncio.run(books(installation))
    assert wrong == []
    assert costs == answered | site.charged
    assert inside == 2 * MANY


async def calls_while_killed(site: Site, lost: Node) -> tuple[list[object], list[object], float]:
    """Call what takes some time, on every node, and cut one's power meanwhile."""
    repeatable = asyncio.create_task(site.calls("Repeatable", MANY))
    once = asyncio.create_task(site.calls("Once", MANY))
    slow = {site.versions[name] for name in ("Repeatable", "Once")}
    async with asyncio.timeout(PATIENCE_S):
        # They are brought there for a call, which then takes two seconds.
        while not slow <= lost.versions():
            await asyncio.sleep(0.02)
    killed_at = time.monotonic()
    await asyncio.to_thread(lost.kill)
    return await repeatable, await once, killed_at


GPU = """
import os
def apply(x):
    return [x, os.environ.get("CUDA_VISIBLE_DEVICES"), os.path.exists("/dev/nvidia0")]
"""


def test_a_version_for_a_gpu_comes_up_on_the_machine_that_has_one(
    site: Site, tmp_path: Path
) -> None:
    project = written(tmp_path / "Sees", "Sees", GPU, '[resources]\nhardware = "gpu-quarter"')
    with pytest.raises(BuildFailed, match="no machine of the cluster has a GPU"):
        asyncio.run(publish_one(site, project))

    node = site.nodes.add(gpus=1, memory_mib=8192)
    version = asyncio.run(publish_one(site, project, wait_for="gpu-quarter"))
    # The first call waits for a replica, which is nowhere yet.
    assert not has_replica(node, own_application(version))
    before = sum(site.charged.values())

    (result,) = asyncio.run(site.calls("Sees", 1))
    assert isinstance(result, list)

    assert result[0] == 7
    if not Path("/dev/nvidia0").exists():
        # The GPU is only declared: there is no file of it to be seen.
        assert result[1:] == [None, False]
    assert has_replica(node, own_application(version))
    assert (sum(site.charged.values()) - before - CREDIT) % PROFILES["gpu-quarter"].rate == 0


async def publish_one(site: Site, project: Path, *, wait_for: str = "") -> str:
    """Publish as from the author's machine, once the worker has found the hardware."""
    async with db.connected(database_url(site.installation.home)) as sessions:
        async with asyncio.timeout(PATIENCE_S):
            while wait_for:
                async with sessions() as session:
                    if wait_for in {one.profile.name for one in await offers(session)}:
                        break
                await asyncio.sleep(0.2)
        build = await tasks.submit(sessions, site.author, site.owner_id, read_project(project))
        return (await live(sessions, {"it": build}))["it"]
