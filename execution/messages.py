"""Runs and outcomes as plain tuples, which cost little to send between processes."""

from dataclasses import astuple
from typing import Any

from execution.outcome import Artefact, ContentType, Failure, Outcome, Payload

RunMessage = tuple[tuple[Any, ...], str, bytes, str, float, bool, str]
OutcomeMessage = tuple[Any, ...]


def pack_run(
    artefact: Artefact,
    payload: Payload,
    call_id: str,
    timeout_s: float,
    wants_stdout: bool,  # noqa: FBT001
    token: str,
) -> RunMessage:
    """Return one run as a tuple."""
    kind = payload.content_type.value
    return _fields(artefact), kind, payload.data, call_id, timeout_s, wants_stdout, token


def unpack_run(message: RunMessage) -> tuple[Artefact, Payload, str, float, bool, str]:
    """Return what `pack_run` was given."""
    artefact, kind, data, call_id, timeout_s, wants_stdout, token = message
    return (
        Artefact(*artefact),
        Payload(ContentType(kind), data),
        call_id,
        timeout_s,
        wants_stdout,
        token,
    )


def pack_outcome(outcome: Outcome) -> OutcomeMessage:
    """Return one outcome as a tuple."""
    result, failure = outcome.result, outcome.failure
    return (
        None if result is None else (result.content_type.value, result.data),
        None if failure is None else astuple(failure),
        outcome.stdout,
        outcome.queued_ms,
        outcome.started_ms,
        outcome.loaded_ms,
        outcome.ran_ms,
    )


def unpack_outcome(message: OutcomeMessage) -> Outcome:
    """Return what `pack_outcome` was given."""
    result, failure, *rest = message
    return Outcome(
        None if result is None else Payload(ContentType(result[0]), result[1]),
        None if failure is None else Failure(*failure),
        *rest,
    )


def _fields(artefact: Artefact) -> tuple[Any, ...]:
    return (
        artefact.version_id,
        artefact.name,
        artefact.source,
        artefact.environment,
        artefact.memory_mib,
        artefact.calls_others,
        artefact.language,
    )
