"""Control groups, versions 1 and 2: hold the memory and the number of processes of a whole tree.

Used where this process may make them below its own group; nothing of its own is ever moved.
"""

import contextlib
import os
import time
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from execution.sandbox.wire import MIB

if TYPE_CHECKING:  # limits name the protection, which asks here
    from execution.sandbox.limits import Limits

_ROOT = Path("/sys/fs/cgroup")
_PREFIX = "algorium-"
OWN_PROCESSES = 4  # the launcher, the first process of the sandbox, and room for one of each to end
_PERIOD_US = 100_000
_numbers = count()


@dataclass(frozen=True, slots=True)
class Parents:
    """Folders that groups can be made in; the same one three times for version 2."""

    memory: Path
    pids: Path | None
    cpu: Path | None
    unified: bool


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The groups that one sandbox lives in."""

    folders: tuple[Path, ...]
    events: int  # open, because it is read after every run

    def join(self, pid: int) -> None:
        """Move a process that has no children yet; those it gets will be inside too."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def oom_kills(self) -> int:
        """How many processes were killed for want of memory."""
        with contextlib.suppress(OSError):
            for line in os.pread(self.events, 4096, 0).splitlines():
                if line.startswith(b"oom_kill "):
                    return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Once: kill whatever is left inside, remove the groups. Blocks for some milliseconds."""
        os.close(self.events)
        for folder in self.folders:
            _remove(folder)


@cache
def parents() -> Parents | None:
    """Return where groups can be made, None if this process may not make any."""
    own = _own_groups()
    found = _unified(own.get("", "/")) or _version_1(own)
    if found is not None:
        for folder in {found.memory, found.pids, found.cpu} - {None}:
            _sweep(folder)
    return found


def create(limits: "Limits") -> Cgroup | None:
    """Make the groups for one sandbox, None where that is not possible."""
    places = parents()
    if places is None:
        return None
    name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
    try:
        return (
            _create_unified(places, name, limits)
            if places.unified
            else _create_1(places, name, limits)
        )
    except OSError:
        for parent in (places.memory, places.pids, places.cpu):
            if parent is not None:
                _remove(parent / name)
        return None


def _create_unified(places: Parents, name: str, limits: "Limits") -> Cgroup:
    folder = places.memory / name
    folder.mkdir()
    (folder / "memory.max").write_text(str(limits.memory_mib * MIB))
    (folder / "memory.oom.group").write_text("1")
    (folder / "pids.max").write_text(str(limits.processes + OWN_PROCESSES))
    for file, value in (
        ("memory.swap.max", "0"),
        ("cpu.max", f"{int(limits.cpus * _PERIOD_US)} {_PERIOD_US}"),
    ):
        with contextlib.suppress(OSError):
            (folder / file).write_text(value)
    return Cgroup((folder,), _open(folder / "memory.events"))


def _create_1(places: Parents, name: str, limits: "Limits") -> Cgroup:
    memory = places.memory / name
    memory.mkdir()
    folders = [memory]
    (memory / "memory.limit_in_bytes").write_text(str(limits.memory_mib * MIB))
    with contextlib.suppress(OSError):
        (memory / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_mib * MIB))
    for parent, file, value in (
        (places.pids, "pids.max", limits.processes + OWN_PROCESSES),
        (places.cpu, "cpu.cfs_quota_us", int(limits.cpus * _PERIOD_US)),
    ):
        if parent is not None:
            folder = parent / name
            folder.mkdir()
            (folder / file).write_text(str(value))
            folders.append(folder)
    return Cgroup(tuple(folders), _open(memory / "memory.oom_control"))


def _open(file: Path) -> int:
    return os.open(file, os.O_RDONLY | os.O_CLOEXEC)


def _own_groups() -> dict[str, str]:
    """Return this process's group for each controller of version 1; "" is version 2."""
    groups = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _unified(own: str) -> Parents | None:
    """Version 2 forbids groups below one that holds processes, so make siblings of our own."""
    here = _ROOT / own.lstrip("/")
    for folder in (here, here.parent):
        with contextlib.suppress(OSError):
            control = folder / "cgroup.subtree_control"
            if not {"memory", "pids"} <= set(control.read_text().split()):
                # The kernel lets only the owner of a group without processes do this.
                control.write_text("+memory +pids")
            given = control.read_text().split()
            usable = _ROOT in (folder, *folder.parents) and {"memory", "pids"} <= set(given)
            if usable and _may_create(folder):
                return Parents(folder, folder, folder, unified=True)
    return None


def _version_1(own: dict[str, str]) -> Parents | None:
    found = {}
    for controller in ("memory", "pids", "cpu"):
        folder = _ROOT / controller / own.get(controller, "/").lstrip("/")
        if (folder / "cgroup.procs").exists() and _may_create(folder):
            found[controller] = folder
    if "memory" not in found:
        return None
    return Parents(found["memory"], found.get("pids"), found.get("cpu"), unified=False)


def _may_create(folder: Path) -> bool:
    probe = folder / f"{_PREFIX}{os.getpid()}-probe"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def _sweep(folder: Path | None) -> None:
    """Remove groups whose makers are gone."""
    for left in folder.glob(f"{_PREFIX}*") if folder else ():
        maker = left.name.removeprefix(_PREFIX).split("-")[0]
        if not Path("/proc", maker).exists():
            _remove(left)


def _remove(folder: Path) -> None:
    for _ in range(100):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            _kill(folder)
            time.sleep(0.005)
        else:
            return


def _kill(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            os.kill(int(pid), 9)
