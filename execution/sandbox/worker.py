"""A sandboxed process that has loaded one version and runs it, one call at a time."""

import asyncio
import logging
import time
from typing import Any

from execution.languages import registry
from execution.outcome import Artefact, Failure, Outcome, Payload
from execution.sandbox import wire
from execution.sandbox.answers import failure_of, payload_of
from execution.sandbox.cgroups import OWN_PROCESSES
from execution.sandbox.conversation import Conversation, Output
from execution.sandbox.door import Door
from execution.sandbox.launcher import Entrance, NoBubblewrap
from execution.sandbox.limits import Limits
from execution.sandbox.nesting import NestedCalls, OnCall
from execution.sandbox.process import Process, signal_name, spawn
from execution.sandbox.protection import TooLittleProtection
from execution.sandbox.remains import Remains
from execution.sandbox.usage import Idle, Usage, usage

__all__ = ["Ended", "OnCall", "Worker"]

log = logging.getLogger(__name__)

_WATCH_S = 0.05
_END_WAIT_S = 2.0
_OUT_OF_MEMORY = "OutOfMemoryError"


class Ended(Exception):
    """The process can't go on; `failure` is None where its exit code has to tell why."""

    def __init__(self, failure: Failure | None) -> None:
        """Keep the failure."""
        super().__init__(failure)
        self.failure = failure


