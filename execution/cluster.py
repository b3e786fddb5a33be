"""What the rest of the product knows of the machines that run algorithms."""

from typing import Protocol

from execution.messages import Run
from execution.outcome import Outcome
from execution.sandbox.nesting import OnCall


class Cluster(Protocol):
    """Runs one version once; never raises for what the algorithm did."""

    async def invoke(self, run: Run, on_call: OnCall | None = None) -> Outcome:
        """Run it in its sandbox and give its outcome. Cancelling this ends the run.

        `on_call` answers what the run calls, None where it may call nothing. A replica lost
        on the way gives `SystemError` as the failure.
        """
        ...

    async def ready(self) -> bool:
        """Whether a call sent now would find a replica."""
        ...
