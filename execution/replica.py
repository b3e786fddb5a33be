"""The Serve deployment: a pool of sandboxed workers in every replica.

Serve makes a deployment of it in `ray_cluster.deploy_pools`.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from execution.messages import OutcomeMessage, RunMessage, pack_outcome, unpack_run
from execution.nested import Gateway
from execution.outcome import Failure, Outcome, Payload
from execution.pool import Bounds, Pool
from execution.sandbox import protection
from execution.sandbox.limits import Limits
from execution.sandbox.protection import Protection

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"


class PoolReplica:
    """Runs any version that lies on its node."""

    def __init__(
        self, fingerprint: str, gateway: str, bounds: dict[str, Any], limits: dict[str, Any]
    ) -> None:
        """`gateway` is the address that nested calls go to."""
        protection.require(Protection(limits["protection"]))
        _listen_on_loopback_only()
        self._fingerprint = fingerprint
        self._gateway = Gateway(gateway)
        self._pool = Pool(Bounds(**bounds), Limits(**limits))

    async def run(self, message: RunMessage) -> OutcomeMessage:
        """Run one call; every failure is part of the outcome."""
        artefact, payload, call_id, timeout_s, wants_stdout, token = unpack_run(message)
        try:
            outcome = await self._pool.run(
                artefact,
                payload,
                timeout_s=timeout_s,
                wants_stdout=wants_stdout,
                on_call=self._nested(token) if token else None,
            )
        except Exception:
            log.exception("call %s failed in the pool", call_id)
            outcome = Outcome(None, Failure("SystemError", "The call could not be run."))
        return pack_outcome(outcome)

    async def ping(self) -> str:
        """Answer with what tells this deployment from another."""
        return self._fingerprint

    def _nested(self, token: str) -> Callable[[str, Payload], Awaitable[Payload | Failure]]:
        async def call(reference: str, payload: Payload) -> Payload | Failure:
            return await self._gateway.call(reference, payload, token)

        return call

    async def __del__(self) -> None:
        """Serve awaits this when a replica shuts down."""
        await self._pool.close()
        await self._gateway.close()


def _listen_on_loopback_only() -> None:
    """On an installation of one machine, keep Serve's own server off every other interface.

    Serve starts it after this deployment has been made, at "[::]:0" and with no setting.
    """
    import ray.util  # noqa: PLC0415 - only ever called inside Serve
    from ray.serve._private import replica  # noqa: PLC0415

    if ray.util.get_node_ip_address() != _LOOPBACK:
        return
    add_port = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, _: add_port(server, f"{_LOOPBACK}:0")