class Worker:
    """Start it once, run it any number of times, stop it once.

    Any failure of the process itself ends the worker, which `usable` then tells; a failure
    of the author's function doesn't. Memory of the module persists between runs; files in
    the scratch folders and processes that a run started don't.
    """

    def __init__(self, *, way: Entrance | None = None) -> None:
        """Nothing runs yet. `way` is how to enter the sandbox, by default what works here."""
        self._way = way
        self._process: Process | None = None
        self._conversation: Conversation | None = None
        self._output: Output | None = None
        self._remains: Remains | None = None
        self._idle: Idle | None = None
        self._limits = Limits()
        self._calls_others = False
        self._awaited: asyncio.Future[wire.Frame] | None = None
        self._awaited_kinds: tuple[str, ...] = ()
        self._number = 0
        self._oom_kills = 0
        self._nested = NestedCalls(self._reply, None)
        self._door = Door(self._call)
        self._broken = False
        self.started_ms = 0.0
        self.loaded_ms = 0.0
        self.load_output = ""
        self.held_mib: int | None = None

    @property
    def usable(self) -> bool:
        """Whether it can take another run."""
        return self._process is not None and not self._broken

    @property
    def pid(self) -> int | None:
        """The launcher's process id while there is a process."""
        return self._process.pid if self._process else None

    async def start(self, artefact: Artefact, limits: Limits) -> Failure | None:
        """Start the sandbox and load the version; a failure means that it has ended again."""
        self._limits = limits
        self._calls_others = artefact.calls_others
        try:
            began = time.perf_counter()
            await self._open(artefact, limits)
            await self._expect(("hello",), limits.start_s)
            self.started_ms = _since(began)
            began = time.perf_counter()
            header, body = await self._load(artefact, limits)
            self.loaded_ms = _since(began)
        except Ended as end:
            failure = await self._start_failure(end)
        except registry.NotOffered as refusal:
            failure = Failure("SystemError", str(refusal))
        except (OSError, NoBubblewrap, TooLittleProtection):
            log.exception("no sandbox for %s", artefact.version_id)
            failure = Failure("SystemError", "The sandbox could not be started.")
        except asyncio.CancelledError:
            await self.stop()
            raise
        else:
            if header["kind"] == "loaded":
                self._look_after(self._process.pid if self._process else 0)
                return None
            failure = Failure("LoadingError", *failure_of(body)[1:])
        if failure.type != "SystemError":  # else it is the launcher that spoke, of this machine
            self._keep_load_output()
        await self.stop()
        return failure

    async def run(
        self, payload: Payload, timeout_s: float, *, wants_stdout: bool, on_call: OnCall | None
    ) -> Outcome:
        """Run the author's function once. Cancelling this ends the worker."""
        began = time.perf_counter()
        result, failure = None, None
        try:
            self._begin_run(on_call, wants_stdout=wants_stdout)
            self._send(
                {"kind": "run", "type": payload.content_type.value, "stdout": wants_stdout},
                payload.data,
            )
            header, body = await self._watched(("result", "error"), timeout_s)
            ran_ms = _since(began)
            result, failure = await self._answer(header, body)
        except Ended as end:
            ran_ms = _since(began)
            failure = end.failure or await self._exit_failure("before it gave an answer")
        except TimeoutError:
            ran_ms = _since(began)
            failure = Failure(
                "TimeoutError", f"The algorithm did not finish within {timeout_s:g} s."
            )
        except wire.WireError:
            ran_ms, failure = 0.0, Failure("TooLargeError", "The input is larger than allowed.")
        except asyncio.CancelledError:
            self._break(None)
            raise
        finally:
            self._finish_run()
        if failure is not None and failure.type == "TimeoutError":
            self._break(None)
        printed = self._output.text() if wants_stdout and self._output else ""
        return Outcome(result, failure, stdout=printed, ran_ms=ran_ms)

    async def stop(self) -> None:
        """End the process and everything in its sandbox; harmless when it has ended."""
        self._break(None)
        if self._idle is not None:
            self._idle.close()
        self._door.close()
        process, self._process = self._process, None
        if self._output is not None:
            self._output.close()
        if self._remains is not None:
            self._remains.close()
        if process is not None:
            await asyncio.shield(process.dispose())

    async def _open(self, artefact: Artefact, limits: Limits) -> None:
        # Elsewhere, because a language may first have to be asked whether it is there.
        program = await asyncio.to_thread(registry.program, artefact)
        door = artefact.calls_others
        self._process = await spawn(program, limits, way=self._way, door=door)
        self._output = Output(self._process.output, limits.stdout_bytes)
        if door:
            async with asyncio.timeout(limits.start_s):
                listener = await self._process.take_door()
            if listener is not None:
                await self._door.open(listener)
        self._conversation = Conversation(self._receive, self._lost)
        await self._conversation.connect(self._process.wire)

    async def _load(self, artefact: Artefact, limits: Limits) -> wire.Frame:
        self._send({"kind": "start", "name": artefact.name, "calls_others": self._calls_others})
        try:
            return await self._watched(("loaded", "failed"), limits.load_s)
        except TimeoutError:
            message = f"The algorithm did not finish loading within {limits.load_s:g} s."
            raise Ended(Failure("LoadingError", message)) from None

    # The rules of the conversation.

    def _begin_run(self, on_call: OnCall | None, *, wants_stdout: bool) -> None:
        if not self.usable or self._output is None:
            raise Ended(Failure("SystemError", "The algorithm's process has ended."))
        self._number += 1
        if self._idle is not None:
            self._idle.begin()
        self._nested = NestedCalls(self._reply, on_call if self._calls_others else None)
        self._door.begin()
        self._output.begin(keep=wants_stdout)

    def _finish_run(self) -> None:
        self._awaited = None
        self._nested.cancel()
        self._door.cancel()
        if self._idle is not None:
            self._idle.finish()

    def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        if self._conversation is not None:
            self._conversation.send(wire.encode({**header, "id": self._number}, body))

    def _reply(self, frame: bytes) -> None:
        if self._conversation is not None:
            self._conversation.send(frame)

    async def _call(
        self, reference: str, payload: Payload, timeout_s: float | None
    ) -> Payload | Failure:
        if self._awaited is None or "result" not in self._awaited_kinds:
            return Failure("UnsupportedError", "Others can be called while a run is under way.")
        return await self._nested.call(reference, payload, timeout_s)

    async def _expect(self, kinds: tuple[str, ...], timeout_s: float) -> wire.Frame:
        if self._broken:
            raise Ended(None)
        self._awaited_kinds = kinds
        self._awaited = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(timeout_s):
            return await self._awaited

    async def _watched(self, kinds: tuple[str, ...], timeout_s: float) -> wire.Frame:
        """Expect a frame; where no control group holds what is used, look at it meanwhile."""
        if self._process is None or self._process.cgroup is not None:
            return await self._expect(kinds, timeout_s)
        watch = asyncio.create_task(self._watch(self._process))
        try:
            return await self._expect(kinds, timeout_s)
        finally:
            watch.cancel()

    async def _watch(self, process: Process) -> None:
        while True:
            await asyncio.sleep(_WATCH_S)
            used = await asyncio.to_thread(usage, process.pid, memory=True)
            if (failure := self._excess(used)) is not None:
                self._break(failure)
                return

    def _excess(self, used: Usage) -> Failure | None:
        """What to say of a sandbox that no control group held back."""
        if self._process is None or self._process.cgroup is not None:
            return None
        if used.memory > self._limits.memory_mib * wire.MIB:
            return self._out_of_memory()
        if used.tasks > self._limits.processes + OWN_PROCESSES:
            most = self._limits.processes
            return Failure("SystemError", f"The algorithm started more than its {most} processes.")
        return None

    def _note(self, used: Usage) -> bool:
        """Note what it holds while it is idle; tells whether that is too much."""
        self.held_mib = -(-used.memory // wire.MIB)
        return self._excess(used) is not None

    def _look_after(self, pid: int) -> None:
        """Look from now on at what it leaves behind, and at what it does between runs."""
        remains = self._remains = Remains(pid)
        self._idle = Idle(
            pid,
            excess=self._note,
            left=remains.any,
            end=lambda: self._break(None),
        )

    def _receive(self, header: dict[str, Any], body: bytes) -> None:
        kind, awaited = header.get("kind"), self._awaited
        ours = header.get("id", self._number) == self._number
        if kind == "call" and awaited is not None and not awaited.done():
            self._nested.answer(header, body)
        elif awaited is not None and not awaited.done() and kind in self._awaited_kinds and ours:
            awaited.set_result((header, body))
        else:
            self._break(_broke_rules())

    def _lost(self, reason: str) -> None:
        self._break(_broke_rules() if reason else None, kill=bool(reason))

    def _break(self, failure: Failure | None, *, kill: bool = True) -> None:
        """Make the worker unusable and tell whoever waits."""
        self._broken = True
        if kill and self._process is not None:
            self._process.kill()
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(Ended(failure))
        if self._conversation is not None:
            self._conversation.close()

    # What an answer, or the end, means.

    async def _answer(
        self, header: dict[str, Any], body: bytes
    ) -> tuple[Payload | None, Failure | None]:
        if self._ran_out_of_memory():
            self._break(None)
            return None, self._out_of_memory()
        if header.get("left") or (self._remains is not None and self._remains.any()):
            self._break(None)
        result, failure = None, None
        if header["kind"] == "error":
            failure = Failure(*failure_of(body))
        else:
            result, failure = await payload_of(str(header.get("type")), body, self._limits)
        if header["kind"] == "result" and failure is not None:
            # Our own end in there gives none of that kind: somebody wrote it by hand.
            self._break(None)
        return result, failure

    async def _start_failure(self, end: Ended) -> Failure:
        failure = end.failure or await self._exit_failure("while it was loading", "LoadingError")
        if self.started_ms == 0:
            log.error("no sandbox: %s", self._output.text()[-2000:] if self._output else "")
            return Failure("SystemError", "The sandbox could not be started.")
        return failure

    async def _exit_failure(self, when: str, kind: str = "SystemError") -> Failure:
        if self._process is None:
            return Failure("SystemError", "The algorithm's process has ended.")
        try:
            async with asyncio.timeout(_END_WAIT_S):
                code = await asyncio.shield(self._process.ended())
        except TimeoutError:
            self._process.kill()
            code = await self._process.ended()
        if self._ran_out_of_memory():
            return self._out_of_memory()
        how = f"exit code {code}" if code >= 0 else signal_name(-code)
        return Failure(kind, f"The algorithm's process ended {when} ({how}).")

    def _ran_out_of_memory(self) -> bool:
        if self._process is None or self._process.cgroup is None:
            return False
        before, self._oom_kills = self._oom_kills, self._process.cgroup.oom_kills()
        return self._oom_kills > before

    def _out_of_memory(self) -> Failure:
        return Failure(
            _OUT_OF_MEMORY, f"The algorithm used more than its {self._limits.memory_mib} MiB."
        )

    def _keep_load_output(self) -> None:
        self.load_output = self._output.text() if self._output else ""


def _broke_rules() -> Failure:
    return Failure("SystemError", "The algorithm's process broke the rules of its connection.")


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
