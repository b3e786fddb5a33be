"""Child processes: how they are started, where they log, how what is left is found and ended."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from web.up import instance

_LAUNCHER = Path(__file__).with_name("launch.py")
_LARGEST_LOG = 8 * 1024 * 1024
_OLD_LOGS = 2
_TELLING = ("FATAL", "PANIC", "ERROR", "Error", "error:")
_POLL_S = 0.05
_DIES_WITHIN_S = 5.0


def log_file(home: Path, name: str) -> Path:
    """Give the log of the child `name`, moved aside first if it has grown large.

    At most two old ones are kept.
    """
    folder = home / "logs"
    folder.mkdir(exist_ok=True)
    log = folder / f"{name}.log"
    if log.is_file() and log.stat().st_size > _LARGEST_LOG:
        for age in range(_OLD_LOGS, 0, -1):
            older = folder / f"{name}.log.{age}"
            newer = log if age == 1 else folder / f"{name}.log.{age - 1}"
            if newer.is_file():
                newer.replace(older)
    return log


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
    owner: pwd.struct_passwd | None = None,
    orphan_signal: signal.Signals | None = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output appended to `log`.

    The session keeps a Ctrl-C in the terminal away from it: the supervisor alone decides when
    each ends. It gets `orphan_signal` when the thread that called this ends. `owner` is the
    user that it runs as. Its environment is `env` and nothing else.
    """
    uid, gid = (-1, -1) if owner is None else (owner.pw_uid, owner.pw_gid)
    numbers = [os.getpid(), int(orphan_signal or 0), uid, gid]
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), *map(str, numbers)]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, *command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def marked(home: Path) -> list[psutil.Process]:
    """Find every process of the installation at `home`, and what those started themselves.

    This process and those above it are never among them.
    """
    mark = instance.fingerprint(home)
    found = _with_descendants(lambda process: process.environ().get(instance.MARK) == mark)
    # Ray starts some helpers with an environment of their own choice, but in its session.
    sessions = {number for process in found if (number := _session_of(process))}
    sessions.discard(os.getsid(0))
    return _with_descendants(lambda process: process in found or os.getsid(process.pid) in sessions)


def working_in(folder: Path) -> list[psutil.Process]:
    """Find every process whose current folder is `folder`."""
    place = os.path.realpath(folder)
    return _with_descendants(lambda process: process.cwd() == place)


def session(leader: int) -> list[psutil.Process]:
    """Find every process of the session that `leader` was started in, and its descendants."""
    return _with_descendants(lambda process: os.getsid(process.pid) == leader)


Patience = Callable[[], float]


def end(
    processes: Sequence[psutil.Process],
    *,
    patience: Patience,
    first: signal.Signals = signal.SIGTERM,
) -> bool:
    """Ask `processes` to end, wait until no `patience` (seconds) is left, then kill the rest.

    Says whether all of them ended when asked. A process number that was given to another
    program in the meantime is left alone.
    """
    _send(processes, first)
    alive = _wait(processes, patience)
    _send(alive, signal.SIGKILL)
    _wait(alive, within(_DIES_WITHIN_S))
    return not alive


def within(seconds: float) -> Patience:
    """Give a patience that runs out `seconds` from now."""
    deadline = time.monotonic() + seconds
    return lambda: deadline - time.monotonic()


def reason(log: Path) -> str:
    """Give the line at the end of a log that says best what went wrong."""
    lines = [line.strip() for line in _tail(log).splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in _TELLING)]
    return (telling or lines or ["nothing"])[-1]


def pointer(log: Path) -> str:
    """Tell where a log is, and what it says at the end."""
    return f"Its log, {log}, says: {reason(log)}"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _wait(processes: Sequence[psutil.Process], patience: Patience) -> list[psutil.Process]:
    """Wait until all ended or the patience did; gives those that live on."""
    alive = [process for process in processes if _lives(process)]
    while alive and patience() > 0:
        time.sleep(_POLL_S)
        alive = [process for process in alive if _lives(process)]
    return alive


def _lives(process: psutil.Process) -> bool:
    """Whether it runs. One that ended, but whose parent has not looked at it, does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _session_of(process: psutil.Process) -> int:
    """Give the number of its session, 0 where it has ended."""
    with suppress(OSError):
        return os.getsid(process.pid)
    return 0


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def _with_descendants(matches: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = {process for process in _those(matches) if process.pid not in own}
    for process in list(found):
        with suppress(psutil.NoSuchProcess):
            found.update(process.children(recursive=True))
    return sorted(found, key=lambda process: process.pid)


def _those(matches: Callable[[psutil.Process], bool]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        # A process that ends meanwhile, or another user's that we may not look into.
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and matches(process):
                yield process
