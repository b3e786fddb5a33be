"""Ray and Ray Serve as the `Cluster`.

The four modules `ray_*.py` and `replica.py` alone import Ray.

Ray reads much of its environment when it is imported, so nothing here imports it before
`connect` or `RayCluster` has set that. Serve keeps the replicas; calls go to them over
connections of their own (`execution.channel`), whose addresses lie in the head's store.
"""

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import time
from pathlib import Path

from core.hardware import PROFILES
from execution.channel.link import LinkLost
from execution.channel.links import Links, NoReplica
from execution.messages import Run
from execution.outcome import Failure, Outcome
from execution.ray_applications import signals_kept
from execution.ray_directory import RayDirectory
from execution.ray_head import (
    ADDRESS_FILE,
    driver_environment,
    head_command,
    node_command,
    temporary_folder,
)
from execution.sandbox.nesting import OnCall

__all__ = [
    "NoCluster",
    "RayCluster",
    "connect",
    "directory_of",
    "disconnect",
    "head_command",
    "own_node",
]

log = logging.getLogger(__name__)

_NAMESPACE = "algorium"
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
    address = _await_head(home, timeout_s)
    with signals_kept():
        try:
            ray.init(
                address=address, namespace=_NAMESPACE, log_to_driver=False, logging_level="warning"
            )
        except (ConnectionError, RuntimeError) as error:
            why = error.__cause__ or error
            raise NoCluster(f"Ray at {address} can't be joined: {why}") from error


def own_node(home: Path, *, timeout_s: float = 60.0) -> subprocess.Popen[bytes] | None:
    """Make this machine a node of the cluster that RAY_ADDRESS names, where it is none yet.

    Only a process on a node can join a cluster. Nothing is placed on this one. Gives the node,
    which is its caller's to end; None where there is no need of one. Raises `NoCluster`.
    """
    if not os.environ.get("RAY_ADDRESS"):
        return None
    os.environ.update(driver_environment(home))
    address = _await_head(home, timeout_s)
    if _is_node(address):
        return None
    command, environment = node_command(home, address)
    (home / "logs").mkdir(parents=True, exist_ok=True)
    with (home / "logs" / "node.log").open("wb") as log_file:
        return subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
        )


def _is_node(address: str) -> bool:
    """Whether a node of this cluster runs on this machine."""
    from ray._private.services import find_node_ids  # noqa: PLC0415 - reads the environment
    from ray._raylet import GcsClient  # type: ignore[attr-defined] # noqa: PLC0415

    try:
        nodes = GcsClient(address=address).get_all_node_info(timeout=_READY_S)
    except RuntimeError as error:
        raise NoCluster(f"Ray at {address} does not answer: {error}") from error
    return bool({node.hex() for node in nodes} & set(find_node_ids()))


def disconnect() -> None:
    """Leave Ray; what is deployed goes on."""
    import ray  # noqa: PLC0415

    with signals_kept():
        ray.shutdown()


class RayCluster:
    """The `Cluster` of a gateway, which need not have joined; all calls come from one loop."""

    def __init__(self, home: Path, secret: bytes) -> None:
        """`secret` is the one that the pools were deployed with. Connects at the first need."""
        os.environ.update(driver_environment(home))
        self._links = Links(directory_of(home), secret)

    async def invoke(self, run: Run, on_call: OnCall | None = None) -> Outcome:
        """Run once; see `Cluster`."""
        try:
            async with asyncio.timeout(run.timeout_s + _GRACE_S):
                try:
                    return await self._links.run(run, on_call, wait_s=run.timeout_s)
                except LinkLost:
                    if not run.idempotent:
                        raise
                    log.warning("call %s was lost with its replica; it is run again", run.call_id)
                return await self._links.run(run, on_call, wait_s=run.timeout_s)
        except NoReplica:
            failure = Failure("TimeoutError", _none_came(run))
        except TimeoutError:
            seconds = f"{run.timeout_s:g} s"
            failure = Failure("TimeoutError", f"The algorithm did not finish within {seconds}.")
        except LinkLost:
            log.warning("call %s was lost with its replica", run.call_id)
            failure = Failure("SystemError", _LOST)
        return Outcome(None, failure)

    async def ready(self) -> bool:
        """Whether a call sent now would find a replica."""
        return await self._links.ready(_READY_S)

    def close(self) -> None:
        """Hang up."""
        self._links.close()


def _none_came(run: Run) -> str:
    profile = PROFILES[run.hardware]
    if profile.is_pooled:
        return f"No machine of the platform took the call within {run.timeout_s:g} s."
    return (
        f"Nothing with its hardware ({profile.words}) was free within {run.timeout_s:g} s. A first "
        "call has to wait for a machine; give it more time, or try again later."
    )


def directory_of(home: Path) -> RayDirectory:
    """Give the directory of the Ray of this installation, or of the one RAY_ADDRESS names."""
    return RayDirectory(lambda: _address(home))


def _address(home: Path) -> str:
    """Return where Ray's head is. Raises OSError where there is none yet."""
    return os.environ.get("RAY_ADDRESS") or _address_file(home).read_text().strip()


def _address_file(home: Path) -> Path:
    return temporary_folder(home) / ADDRESS_FILE


def _await_head(home: Path, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError, ValueError):
            address = _address(home)
            host, port = address.rsplit(":", 1)
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
            return address
        if time.monotonic() > deadline:
            named = os.environ.get("RAY_ADDRESS") or f"the address in {_address_file(home)}"
            raise NoCluster(f"No Ray head answers at {named}.")
        time.sleep(0.1)
