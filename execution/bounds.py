"""What a pool may hold, and what it asks of its workers."""

from dataclasses import dataclass
from typing import Protocol

from execution.outcome import Artefact, Failure, Outcome, Payload
from execution.sandbox.limits import Limits
from execution.sandbox.worker import OnCall


class Runs(Protocol):
    """What the pool needs of a worker; `sandbox.worker.Worker` has it."""

    started_ms: float
    loaded_ms: float
    load_output: str

    @property
    def usable(self) -> bool:
        """Whether it can take a run."""
        ...

    async def start(self, artefact: Artefact, limits: Limits) -> Failure | None:
        """Start and load."""
        ...

    async def run(
        self, payload: Payload, timeout_s: float, *, wants_stdout: bool, on_call: OnCall | None
    ) -> Outcome:
        """Run once."""
        ...

    async def stop(self) -> None:
        """End."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a pool may hold: workers in all, of one version, their memory, and for how long idle."""

    slots: int = 20
    per_version: int = 8
    memory_mib: int = 16 * 1024
    idle_s: float = 300.0
