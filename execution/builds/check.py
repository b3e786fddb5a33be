"""The last step of a build: the version loads in its sandbox, and its sample runs there."""

from collections.abc import Callable

from catalog.service import Draft
from core.errors import BuildFailed
from core.hardware import PROFILES
from execution.outcome import Artefact, ContentType, Failure, Outcome, Payload
from execution.sandbox.gpus import limits_here
from execution.sandbox.worker import OnCall, Worker

SAMPLE_LIMIT_S = 120.0


async def check(
    artefact: Artefact, draft: Draft, on_call: OnCall, log: Callable[[str], None]
) -> Outcome | None:
    """Load the version, and run its sample where it has one.

    Raises BuildFailed with what the author's code said.
    """
    profile = PROFILES[draft.hardware]
    limits = limits_here(profile, artefact.memory_mib)
    if profile.gpus and not limits.devices:
        log("The machine that builds has no GPU: its first call is the first to load it")
        return None
    log("Loading it in the sandbox")
    worker = Worker()
    failure = await worker.start(artefact, limits)
    if failure is not None:
        for line in worker.load_output.splitlines()[-40:]:
            log(f"  {line}")
        raise BuildFailed(_told("It can't be loaded", failure, log))
    try:
        if draft.sample_type is None or draft.sample_input is None:
            return None
        log("Running the sample")
        outcome = await worker.run(
            Payload(ContentType(draft.sample_type), draft.sample_input),
            timeout_s=SAMPLE_LIMIT_S,
            wants_stdout=True,
            on_call=on_call,
        )
    finally:
        await worker.stop()
    for line in outcome.stdout.splitlines()[:200]:
        log(f"  {line}")
    if outcome.failure is not None:
        raise BuildFailed(_told("The sample fails", outcome.failure, log))
    log(f"The sample ran in {outcome.ran_ms:.0f} ms")
    return outcome


def _told(what: str, failure: Failure, log: Callable[[str], None]) -> str:
    for line in failure.stacktrace.splitlines()[-40:]:
        log(line)
    return f"{what}: {failure.type}: {failure.message}"[:2000]
