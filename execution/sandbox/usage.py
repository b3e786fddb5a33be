"""What a sandbox uses, looked at from outside; none of it can be hidden from inside."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from execution.sandbox.process import descendants

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_INODE_BYTES = 1024  # what the kernel keeps for a file in memory, however empty it is
_SCRATCH = ("tmp", "dev/shm")
_LOOK_S = 2.0
_SELDOM_S = 60.0
_IDLE_SHARE = 0.2  # of one core: what helpers that wait don't come near to


@dataclass(frozen=True, slots=True)
class Usage:
    """Of all processes of one sandbox together; `memory` is 0 where it wasn't asked for."""

    tasks: int
    cpu_s: float
    memory: int


def usage(pid: int, *, memory: bool) -> Usage:
    """Look at the sandbox below the launcher `pid`.

    Pages that several processes share count once; files in the scratch folders, which lie
    in memory, count too, and so does every name in them.
    """
    tasks, ticks, held = 0, 0, 0
    scratch: tuple[int, ...] = ()
    for process in descendants(pid):
        fields = _stat(process)
        if not fields:
            continue
        tasks += int(fields[17])
        ticks += sum(map(int, fields[11:15]))
        if memory:
            held += _proportional(process)
            scratch = scratch or _scratch(process)
    return Usage(tasks, ticks / _TICKS_A_SECOND, held + sum(scratch))


class Idle:
    """Ends a worker that works while nobody asked it to.

    A run can write an answer by hand, or leave a thread behind that nobody knows of, and go
    on at the operator's expense after its caller was served. One that is idle is looked at
    ever more seldom, since hundreds may be.
    """

    def __init__(
        self, pid: int, *, excess: Callable[[Usage], bool], left: Callable[[], bool],
        end: Callable[[], None],
    ) -> None:  # fmt: skip
        """`excess` and `left` tell what is too much and what should be gone; `end` ends it."""
        self._pid = pid
        self._excess = excess
        self._left = left
        self._end = end
        self._runs = 0
        self._running = False
        self._task = asyncio.get_running_loop().create_task(self._look())

    def begin(self) -> None:
        """It works because it was asked to."""
        self._runs += 1
        self._running = True

    def finish(self) -> None:
        """From now on it should wait."""
        self._running = False

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _look(self) -> None:
        before, cpu_s, pause = -1, 0.0, _LOOK_S
        while True:
            await asyncio.sleep(pause)
            if self._running:
                pause = _LOOK_S
                continue
            runs = self._runs
            now = await asyncio.to_thread(usage, self._pid, memory=True)
            if self._running or runs != self._runs:
                continue
            busy = before == runs and now.cpu_s - cpu_s > _IDLE_SHARE * pause
            if busy or self._excess(now) or self._left():
                self._end()
                return
            # A run since the last look may have left something: look again soon.
            pause = min(2 * pause, _SELDOM_S) if before == runs else _LOOK_S
            before, cpu_s = runs, now.cpu_s


def _stat(pid: int) -> list[bytes]:
    """Return the fields of a process's state from the third on."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
        stat = file.read()
        return stat[stat.rindex(b")") + 2 :].split()
    return []


def _scratch(pid: int) -> tuple[int, ...]:
    """Return what lies in the folders of the sandbox that `pid` is in."""
    with contextlib.suppress(OSError):
        found = [os.statvfs(f"/proc/{pid}/root/{folder}") for folder in _SCRATCH]
        return tuple(
            (it.f_blocks - it.f_bfree) * it.f_frsize + (it.f_files - it.f_ffree) * _INODE_BYTES
            for it in found
        )
    return ()


def _proportional(pid: int) -> int:
    for name, wanted in (("smaps_rollup", b"Pss:"), ("status", b"VmRSS:")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(wanted):
                    return int(line.split()[1]) * 1024
    return 0
