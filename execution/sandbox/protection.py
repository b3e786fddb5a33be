"""How well a machine holds its sandboxes, and the least that an operator may demand."""

import os
from enum import StrEnum
from pathlib import Path

from execution.sandbox import cgroups, seccomp


class Protection(StrEnum):
    """What holds a sandbox, from the least to the most; each holds what the one before does."""

    NAMESPACES = "namespaces"  # and a lack of privileges; memory and processes are watched
    FILTER = "filter"  # the kernel refuses system calls that no algorithm needs
    GROUPS = "groups"  # the kernel holds the memory and the processes of the whole sandbox


class TooLittleProtection(Exception):
    """A machine protects less than is demanded; the message says what to do."""


_ORDER = list(Protection)
_FILTERS = Path("/proc/sys/kernel/seccomp/actions_avail")


def given() -> Protection:
    """Return the level of this machine, for this user."""
    if not seccomp.supported() or not _FILTERS.exists():
        return Protection.NAMESPACES
    found = cgroups.parents()
    if found is None or found.pids is None:
        return Protection.FILTER
    return Protection.GROUPS


def missing() -> list[str]:
    """Return what would raise the level, each in a sentence."""
    found = []
    if not seccomp.supported():
        machine = os.uname().machine
        found.append(f"There is no system call filter for {machine} processors.")
    elif not _FILTERS.exists():
        found.append("This kernel can't filter system calls; use one with CONFIG_SECCOMP_FILTER.")
    groups = cgroups.parents()
    if groups is None or groups.pids is None:
        found.append(
            "No control groups can be made here, so an algorithm's memory is watched every 50 ms"
            " instead of being held by the kernel; run as root, or under a systemd unit with"
            " Delegate=yes and DelegateSubgroup=main, to change that."
        )
    return found


def satisfies(level: Protection, least: Protection) -> bool:
    """Whether one level is at least another."""
    return _ORDER.index(level) >= _ORDER.index(least)


def require(least: Protection) -> None:
    """Raise `TooLittleProtection` where this machine gives less."""
    level = given()
    if not satisfies(level, least):
        raise TooLittleProtection(
            f"Sandboxes are held at the level {level} here, and ALGORIUM_MIN_PROTECTION demands"
            f" {least}. {' '.join(missing())}"
        )
