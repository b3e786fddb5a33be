"""One sandboxed process: its start, its wire, what it prints, and its end."""

import asyncio
import contextlib
import fcntl
import os
import platform
import re
import resource
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from execution.sandbox import cgroups, launcher, seccomp
from execution.sandbox.cgroups import Cgroup
from execution.sandbox.launcher import Entrance
from execution.sandbox.limits import Limits
from execution.sandbox.program import Program
from execution.sandbox.protection import Protection, TooLittleProtection

_PIPE_BYTES = 1024 * 1024
_KILL_WAIT_S = 10.0
# 0 would hold for files only: a kernel that pipes core dumps to a program of the machine, as
# many do, would still hand it what a stranger's crash left. 1 is how it is told not to.
_NO_CORE = (1, 1)
_ALL_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@cache
def _spawner() -> ThreadPoolExecutor:
    """Return the one thread that starts sandboxes.

    Starting blocks for some milliseconds; and a sandbox dies with the thread that started
    it, so that this one must live as long as this process.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-spawner")


@dataclass(slots=True)
class Process:
    """A running sandbox. `wire` and `output` are this end's, and don't block."""

    popen: subprocess.Popen[bytes]
    wire: socket.socket
    output: int
    cgroup: Cgroup | None

    @property
    def pid(self) -> int:
        """The launcher's, outside; everything in the sandbox descends from it."""
        return self.popen.pid

    async def take_door(self) -> socket.socket | None:
        """Give the socket that listens inside, which comes over the wire before anything else.

        None where the sandbox ended before that. For a sandbox that was started with a door.
        """
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.wire, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self.wire)
        _, numbers, _, _ = socket.recv_fds(self.wire, 1, 1)
        return socket.socket(fileno=numbers[0]) if numbers else None

    def kill(self) -> None:
        """End everything inside; harmless when it has ended."""
        self.popen.kill()

    async def ended(self) -> int:
        """Wait for the end; give the exit code, negative for a signal."""
        code = await asyncio.to_thread(self.popen.wait, _KILL_WAIT_S)
        # The launcher gives a signal of the process inside as a shell does.
        return 128 - code if code > 128 else code  # noqa: PLR2004

    async def dispose(self) -> None:
        """Kill it and give back everything that it held."""
        self.kill()
        self.wire.close()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(_KILL_WAIT_S)
        if self.cgroup is not None:
            self.cgroup.remove()


async def spawn(
    program: Program, limits: Limits, *, way: Entrance | None = None, door: bool = False
) -> Process:
    """Start `program` in a sandbox, with a `door` where it may call others.

    Raises `OSError`, `NoBubblewrap`, `TooLittleProtection`.
    """
    loop = asyncio.get_running_loop()
    work = partial(_spawn, program, limits, way or launcher.entrance(), door=door)
    started = loop.run_in_executor(_spawner(), work)
    try:
        return await asyncio.shield(started)
    except asyncio.CancelledError:
        started.add_done_callback(_abandon)
        raise


def _abandon(started: "asyncio.Future[Process]") -> None:
    """End a process that nobody waits for any more."""
    if not started.cancelled() and started.exception() is None:
        process = started.result()
        os.close(process.output)
        process.kill()
        process.wire.close()
        _spawner().submit(process._reap)  # noqa: SLF001


def _spawn(program: Program, limits: Limits, way: Entrance, *, door: bool) -> Process:
    bubblewrap, cgroup = launcher.bubblewrap(), _group(limits)
    copy = _copy(bubblewrap) if way is Entrance.NAMESPACE else None
    ours, theirs = socket.socketpair()
    output, printed = os.pipe()
    options_read, options_write = os.pipe()
    passed = [theirs.fileno(), options_read]
    try:
        filtered = _filter_file()
        if filtered is not None:
            passed.append(filtered)
        options = launcher.arguments(
            program, limits, way=way, wire=theirs.fileno(), seccomp=filtered, door=door
        )
        popen = subprocess.Popen(
            [
                bubblewrap if copy is None else f"/proc/{os.getpid()}/fd/{copy}",
                *("--args", str(options_read), *options[options.index("--") :]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            pass_fds=passed,
            env={} if copy is None else {"LD_LIBRARY_PATH": _libraries(bubblewrap)},
        )
        # It waits for its options, so that it has no children yet and they all will be inside.
        resource.prlimit(popen.pid, resource.RLIMIT_CORE, _NO_CORE)
        if cgroup is not None:
            cgroup.join(popen.pid)
        before = options[: options.index("--")]
        os.write(options_write, b"".join(part.encode() + b"\0" for part in before))
    except BaseException:
        ours.close()
        os.close(output)
        if cgroup is not None:
            cgroup.remove()
        raise
    finally:
        theirs.close()
        for fd in (printed, options_read, options_write, *passed[2:], copy):
            if fd is not None:
                os.close(fd)
    ours.setblocking(False)  # noqa: FBT003
    os.set_blocking(output, False)
    with contextlib.suppress(OSError):  # a smaller pipe only means more wake-ups
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return Process(popen, ours, output, cgroup)


def _group(limits: Limits) -> Cgroup | None:
    """Return the control group of one sandbox, where there can be one or must be."""
    cgroup = cgroups.create(limits)
    if cgroup is None and limits.protection is Protection.GROUPS:
        raise TooLittleProtection("No control group could be made for a sandbox.")
    return cgroup


def _copy(bubblewrap: str) -> int | None:
    """Return a copy in memory that nobody can change, if the file belongs to our own user.

    The first process inside runs it, and there is a way from a process to its program that no
    read-only mount bars: in a user namespace, what is inside could change the file's mode, and
    with some kernels its contents, which every later sandbox would be started by.
    """
    contents = _own(bubblewrap)
    if contents is None:
        return None
    file = os.memfd_create("bubblewrap", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(file, contents)
    os.fchmod(file, 0o555)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, _ALL_SEALS)
    return file


@cache
def _own(path: str) -> bytes | None:
    file = Path(path)
    return file.read_bytes() if file.stat().st_uid == os.geteuid() else None


@cache
def _libraries(path: str) -> str:
    """Return where a program finds its libraries; a copy has no place to look beside itself."""
    shown = subprocess.run(
        [path], env={"LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, text=True, check=False
    )
    found = re.findall(r"=> (/\S+)/", shown.stdout)
    return ":".join(sorted(set(found)))


def _filter_file() -> int | None:
    """Return a file to read the system call filter from.

    Not a pipe: those get small for a user that has many, and would then never take it whole.
    """
    if not seccomp.supported():
        return None
    file = os.memfd_create("filter")
    os.write(file, seccomp.program(platform.machine()))
    os.lseek(file, 0, os.SEEK_SET)
    return file


def signal_name(number: int) -> str:
    """Return a signal's name, such as "SIGSEGV"."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def descendants(pid: int) -> set[int]:
    """Return the processes below `pid` that are alive, by the kernel's own account of children."""
    found: set[int] = set()
    pending = [pid]
    while pending:
        for child in _children(pending.pop()):
            if child not in found and not _dead(child):
                found.add(child)
                pending.append(child)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                children += map(int, (thread / "children").read_text().split())
    return children


def _dead(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to notice that it ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] in {b"Z", b"X"}
