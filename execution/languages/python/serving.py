"""Answers one run after another inside a sandbox. Standard library only."""

# Without pathlib, which costs a sandbox some milliseconds at every start.
# ruff: noqa: PTH106, PTH108, PTH112, PTH114, PTH118

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
from collections import deque
from typing import Any, NoReturn

from execution.languages.python import code, values
from execution.sandbox import wire

ROOT = "/algorithm"
MIB = wire.MIB
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own


class Connection:
    """The wire, shared by the thread that serves and those that wait for nested calls.

    Whoever waits first reads for all: no thread is kept for it, which a warm call would pay for.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._owner = os.getpid()
        self._decoder = wire.Decoder()
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._reading = False
        self._next_call = 0
        self._runs: deque[wire.Frame] = deque()
        self._answers: dict[int, wire.Frame] = {}

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send one frame whole."""
        if os.getpid() != self._owner:
            os._exit(0)  # a copy that the author's code forked and let return
        data = memoryview(wire.encode(header, body))
        with self._sending:
            while data:
                data = data[os.write(self._fd, data) :]

    def next_run(self) -> wire.Frame:
        """Wait for the next frame that isn't an answer."""
        return self._wait(lambda: self._runs.popleft() if self._runs else None)

    def ask(self, header: dict[str, Any], body: bytes) -> wire.Frame:
        """Send a nested call and wait for its answer."""
        with self._changed:
            self._next_call += 1
            number = self._next_call
        self.send({**header, "kind": "call", "id": number}, body)
        return self._wait(lambda: self._answers.pop(number, None))

    def _wait(self, taken: Any) -> wire.Frame:  # noqa: ANN401
        while True:
            with self._changed:
                while (frame := taken()) is None and self._reading:
                    self._changed.wait()
                if frame is not None:
                    return frame  # type: ignore[no-any-return]
                self._reading = True
            try:
                frame = self._read()
            finally:
                with self._changed:
                    self._reading = False
                    self._changed.notify_all()
            with self._changed:
                if frame[0]["kind"] == "answer":
                    self._answers[frame[0]["id"]] = frame
                else:
                    self._runs.append(frame)

    def _read(self) -> wire.Frame:
        while (frame := self._decoder.next()) is None:
            data = os.read(self._fd, 262_144)
            if not data:
                os._exit(0)
            self._decoder.feed(data)
        return frame


class Output:
    """File numbers 1 and 2, and Python's own streams on them, whatever a run did to them."""

    def __init__(self) -> None:
        self._saved = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 201)
        self._streams = sys.stdout, sys.stderr
        for stream in self._streams:
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]

    def restore(self) -> None:
        """Before a run: point everything where it was."""
        os.dup2(self._saved, 1)
        os.dup2(self._saved, 2)
        sys.stdout, sys.stderr = self._streams

    def flush(self, *, libraries: bool) -> None:
        """After a run: send what Python holds, and what C libraries hold if asked."""
        for stream in (sys.stdout, sys.stderr, *self._streams):
            try:
                stream.flush()
            except Exception:  # noqa: S112 - closed or replaced by the author's code
                continue
        if libraries:
            with contextlib.suppress(Exception):  # an interpreter may lack it
                import ctypes  # noqa: PLC0415 - slow to import, and only owners ask

                ctypes.CDLL(None).fflush(None)


