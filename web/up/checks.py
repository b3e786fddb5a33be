"""What has to be true before a start: the same checks stop `make up` and fill `doctor`'s list."""

import errno
import importlib
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from core.settings import Settings
from web.up import instance, lock, sign_in
from web.up.errors import CannotStart

_NEEDED_MIB = 1024
_FAILED = 2
Check = Callable[[Settings], str]


def require(settings: Settings) -> None:
    """Raise `CannotStart` for the first thing that is in the way of a start."""
    for check in (home, space, git, sandbox, port, people):
        check(settings)


def doctor(settings: Settings) -> int:
    """Print every check with what it found; gives the exit status, 2 where one failed."""
    failed = 0
    for check in (system, home, space, git, sandbox, spoken, people, running):
        try:
            print(f"  ok  {check(settings)}")
        except CannotStart as problem:
            failed += 1
            print(f"  NO  {problem}")
    for remark in importlib.import_module("execution.sandbox.check").remarks():
        print(f"note  {remark}")
    for remark in languages():
        print(f"note  {remark}")
    verdict = "Nothing is in the way." if not failed else f"{failed} of these must be put right."
    print(verdict)
    return _FAILED if failed else 0


def system(_: Settings) -> str:
    """Name the machine; nothing is demanded of it that the others don't."""
    cores = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().total / 2**30
    python = platform.python_version()
    return f"Python {python} at {sys.executable}, {cores} cores, {memory:.0f} GiB of memory"


def home(settings: Settings) -> str:
    """The home folder can be made and written."""
    instance.prepare(settings.home)
    return f"ALGORIUM_HOME is {settings.home}"


def space(settings: Settings) -> str:
    """There is room for the database, builds and logs to grow."""
    folders = [settings.home]
    if os.geteuid() == 0:
        folders.append(Path("/var/lib"))
    free = min(shutil.disk_usage(folder).free for folder in folders) // 2**20
    if free < _NEEDED_MIB:
        what = f"The disk of {settings.home} is full: {free} MiB are free."
        raise CannotStart(what, f"Free some space; at least {_NEEDED_MIB} MiB are needed.")
    return f"{free / 1024:.0f} GiB of disk are free"


def git(_: Settings) -> str:
    """Algorithms are published through git."""
    found = shutil.which("git")
    if found is None:
        raise CannotStart("git was not found.", "Install it (Debian: apt-get install git).")
    return f"git is {found}"


def sandbox(settings: Settings) -> str:
    """Algorithms can be locked up on this machine, as well as is demanded."""
    problems = importlib.import_module("execution.sandbox.check").problems()
    if problems:
        raise CannotStart(" ".join(problems), "Algorithms are never run without their sandbox.")
    protection = importlib.import_module("execution.sandbox.protection")
    try:
        protection.require(protection.Protection(settings.min_protection))
    except protection.TooLittleProtection as problem:
        raise CannotStart(
            str(problem), "Or lower the setting: docs/security.md says what each level holds."
        ) from None
    return f"algorithms can be locked into their sandbox; protection level: {protection.given()}"


def spoken(_: Settings) -> str:
    """Name the languages that algorithms can be written in here."""
    registry = importlib.import_module("execution.languages.registry")
    words = dict.fromkeys(one.words() for one in registry.offered())
    return f"algorithms can be in {', '.join(words)}"


def languages() -> list[str]:
    """Name those that can't, and what each lacks."""
    registry = importlib.import_module("execution.languages.registry")
    missing = [(one.words(), one.missing()) for one in registry.known()]
    return [f"{words} isn't offered. {lacks}" for words, lacks in missing if lacks]


def port(settings: Settings) -> str:
    """The site can listen where it is told to."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: a connection that lingers from the last run is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise _port_problem(settings, error) from None
    return f"port {settings.port} of {settings.host} is free"


def people(settings: Settings) -> str:
    """There is a way to sign in, and not one that lets strangers in as anybody."""
    if not sign_in.is_needed(settings):
        return "people sign in with the provider that is set"
    sign_in.require_loopback(settings)
    return "people sign in with the development sign-in: anyone on this machine, as anyone"


def running(settings: Settings) -> str:
    """The installation runs, or could listen on its port if it were started."""
    if lock.is_held(settings.home):
        return f"this installation runs, at {settings.url}"
    return f"this installation does not run now; {port(settings)}"


def _port_problem(settings: Settings, error: OSError) -> CannotStart:
    where = f"port {settings.port} of {settings.host}"
    if error.errno == errno.EADDRINUSE:
        what = f"Another program is using {where}{_user_of(settings.port)}."
        return CannotStart(what, "Stop that one, or set ALGORIUM_PORT to a free port.")
    if error.errno == errno.EACCES:
        what = f"Only root may listen on {where}."
        return CannotStart(what, "Set ALGORIUM_PORT to one above 1023.")
    what = f"It is not possible to listen on {where} ({error.strerror})."
    return CannotStart(what, "Set ALGORIUM_HOST to an address of this machine.")


def _user_of(number: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == number
            if listens and connection.pid:
                return f" ({psutil.Process(connection.pid).name()}, process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""
