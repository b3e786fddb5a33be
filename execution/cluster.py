"""What the rest of the product knows of the machines that run algorithms."""

from typing import Protocol

from execution.outcome import Artefact, Outcome, Payload


class Cluster(Protocol):
    """Runs one version once; never raises for what the algorithm did."""

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
        """Run `artefact` on `payload` in its sandbox and give its outcome.

        `token` is what nested calls are authorised with, empty where the version may not
        call others. A replica lost on the way gives `SystemError` as the failure.
        """
        ...

    async def ready(self) -> bool:
        """Whether a call sent now would find a replica."""
        ...
