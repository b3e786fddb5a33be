"""What goes into one run of an algorithm and what comes back, free of any transport."""

from dataclasses import dataclass
from enum import StrEnum


class ContentType(StrEnum):
    """How the bytes of a payload are to be read."""

    TEXT = "text"
    JSON = "json"
    BINARY = "binary"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Payload:
    """An input or a result: UTF-8 text, JSON text in UTF-8, or bytes as they are."""

    content_type: ContentType
    data: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run gave no result.

    `type` is one of the contract's error types: what the author raised (`InputError`,
    `AlgorithmError`, ...), or what the platform saw (`TimeoutError`, `OutOfMemoryError`,
    `TooLargeError`, `LoadingError`, `SystemError`).
    """

    type: str
    message: str
    stacktrace: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one run: a result or a failure, what it printed, and where its time went.

    Times are milliseconds. `started_ms` and `loaded_ms` are 0 for a warm worker;
    `ran_ms` is the time inside the author's function, which is what compute is charged on.
    """

    result: Payload | None
    failure: Failure | None
    stdout: str = ""
    queued_ms: float = 0.0
    started_ms: float = 0.0
    loaded_ms: float = 0.0
    ran_ms: float = 0.0

    @property
    def cold(self) -> bool:
        """Whether this run had to start its worker first."""
        return self.started_ms > 0


@dataclass(frozen=True, slots=True)
class Artefact:
    """Where a built version lies on a machine, and what it may do.

    `source` is the folder with `src/`, read-only; `environment` is the folder that its build
    made beside it, such as a virtual environment, "" for none. Both are absolute paths, or
    below the home of whichever machine runs it (`builds.shelf`), which finds them in the data
    store by their archives.
    """

    version_id: str
    name: str
    source: str
    environment: str
    memory_mib: int = 1024
    calls_others: bool = False
    language: str = "python"
    # Whether no worker of it may run calls of two payers.
    apart: bool = False
    source_archive: str = ""
    environment_archive: str = ""
