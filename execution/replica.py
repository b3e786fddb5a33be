"""The Serve deployment: a pool of sandboxed workers in every replica.

Serve makes a deployment of it in `ray_applications`, starts it, watches it and ends it; calls
come over the replica's own connections to the gateways.
"""

import asyncio
import gc
import logging
import os
import time
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

from core.settings import home_of
from execution.applications import POOL
from execution.builds.shelf import NotThere, Shelf
from execution.channel.links import Entry
from execution.channel.server import Server
from execution.data.store import Store
from execution.load import Load
from execution.messages import Run
from execution.outcome import Failure, Outcome
from execution.pool import Bounds, Pool
from execution.ray_directory import RayDirectory
from execution.release import require
from execution.sandbox import protection
from execution.sandbox.gpus import assigned
from execution.sandbox.limits import Limits
from execution.sandbox.nesting import OnCall
from execution.sandbox.protection import Protection

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_QUICK_S = 0.001
_NOT_THERE = "The version could not be brought to the machine that was to run it."
# How often the load is told, and after how long one who was struck off by mistake is back.
_ENTER_EVERY_S = 1.0
_FOR_EVER_S = 365 * 24 * 3600.0


class PoolReplica:
    """Runs any version that lies on its node."""

    # Serve awaits it.
    async def __init__(  # type: ignore[misc]
        self,
        app: str,
        fingerprint: str,
        release: str,
        secret: bytes,
        bounds: dict[str, Any],
        limits: dict[str, Any],
        data_url: str | None = None,
        builds_mib: int = 0,
        *,
        has_gpu: bool = False,
    ) -> None:
        """Begin to take calls for `app`. `secret` is what gateways have to know.

        With `has_gpu` its workers see the GPU that Ray assigned to it, which all its calls share.
        """
        import ray  # noqa: PLC0415 - only ever called inside Serve
        from ray import serve  # noqa: PLC0415

        require(release)
        protection.require(Protection(limits["protection"]))
        home = home_of(os.environ)
        # Sandboxes are shown nothing of it but what they run.
        os.environ["ALGORIUM_HOME"] = str(home)
        _listen_on_loopback_only()

        host = ray.util.get_node_ip_address()
        self._load = Load()
        self._shelf = Shelf(home, Store(data_url) if data_url else None, most_mib=builds_mib)
        await asyncio.to_thread(self._shelf.tidy)
        held = Limits(**limits)
        if has_gpu:
            gpus = assigned(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
            held = replace(held, devices=gpus.devices, visible=gpus.visible)
        room = Bounds(**bounds)
        if app != POOL:
            # Nobody else needs the room, and what an author keeps ready stays warm.
            room = replace(room, idle_s=_FOR_EVER_S)
        self._pool = Pool(room, held)
        self._server = Server(self._run, secret)
        entry = Entry(host, await self._server.open(host), app, fingerprint)
        self._directory = RayDirectory(lambda: ray.get_runtime_context().gcs_address)
        self._name = serve.get_replica_context().replica_id.unique_id
        await self._directory.enter(self._name, entry)
        self._entering = asyncio.create_task(self._enter_again(entry))
        # What is there by now stays: to look through all of it again would stop calls for 0.1 s.
        gc.collect()
        gc.freeze()

    async def _run(self, run: Run, on_call: OnCall) -> Outcome:
        """Run one call; every failure is part of the outcome."""
        self._load.enter(run.artefact.version_id)
        began = time.perf_counter()
        try:
            async with self._shelf.placed(run.artefact) as artefact:
                waited_s = time.perf_counter() - began
                outcome = await self._pool.run(
                    artefact,
                    run.payload,
                    timeout_s=max(0.001, run.timeout_s - waited_s)
                    if waited_s > _QUICK_S
                    else run.timeout_s,
                    wants_stdout=run.wants_stdout,
                    on_call=on_call,
                    payer=run.payer,
                    depth=run.depth,
                )
            if waited_s <= _QUICK_S:
                return outcome
            return replace(outcome, queued_ms=outcome.queued_ms + waited_s * 1000)
        except NotThere as error:
            log.warning("call %s has nothing to run: %s", run.call_id, error)
            return Outcome(None, Failure("SystemError", _NOT_THERE))
        except Exception:
            log.exception("call %s failed in the pool", run.call_id)
            return Outcome(None, Failure("SystemError", "The call could not be run."))
        finally:
            self._load.leave(run.artefact.version_id)

    async def _enter_again(self, entry: Entry) -> None:
        for beat in count(1):
            await asyncio.sleep(_ENTER_EVERY_S)
            self._shelf.let_go(self._pool.artefacts)
            said = replace(entry, load=self._load.read(), beat=beat)
            with suppress(OSError):
                await self._directory.enter(self._name, said)

    async def __del__(self) -> None:
        """Serve awaits this when a replica shuts down: what is under way ends first."""
        self._entering.cancel()
        with suppress(OSError):
            await self._directory.forget(self._name)
        await self._server.close()
        await self._pool.close()


def _listen_on_loopback_only() -> None:
    """Keep Serve's own server, which calls don't go through, off every other interface.

    Serve starts it after this deployment has been made, at "[::]:0" and with no setting.
    """
    from ray.serve._private import replica  # noqa: PLC0415

    add_port = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, _: add_port(server, f"{_LOOPBACK}:0")
