"""The embedded PostgreSQL: one server per home, reached through a private socket only.

    with postgres.start(home) as server:
        engine = create_async_engine(server.url)

It is run straight from its wheel's programs. It survives being killed at any moment: the next
start ends what was left and lets PostgreSQL recover.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from web.up import database_files, instance, processes
from web.up.database_files import Layout
from web.up.errors import CannotStart

ROLE = NAME = "algorium"
_STARTS_WITHIN_S = 60.0
_STOPS_WITHIN_S = 20.0
_POLL_S = 0.02

_ENV = {"PATH": os.defpath, "LC_ALL": "C"}
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. It ends with `stop()`, with the `with` block, or with its parent."""

    url: str
    process: subprocess.Popen[bytes]
    places: Layout
    # Held for as long as the server lives, so that nobody starts a second one on this home.
    lock: FileIO = field(repr=False)

    def stop(self) -> None:
        """Shut the server down in good order; calling it twice is harmless."""
        _stop(self.process)
        self.lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def database_url(home: Path) -> str:
    """Give the address of the database of `home`, for SQLAlchemy, whether it runs or not."""
    return _url(database_files.layout(home))


def start(home: Path, *, dies_with_parent: bool = True) -> Postgres:
    """Start the database of `home`, setting it up the first time, and wait until it answers.

    What an earlier start left behind is ended first. With `dies_with_parent` the server shuts
    down when the thread that called this ends, killed or not.

    Raises `CannotStart`: it runs already, no space, no user to run it as.
    """
    instance.prepare(home)
    lock = _take_lock(home)
    try:
        places = database_files.layout(home)
        programs = places.programs()
        database_files.make_folders(home, places)
        _end_leftovers(places)
        log = processes.log_file(home, "postgres")
        if not places.has_data:
            _set_up(programs, places, log)
        process = _launch(home, programs, places, log, dies_with_parent=dies_with_parent)
        try:
            _wait_until_ready(process, places, log)
            _make_database(programs, places, log)
        except BaseException:
            _stop(process)
            raise
    except BaseException:
        lock.close()
        raise
    return Postgres(_url(places), process, places, lock)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOPS_WITHIN_S)
            return


def _url(places: Layout) -> str:
    return f"postgresql+asyncpg://{ROLE}@/{NAME}?{urlencode({'host': str(places.sockets)})}"


def _take_lock(home: Path) -> FileIO:
    lock = FileIO(home / "database.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CannotStart(
            f"The database of {home} is running already.",
            "Stop the other one first, or set ALGORIUM_HOME to another folder.",
        ) from None
    return lock


def _end_leftovers(places: Layout) -> None:
    """End what still runs on this data, and drop the note of a server that is no more.

    The note names a process number, which by now may be another program's: PostgreSQL would
    then refuse to start for as long as that one lives. All its processes work in the data
    folder, which is what they are known by.
    """
    left = processes.working_in(places.data)
    # SIGINT is PostgreSQL's "fast": refuse new work, end sessions, write everything.
    processes.end(left, patience=processes.within(_STOPS_WITHIN_S), first=signal.SIGINT)
    (places.data / "postmaster.pid").unlink(missing_ok=True)


def _set_up(programs: Path, places: Layout, log: Path) -> None:
    """Make an empty cluster beside its place and move it there whole.

    So a crash on the way leaves nothing half made.
    """
    draft = places.data.with_name("database.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if places.owner is not None:
        os.chown(draft, places.owner.pw_uid, places.owner.pw_gid)
    access = ["--username", ROLE, "--auth-local", "trust", "--auth-host", "reject"]
    # The builtin locale sorts the same on every machine and after every system update.
    locale = ["--encoding", "UTF8", "--locale", "C"]
    builtin = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    command = [str(programs / "initdb"), "--pgdata", str(draft), *access, *locale, *builtin]
    process = processes.spawn(command, env=_ENV, log=log, cwd=draft, owner=places.owner)
    if process.wait(_STARTS_WITHIN_S) != 0:
        raise _broken("The database could not be set up", log)
    draft.rename(places.data)


def _launch(
    home: Path, programs: Path, places: Layout, log: Path, *, dies_with_parent: bool
) -> subprocess.Popen[bytes]:
    folder = str(places.sockets).replace('"', '""')
    settings = {**_SETTINGS, "unix_socket_directories": f'"{folder}"'}
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return processes.spawn(
        [str(programs / "postgres"), "-D", str(places.data), *flags],
        env={**_ENV, instance.MARK: instance.fingerprint(home)},
        log=log,
        cwd=places.data,
        owner=places.owner,
        orphan_signal=signal.SIGINT if dies_with_parent else None,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], places: Layout, log: Path) -> None:
    """Wait for the line that the server writes into its note once it takes connections."""
    note = places.data / "postmaster.pid"
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _broken("The database did not start", log)
        with suppress(FileNotFoundError):
            if note.read_text().rstrip().endswith("\nready"):
                return
        time.sleep(_POLL_S)
    raise _broken(f"The database was not ready after {_STARTS_WITHIN_S:.0f} seconds", log)


def _make_database(programs: Path, places: Layout, log: Path) -> None:
    """Make the database inside the server, where it is not there yet."""
    done = places.data / "database.made"
    if done.exists():
        return
    create = [str(programs / "createdb"), "--host", str(places.sockets), "--username", ROLE, NAME]
    process = processes.spawn(create, env=_ENV, log=log, cwd=places.data, owner=places.owner)
    if process.wait(_STARTS_WITHIN_S) != 0 and "already exists" not in processes.reason(log):
        raise _broken("The database could not be made", log)
    done.touch()


def _broken(what: str, log: Path) -> CannotStart:
    if "No space left" in (reason := processes.reason(log)):
        return CannotStart(f"{what}: the disk is full.", "Free some space, and run it again.")
    return CannotStart(f"{what}: {reason}", f"The whole story is in {log}.")
