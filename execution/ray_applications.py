"""The applications of a cluster on Ray Serve. Its methods run Serve's in a thread of their own."""

import asyncio
import contextlib
import hashlib
import logging
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from core.hardware import DEFAULT, Node, Profile
from execution import release
from execution.applications import POOL, Found, Wish, is_ours
from execution.bounds import Bounds, bounds_of_own
from execution.channel.links import Directory, Entry
from execution.sandbox.limits import Limits
from execution.sandbox.wire import MIB

log = logging.getLogger(__name__)

_DEPLOYMENT = "PoolReplica"
_DEPLOY_TIMEOUT_S = 120.0
# How long an application that failed is left to itself before it is asked for again.
_AGAIN_S = 30.0
# A replica speaks every second.
_SILENT_S = 15.0


class NodeLost(Exception):
    """The node that this process joined a cluster by is dead: it has to join again."""


class RayApplications:
    """The `Applications` of a process that has joined Ray."""

    def __init__(
        self,
        directory: Directory,
        *,
        secret: bytes,
        bounds: Bounds | None = None,
        limits: Limits | None = None,
        data_url: str | None = None,
        builds_mib: int = 0,
        outside: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`secret` is what gateways show that they know. Memory is bounded per replica.

        With `data_url` replicas fetch what they run from there, and each machine keeps so much
        of it. `outside` says that the cluster isn't this machine's own: the pool is then spread
        over its machines, and replicas refuse to start on those that have other code.
        """
        self._directory = directory
        self._bounds = bounds or Bounds()
        self._limits = limits or Limits()
        self._told: dict[str, Any] = {
            "secret": secret,
            "data_url": data_url,
            "builds_mib": builds_mib,
            "release": release.own() if outside else "",
        }
        self._on_many = outside
        self._asked: dict[str, tuple[Wish, float]] = {}
        self._beats: dict[str, tuple[int, float]] = {}
        self._clock = clock
        self._started = False

    def wish(self, replicas: int, profile: Profile = DEFAULT) -> Wish:
        """Wish for this many replicas of what this code runs, on this hardware."""
        how = sorted((self._settings(profile) | options_of(profile)).items())
        digest = hashlib.sha256(f"{release.own()} {how}".encode())
        return Wish(replicas, digest.hexdigest()[:16], profile)

    async def pool(self) -> Wish:
        """Wish for one replica for two cores, and for each machine.

        Its own work is small beside that of its workers, so that this keeps up.
        """
        shares = [max(1, int(node.cpus) // 2) for node in await self.nodes() if node.cpus]
        wish = self.wish(max(1, sum(shares)))
        return replace(wish, per_node=max(shares, default=1)) if self._on_many else wish

    async def found(self) -> Mapping[str, Found]:
        """Give all that there are, by name."""
        entries = (await self._alive()).values()
        prints = {entry.app: entry.fingerprint for entry in entries}
        return await asyncio.to_thread(self._found, prints)

    async def loads(self) -> Mapping[str, float]:
        """Give how many calls of each version were under way of late, by its id."""
        sums: Counter[str] = Counter()
        for entry in (await self._alive()).values():
            sums.update(entry.load)
        return sums

    async def nodes(self) -> Sequence[Node]:
        """Give the machines that there are."""
        return await asyncio.to_thread(_nodes)

    async def deploy(self, name: str, wish: Wish) -> None:
        """Ask for an application, and wait for nothing."""
        self._asked[name] = wish, time.monotonic()
        await asyncio.to_thread(self._deploy, name, wish)

    async def remove(self, name: str) -> None:
        """Ask for its end, and wait for nothing."""
        self._asked.pop(name, None)
        await asyncio.to_thread(self._remove, name)

    async def _alive(self) -> Mapping[str, Entry]:
        """Give what replicas say that still say something, and strike off the others.

        One that was killed says for ever that it is busy.
        """
        moment = self._clock()
        entries = dict(await self._directory.replicas())
        beats = self._beats
        self._beats = {
            name: beats[name]
            if name in beats and beats[name][0] == entry.beat
            else (entry.beat, moment)
            for name, entry in entries.items()
        }
        for name, (_, since) in self._beats.items():
            if moment - since > _SILENT_S:
                del entries[name]
                await self._directory.forget(name)
        return entries

    def _found(self, prints: Mapping[str, str]) -> dict[str, Found]:
        serve = self._serve()
        found = {}
        for name, application in serve.status().applications.items():
            if not is_ours(name):
                continue  # Ray may serve somebody else, too.
            states: Counter[str] = Counter()
            for deployment in application.deployments.values():
                states.update({str(key): n for key, n in deployment.replica_states.items()})
            alive = sum(n for state, n in states.items() if "STOPPING" not in state)
            asked, asked_at = self._asked.get(name, (Wish(alive, prints.get(name, "")), 0.0))
            status = str(application.status)
            found[name] = Found(
                wish=asked,
                running=sum(n for state, n in states.items() if "RUNNING" in state),
                has_failed="DEPLOY_FAILED" in status and time.monotonic() - asked_at > _AGAIN_S,
                is_leaving="DELETING" in status,
            )
        return found

    def _deploy(self, name: str, wish: Wish) -> None:
        from execution.replica import PoolReplica  # noqa: PLC0415 - imports Ray

        serve = self._serve()
        deployment = serve.deployment(
            PoolReplica,
            name=_DEPLOYMENT,
            num_replicas=wish.replicas,
            max_replicas_per_node=wish.per_node or None,
            ray_actor_options=options_of(wish.profile),
            # How long calls under way may take to end when a replica is taken away.
            graceful_shutdown_timeout_s=30,
            health_check_period_s=5,
            logging_config={"enable_access_log": False},
        )
        bound = deployment.bind(name, wish.fingerprint, **self._settings(wish.profile))
        with signals_kept():
            serve.run_many(
                [serve.RunTarget(bound, name=name, route_prefix=None)],
                wait_for_ingress_deployment_creation=False,
                wait_for_applications_running=False,
            )

    def _remove(self, name: str) -> None:
        with signals_kept():
            self._serve().delete(name, _blocking=False)

    def _settings(self, profile: Profile) -> dict[str, Any]:
        """Give what a replica on this hardware is told."""
        bounds = self._bounds if profile.is_pooled else bounds_of_own(profile)
        return {
            **self._told,
            "bounds": asdict(bounds),
            "limits": asdict(replace(self._limits, cpus=float(profile.cpus))),
            "has_gpu": profile.gpus > 0,
        }

    def _serve(self) -> Any:  # noqa: ANN401 - Ray is untyped
        from ray import serve  # noqa: PLC0415 - reads the environment

        if not self._started:
            with signals_kept():
                serve.start(proxy_location="Disabled", logging_config={"enable_access_log": False})
            self._started = True
        return serve


def deploy_pool(applications: RayApplications, replicas: int) -> None:
    """Bring the pool alone to what this code runs, and wait until it does. Blocks.

    Raises TimeoutError.
    """

    async def bring() -> None:
        wish = applications.wish(replicas)
        deadline = time.monotonic() + _DEPLOY_TIMEOUT_S
        while time.monotonic() < deadline:
            there = (await applications.found()).get(POOL)
            if there is None or there.wish != wish:
                await applications.deploy(POOL, wish)
            elif there.running == replicas:
                return
            await asyncio.sleep(0.2)
        raise TimeoutError("The pool did not come up.")

    asyncio.run(bring())


def options_of(profile: Profile) -> dict[str, Any]:
    """Give what Ray sets aside for one replica.

    Half of its processors: those of replicas that do nothing at the moment are others' to use.
    Memory and GPUs can't be lent that way.
    """
    options: dict[str, Any] = {"num_cpus": profile.cpus / 2}
    if not profile.is_pooled:
        options["memory"] = profile.memory_mib * MIB
    if profile.gpus:
        options["num_gpus"] = profile.gpus
    return options


def _nodes() -> list[Node]:
    """Give what each machine has that is alive."""
    import ray  # noqa: PLC0415 - reads the environment

    alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    if ray.get_runtime_context().get_node_id() not in alive:
        raise NodeLost("Ray takes the node of this process for dead.")
    return [
        Node(
            cpus=float(found.get("CPU", 0)),
            memory_mib=int(found.get("memory", 0)) // MIB,
            gpus=float(found.get("GPU", 0)),
        )
        for found in alive.values()
    ]


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, which would end calls that are under way."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread: nothing was changed
            for number, handler in kept.items():
                signal.signal(number, handler)
