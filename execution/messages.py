"""Runs, outcomes and nested calls as plain lists, which every transport can carry."""

from dataclasses import astuple, dataclass, fields
from typing import Any

from core.hardware import DEFAULT
from execution.outcome import Artefact, ContentType, Failure, Outcome, Payload

# By name, not by `astuple`, which copies every member deeply: this is done for every call.
_ARTEFACT = tuple(one.name for one in fields(Artefact))


@dataclass(frozen=True, slots=True)
class Run:
    """One run as a replica is asked for it.

    `payer` is whoever pays for it, who gets a fair share of what there is; `depth` is 0 for
    what a person called, and one more for each call inside a call. The rest is for the gateway
    alone: whether it may be run again where its replica was lost, and what hardware it runs on.
    """

    artefact: Artefact
    payload: Payload
    call_id: str
    timeout_s: float
    wants_stdout: bool = False
    payer: str = ""
    depth: int = 0
    idempotent: bool = False
    hardware: str = DEFAULT.name


def pack_run(run: Run) -> list[Any]:
    """Return one run as a list."""
    return [
        [getattr(run.artefact, name) for name in _ARTEFACT],
        pack_payload(run.payload),
        run.call_id,
        run.timeout_s,
        run.wants_stdout,
        run.payer,
        run.depth,
    ]


def unpack_run(message: list[Any]) -> Run:
    """Return what `pack_run` was given."""
    artefact, payload, *rest = message
    return Run(Artefact(*artefact), unpack_payload(payload), *rest)


def pack_payload(payload: Payload) -> list[Any]:
    """Return a payload as a list."""
    return [payload.content_type.value, payload.data]


def unpack_payload(message: list[Any]) -> Payload:
    """Return what `pack_payload` was given."""
    kind, data = message
    return Payload(ContentType(kind), data)


def pack_answer(answer: Payload | Failure) -> list[Any]:
    """Return the end of a nested call as a list."""
    if isinstance(answer, Failure):
        return [False, *astuple(answer)]
    return [True, *pack_payload(answer)]


def unpack_answer(message: list[Any]) -> Payload | Failure:
    """Return what `pack_answer` was given."""
    is_payload, *rest = message
    return unpack_payload(rest) if is_payload else Failure(*rest)


def pack_outcome(outcome: Outcome) -> list[Any]:
    """Return one outcome as a list."""
    result, failure = outcome.result, outcome.failure
    return [
        None if result is None else pack_payload(result),
        None if failure is None else list(astuple(failure)),
        outcome.stdout,
        outcome.queued_ms,
        outcome.started_ms,
        outcome.loaded_ms,
        outcome.ran_ms,
    ]


def unpack_outcome(message: list[Any]) -> Outcome:
    """Return what `pack_outcome` was given."""
    result, failure, *rest = message
    return Outcome(
        None if result is None else unpack_payload(result),
        None if failure is None else Failure(*failure),
        *rest,
    )
