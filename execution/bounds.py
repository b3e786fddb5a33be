"""What a pool may hold, and what it asks of its workers."""

from dataclasses import dataclass
from typing import Protocol

from core.hardware import Profile
from execution.outcome import Artefact, Failure, Outcome, Payload
from execution.sandbox.limits import Limits
from execution.sandbox.worker import OnCall

# How deep calls inside calls may go.
DEEPEST = 5


class Runs(Protocol):
    """What the pool needs of a worker; `sandbox.worker.Worker` has it."""

    started_ms: float
    loaded_ms: float
    load_output: str
    # What it was last seen to hold while it waited for a run; None where nobody looked yet.
    held_mib: int | None

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
    """What a pool may hold: workers in all, runs at once, workers of one version, their memory.

    Memory is counted by what a worker may use while it runs, and by what it was seen to hold
    while it is idle, so that many versions can be kept warm. Calls inside calls end for certain
    where more runs are allowed than they may go deep.
    """

    slots: int = 400
    running: int = 20
    per_version: int = 8
    memory_mib: int = 16 * 1024
    idle_s: float = 300.0

    # So that runs that wait for what they call can't take everything. With `n` depths of
    # calls inside calls, each depth above the first keeps a slot and a quarter of the memory
    # that only it and what lies deeper may use; the deepest call nothing, so that they always
    # end, and with them those above. It holds for versions of up to a quarter of the memory.

    def of_callers(self, depth: int) -> tuple[int, int]:
        """How many slots, and how many MiB, runs that call others may take at this depth."""
        slots = max(depth + 1, min(self.slots, self.running) - (DEEPEST - depth))
        return slots, self.memory_mib // 2 + depth * self.memory_mib // 4

    def of_one_version(self, depth: int) -> int:
        """How many workers of one version there may be for a run at this depth."""
        return self.per_version + depth

    def memory_at(self, depth: int) -> int:
        """How many MiB all workers may have for one more to start at this depth.

        These are ceilings of workers, which on the whole use far less; so calls inside calls
        may go beyond what a first call may.
        """
        return self.memory_mib if depth == 0 else 2 * self.memory_mib


def bounds_of_own(profile: Profile) -> Bounds:
    """Bound a replica on hardware that is one version's: its calls come one after another.

    What lies deeper in calls inside calls may have a worker more, or a version that calls
    itself by way of another would wait for itself.
    """
    depths = DEEPEST + 3
    return Bounds(slots=depths, running=depths, per_version=1, memory_mib=4 * profile.memory_mib)
