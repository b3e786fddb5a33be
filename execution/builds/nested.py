"""Calls that an algorithm makes while its sample runs at build time: in the build's own sandboxes.

They aren't charged: nobody has called yet. What they may reach is what the author may see.
"""

from uuid import UUID

import structlog

from catalog.names import Reference
from core.accounts.actor import Actor
from core.db import Sessions
from core.errors import MarketError
from core.hardware import PROFILES, Profile
from execution.bounds import DEEPEST
from execution.builds.shelf import NotThere, Shelf
from execution.outcome import Artefact, Failure, Payload
from execution.resolve import Resolver
from execution.sandbox.gpus import limits_here
from execution.sandbox.worker import Worker

log = structlog.get_logger()

LIMIT_S = 60.0


class NestedRuns:
    """Runs other algorithms for one build."""

    def __init__(self, sessions: Sessions, shelf: Shelf, owner_id: UUID, *, depth: int = 1) -> None:
        self._sessions = sessions
        self._shelf = shelf
        self._owner_id = owner_id
        self._depth = depth

    async def call(self, reference: str, payload: Payload) -> Payload | Failure:
        """Run one algorithm once; what goes wrong is the failure."""
        if self._depth > DEEPEST:
            return Failure("InputError", f"Algorithms call each other at most {DEEPEST} deep.")
        try:
            runnable = await Resolver(self._sessions).resolve(
                Actor(account_id=self._owner_id), Reference.parse(reference)
            )
            async with self._shelf.placed(runnable.artefact) as artefact:
                return await self._run(artefact, PROFILES[runnable.hardware], payload)
        except MarketError as error:
            return Failure(error.error_type, error.message)
        except NotThere:
            log.exception("a build can't run what its sample calls", reference=reference)
            return Failure("SystemError", f"{reference} can't be run here at the moment.")

    async def _run(
        self, artefact: Artefact, profile: Profile, payload: Payload
    ) -> Payload | Failure:
        inner = NestedRuns(self._sessions, self._shelf, self._owner_id, depth=self._depth + 1)
        worker = Worker()
        limits = limits_here(profile, artefact.memory_mib)
        failure = await worker.start(artefact, limits)
        if failure is not None:
            return failure
        try:
            outcome = await worker.run(
                payload, timeout_s=LIMIT_S, wants_stdout=False, on_call=inner.call
            )
        finally:
            await worker.stop()
        if outcome.result is None:
            return outcome.failure or Failure("SystemError", "It gave no result.")
        return outcome.result