class Server:
    """Loads the version, then runs it."""

    def __init__(self, connection: Connection, limits: dict[str, int]) -> None:
        self._wire = connection
        self._limits = limits
        self._output = Output()
        self._kept: set[str] = set()
        self._calls_others = False

    def serve(self) -> NoReturn:
        """Answer runs until the wire closes."""
        self._wire.send({"kind": "hello"})
        header, _ = self._wire.next_run()
        self._calls_others = bool(header["calls_others"])
        apply = self._load(header["name"])
        self._kept = set(_scratch_files())
        self._wire.send({"kind": "loaded"})
        while True:
            self._run(apply, *self._wire.next_run())

    def _load(self, name: str) -> code.Apply:
        try:
            sys.path.insert(0, "/runner/modules")
            sys.path.append("/runner/standin")  # behind the client itself, where it is installed
            import algorium  # type: ignore[import-not-found]  # noqa: PLC0415

            algorium._call = self._call  # noqa: SLF001
            self._call_error = algorium.CallError
            return code.load(ROOT, name)
        except Exception as error:
            failure = {**code.describe(error, ROOT), "message": code.load_reason(error)}
            self._output.flush(libraries=True)
            self._wire.send({"kind": "failed"}, json.dumps(failure).encode())
        except SystemExit as end:
            self._leave(end)
        os._exit(0)

    def _run(self, apply: code.Apply, header: dict[str, Any], body: bytes) -> None:
        self._output.restore()
        threads = set(threading.enumerate())
        reply: dict[str, Any] = {"id": header["id"]}
        try:
            kind, data = values.to_payload(apply(values.to_value(header["type"], body)))
            if len(data) > self._limits["result_bytes"]:
                data = _failure("TooLargeError", _too_large(len(data), self._limits))
                reply["kind"] = "error"
            else:
                reply |= {"kind": "result", "type": kind}
        except values.NotCarried as error:
            reply["kind"], data = "error", _failure("ParsingError", str(error))
        except Exception as error:
            reply["kind"], data = "error", json.dumps(code.describe(error, ROOT)).encode()
        except BaseException as end:
            self._leave(end)
        self._output.flush(libraries=header["stdout"])
        reply["left"] = _threads_left(threads) or not self._tidy()
        self._wire.send(reply, data)

    def _call(self, reference: str, value: object, timeout: float | None) -> object:
        if not self._calls_others:
            message = "This version wasn't published with the permission to call others."
            raise self._call_error("UnsupportedError", message)
        try:
            kind, body = values.to_payload(value)
            header = {"ref": str(reference), "type": kind, "timeout": timeout}
            answer, data = self._wire.ask(header, body)
        except (values.NotCarried, wire.WireError) as error:
            raise self._call_error("ParsingError", str(error)) from None
        if answer.get("error"):
            raise self._call_error(answer["error"], data.decode())
        return values.to_value(answer["type"], data)

    def _tidy(self) -> bool:
        """Remove what the run left in its scratch folders; False if some of it stays."""
        if not self._kept and not any(map(os.listdir, SCRATCH)):
            return True
        clean = True
        for path in _scratch_files():
            if path in self._kept:
                continue
            try:
                os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(
                    path
                )
            except OSError:
                clean = False
        return clean

    def _leave(self, end: BaseException) -> NoReturn:
        """End at once: waiting for threads, as Python does, could take for ever."""
        wanted = end.code if isinstance(end, SystemExit) else 1
        if isinstance(wanted, str):
            print(wanted, file=sys.stderr)
        self._output.flush(libraries=True)
        os._exit((wanted & 0xFF) if isinstance(wanted, int) else int(wanted is not None))


def _scratch_files() -> list[str]:
    """Return every path in the scratch folders, the deepest first."""
    found = []
    for top in SCRATCH:
        for folder, folders, files in os.walk(top, topdown=False):
            found += [os.path.join(folder, name) for name in (*files, *folders)]
    return found


def _threads_left(before: set[threading.Thread]) -> bool:
    """Whether a run started threads that still do something; those of idle executors don't."""
    started = [t for t in threading.enumerate() if t not in before]
    if not started:
        return False
    executors = sys.modules.get("concurrent.futures.thread")
    pooled = getattr(executors, "_threads_queues", {})
    return any(thread not in pooled for thread in started)


def _failure(kind: str, message: str) -> bytes:
    return json.dumps({"type": kind, "message": message, "stacktrace": ""}).encode()


def _too_large(size: int, limits: dict[str, int]) -> str:
    most = f"{limits['result_bytes'] / MIB:g}"
    return f"The result has {size / MIB:.1f} MiB; at most {most} can be returned."
