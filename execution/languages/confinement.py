"""First acts inside a sandbox, before any file of a version is read. Standard library only."""

from __future__ import annotations

import fcntl
import os
import resource
from typing import Any

_MIB = 1024 * 1024
_STAND_BACK = 5  # in the queue for the processor, behind what answers people
_WIRE_FROM = 200  # out of the way of code that closes or reuses the first few numbers


def confine(config: dict[str, Any]) -> int:
    """Give up privileges, set limits, and return the wire's number from now on."""
    limits = config["limits"]
    if config["door"] is not None:
        _hand_out(config["wire"], config["door"])
    # Set first: the limit on open files bounds this number too.
    wire = fcntl.fcntl(config["wire"], fcntl.F_DUPFD_CLOEXEC, _WIRE_FROM)
    os.close(config["wire"])
    user = config["user"]
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    for what, most in (
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_FSIZE, limits["file_mib"] * _MIB),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        # Per process, and only a net below the bound on the whole tree that is kept from outside.
        (resource.RLIMIT_DATA, (2 * limits["memory_mib"] + 512) * _MIB),
    ):
        _lower(what, most)
    os.umask(0o077)
    os.nice(_STAND_BACK)
    return wire


def _hand_out(wire: int, port: int) -> None:
    """Listen inside the sandbox, and give the platform the socket to answer at."""
    import socket  # noqa: PLC0415 - slow to import, and only some versions need it

    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        socket.socket(fileno=os.dup(wire)) as outside,
    ):
        socket.send_fds(outside, [b"."], [listener.fileno()])


def _lower(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))
