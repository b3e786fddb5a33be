"""Ray and Ray Serve as the `Cluster`; the only module beside `replica.py` that imports Ray.

Ray reads much of its environment when it is imported, so nothing here imports it before
`connect` has set that. Calls go over a handle whose router runs on the caller's own loop
and which sends by value; both are private settings of Serve, which is pinned for it.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from execution.messages import RunMessage, pack_run, unpack_outcome
from execution.outcome import Artefact, Failure, Outcome, Payload
from execution.pool import Bounds
from execution.ray_head import (
    ADDRESS_FILE,
    driver_environment,
    head_command,
    temporary_folder,
)
from execution.sandbox.limits import Limits

__all__ = ["NoCluster", "RayCluster", "connect", "deploy_pools", "disconnect", "head_command"]

log = logging.getLogger(__name__)

POOL = "python-cpu"
_DEPLOYMENT = "PoolReplica"
_NAMESPACE = "algorium"
# The pool queues by itself; Serve must hand everything over.
_MAX_ONGOING = 100_000
# What an answer takes on its way, after the replica has kept the deadline by itself.
_GRACE_S = 2.0
_READY_S = 3.0
_LOST = "The machine that ran it was lost before it gave an answer."


class NoCluster(Exception):
    """There is no Ray to connect to; the message says where one was looked for."""


def connect(home: Path, *, timeout_s: float = 60.0) -> None:
    """Join the Ray of this installation, or the one that RAY_ADDRESS names. Blocks.

    Waits up to `timeout_s` for a head that is starting. SIGTERM and SIGINT keep the handlers
    that they have. Joining twice is joining once. Raises `NoCluster`.
    """
    os.environ.update(driver_environment(home))
    import ray  # noqa: PLC0415 - reads the environment

    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS") or _await_head(home, timeout_s)
    with _signals_kept():
        try:
            ray.init(
                address=address, namespace=_NAMESPACE, log_to_driver=False, logging_level="warning"
            )
        except (ConnectionError, RuntimeError) as error:
            raise NoCluster(f"Ray at {address} can't be joined: {error}") from error


def disconnect() -> None:
    """Leave Ray; what is deployed goes on."""
    import ray  # noqa: PLC0415

    with _signals_kept():
        ray.shutdown()


def deploy_pools(
    *,
    gateway: str,
    replicas: int,
    bounds: Bounds | None = None,
    limits: Limits | None = None,
) -> None:
    """Bring the pool to what is asked; leave it alone where it already is. Blocks.

    `gateway` is the address that algorithms call others at. Memory is bounded per replica.
    """
    from ray import serve  # noqa: PLC0415

    from execution.replica import PoolReplica  # noqa: PLC0415 - imports Ray

    wanted = {
        "gateway": gateway,
        "bounds": asdict(bounds or Bounds()),
        "limits": asdict(limits or Limits()),
    }
    fingerprint = _fingerprint(repr((sorted(wanted.items()), replicas)))
    with _signals_kept():
        serve.start(proxy_location="Disabled", logging_config={"enable_access_log": False})
        if _running(serve) == fingerprint:
            return
        deployment = serve.deployment(
            PoolReplica,
            name=_DEPLOYMENT,
            num_replicas=replicas,
            max_ongoing_requests=_MAX_ONGOING,
            ray_actor_options={"num_cpus": 0.5},
            graceful_shutdown_timeout_s=5,
            health_check_period_s=5,
            logging_config={"enable_access_log": False},
        )
        serve.run(deployment.bind(fingerprint, **wanted), name=POOL, route_prefix=None)


@dataclass(slots=True)
class RayCluster:
    """The `Cluster` of a process that has connected; every call must come from one loop."""

    app: str = POOL
    _handle: Any = field(default=None, repr=False)

    async def invoke(
        self,
        artefact: Artefact,
        payload: Payload,
        *,
        call_id: str,
        timeout_s: float,
        wants_stdout: bool,
        token: str,
    ) -> Outcome:
        """Run `artefact` on `payload`; see `Cluster`."""
        message = pack_run(artefact, payload, call_id, timeout_s, wants_stdout, token)
        try:
            return await self._call(message, timeout_s)
        except TimeoutError:
            seconds = f"{timeout_s:g} s"
            failure = Failure("TimeoutError", f"The algorithm did not finish within {seconds}.")
        except Exception as error:
            failure = _failure_of(error)
            log.warning("call %s: %s", call_id, failure.message, exc_info=error)
        return Outcome(None, failure)

    async def ready(self) -> bool:
        """Whether a call sent now would find a replica."""
        try:
            handle = self._connected().options(method_name="ping")
            async with asyncio.timeout(_READY_S):
                return bool(await handle.remote())
        except Exception:  # noqa: BLE001 - any reason is the same answer
            return False

    async def _call(self, message: RunMessage, timeout_s: float) -> Outcome:
        response = self._connected().remote(message)
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                return unpack_outcome(await response)
        except (TimeoutError, asyncio.CancelledError):
            response.cancel()
            raise

    def _connected(self) -> Any:  # noqa: ANN401 - Ray is untyped
        if self._handle is None:
            from ray.serve.handle import DeploymentHandle  # noqa: PLC0415

            # Not by get_deployment_handle(), which shares one that is initialised already.
            handle = DeploymentHandle(_DEPLOYMENT, self.app)
            # In this order: options() would initialise it with the defaults.
            handle._init(_run_router_in_separate_loop=False)  # noqa: SLF001
            self._handle = handle.options(method_name="run", _by_reference=False)
        return self._handle


def _failure_of(error: Exception) -> Failure:
    from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError  # noqa: PLC0415

    if isinstance(error, RayTaskError | GetTimeoutError):
        return Failure("SystemError", "The call could not be run.")
    if isinstance(error, RayActorError):
        return Failure("SystemError", _LOST)
    return Failure("SystemError", "The machines that run algorithms could not be reached.")


def _await_head(home: Path, timeout_s: float) -> str:
    file = temporary_folder(home) / ADDRESS_FILE
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError, ValueError):
            address = file.read_text().strip()
            host, port = address.rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=1.0).close()
            return address
        if time.monotonic() > deadline:
            raise NoCluster(f"No Ray head answers at the address in {file}.")
        time.sleep(0.1)


def _running(serve: Any) -> str | None:  # noqa: ANN401
    """Return the fingerprint of the pool if it is healthy."""
    status = serve.status().applications.get(POOL)
    if status is None or status.status != "RUNNING":
        return None
    try:
        handle = serve.get_deployment_handle(_DEPLOYMENT, app_name=POOL)
        return str(handle.ping.remote().result(timeout_s=5))
    except Exception:
        log.exception("the pool does not answer")
        return None


def _fingerprint(settings: str) -> str:
    """Return what tells one deployment from another: its settings and the code that it runs."""
    digest = hashlib.sha256(settings.encode())
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, which would end calls that are under way."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread: nothing was changed
            for number, handler in kept.items():
                signal.signal(number, handler)
