"""Whether a run left processes behind."""

import contextlib
import os
from pathlib import Path

from execution.sandbox.process import descendants


class Remains:
    """Compares a sandbox's processes with those it had when its version was loaded.

    Helpers that the load step started may stay: they hold nobody's data. Asked after every
    run, so the usual case, in which nothing changed, costs a system call for each thread: its
    children, and how many threads the runner has (a child belongs to the thread that made it).
    """

    def __init__(self, pid: int) -> None:
        """Look at the sandbox below the launcher `pid`, which has just loaded its version."""
        self._pid = pid
        self._before = descendants(pid)
        self._files: list[int] = []
        self._threads = -1
        if len(self._before) == 2:  # noqa: PLR2004 - the first process and the runner
            with contextlib.suppress(OSError):
                for process in self._before:
                    if not self._open_children(process):  # the runner, which has none
                        name = f"/proc/{process}/task"
                        self._threads = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        self._state = self._read()

    def any(self) -> bool:
        """Whether there are processes now that there weren't then."""
        if self._state and self._read() == self._state:
            return False
        return bool(descendants(self._pid) - self._before)

    def close(self) -> None:
        """Give back what is open; harmless a second time."""
        for fd in (*self._files, self._threads):
            if fd >= 0:
                os.close(fd)
        self._files, self._threads = [], -1

    def _open_children(self, process: int) -> bool:
        """Open the list of children of each of its threads; tells whether it has any."""
        has_any = False
        for thread in Path(f"/proc/{process}/task").iterdir():
            fd = os.open(thread / "children", os.O_RDONLY | os.O_CLOEXEC)
            self._files.append(fd)
            has_any = has_any or bool(os.pread(fd, 4096, 0))
        return has_any

    def _read(self) -> list[bytes | int]:
        if self._threads < 0:
            return []
        try:
            seen: list[bytes | int] = [os.pread(fd, 4096, 0) for fd in self._files]
            return [*seen, os.fstat(self._threads).st_nlink]
        except OSError:
            return []
