"""Authors' code run in real sandboxes."""

import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from execution.outcome import Artefact, ContentType, Failure, Outcome, Payload
from execution.sandbox.launcher import Entrance, entrance
from execution.sandbox.limits import Limits
from execution.sandbox.worker import OnCall, Worker

WAYS = [Entrance.NAMESPACE, *([Entrance.ROOT] if entrance() is Entrance.ROOT else [])]


def as_payload(value: Any) -> Payload:
    if isinstance(value, Payload):
        return value
    if isinstance(value, bytes):
        return Payload(ContentType.BINARY, value)
    if isinstance(value, str):
        return Payload(ContentType.TEXT, value.encode())
    return Payload(ContentType.JSON, json.dumps(value).encode())


def value_of(outcome: Outcome) -> Any:
    """What an outcome's result stands for; fails where there is none."""
    assert outcome.failure is None, outcome
    assert outcome.result is not None
    if outcome.result.content_type is ContentType.BINARY:
        return outcome.result.data
    text = outcome.result.data.decode()
    return text if outcome.result.content_type is ContentType.TEXT else json.loads(text)


def failure_of(outcome: Outcome) -> Failure:
    """Why there is no result."""
    assert outcome.failure is not None, outcome
    assert outcome.result is None
    return outcome.failure


class Author:
    """Writes versions and runs them."""

    def __init__(self, folder: Path, way: Entrance) -> None:
        self.folder = folder
        self.way = way
        self.limits = Limits(memory_mib=256, tmp_mib=16, file_mib=16)
        self.workers: list[Worker] = []
        self.written = 0

    def write(
        self, code: str, *, name: str = "Probe", files: dict[str, str] | None = None, **more: Any
    ) -> Artefact:
        self.written += 1
        project = self.folder / f"project{self.written}"
        for path, text in {f"src/{name}.py": code, **(files or {})}.items():
            file = project / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        return Artefact(f"v{self.written}", name, str(project), "", **more)

    async def start(self, code: str, **more: Any) -> Worker:
        worker, failure = await self.load(self.write(code, **more))
        assert failure is None, failure
        return worker

    async def load(self, artefact: Artefact) -> tuple[Worker, Failure | None]:
        worker = Worker(way=self.way)
        self.workers.append(worker)
        limits = replace(self.limits, memory_mib=min(artefact.memory_mib, self.limits.memory_mib))
        return worker, await worker.start(artefact, limits)

    async def run(
        self,
        code: str,
        value: Any = None,
        *,
        timeout_s: float = 20,
        stdout: bool = False,
        on_call: OnCall | None = None,
        **more: Any,
    ) -> Outcome:
        """Run new code once."""
        worker = await self.start(code, **more)
        return await worker.run(as_payload(value), timeout_s, wants_stdout=stdout, on_call=on_call)


async def again(
    worker: Worker,
    value: Any = None,
    *,
    timeout_s: float = 20,
    stdout: bool = False,
    on_call: OnCall | None = None,
) -> Outcome:
    return await worker.run(as_payload(value), timeout_s, wants_stdout=stdout, on_call=on_call)
