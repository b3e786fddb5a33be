"""One supervisor per home: a file that is locked for as long as one lives."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from web.up.errors import CannotStart

_NAME = "supervisor.lock"
_STOPPING = b"stopping"
_STOPS_WITHIN_S = 60.0


@contextmanager
def held(home: Path, waiting: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Hold the lock of `home`; gives a function that announces the end of its holder.

    A lock whose holder is stopping is waited for, calling `waiting` every so often. The
    system lets go of a lock when its holder ends, however it ends.

    Raises `CannotStart` where the installation runs already.
    """
    with FileIO(home / _NAME, "a+") as file:
        _take(file, home, waiting)
        _write(file, str(os.getpid()).encode())
        yield lambda: _write(file, _STOPPING)


def is_held(home: Path) -> bool:
    """Whether the installation at `home` runs, or is about to start or to stop."""
    try:
        with FileIO(home / _NAME, "r") as file:
            return not _try(file, fcntl.LOCK_SH)
    except OSError:
        return False


def _take(file: FileIO, home: Path, waiting: Callable[[], None]) -> None:
    deadline = time.monotonic() + _STOPS_WITHIN_S
    while not _try(file, fcntl.LOCK_EX):
        file.seek(0)
        note = file.read(64)
        if note != _STOPPING or time.monotonic() > deadline:
            by = "" if note == _STOPPING else f" (process {note.decode()})"
            what = f"The installation in {home} runs already{by}."
            way_out = "Stop it first, or set ALGORIUM_HOME and ALGORIUM_PORT to run a second one."
            raise CannotStart(what, way_out)
        waiting()
        time.sleep(0.1)


def _try(file: FileIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: FileIO, note: bytes) -> None:
    file.truncate(0)
    file.write(note)
