"""Becomes the program that it is given, after tying it to its parent and taking its user on.

Run as a file, with the standard library alone:  launch.py PARENT SIGNAL UID GID PROGRAM ARG...
A file of its own, because code between fork and exec is unsafe in a process with threads.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_KEEP = -1


def main(arguments: list[str]) -> None:
    """Turn into the program; it gets SIGNAL when its parent ends (0: nothing)."""
    parent, signal, uid, gid = map(int, arguments[:4])
    if uid != _KEEP:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if signal:
        # After the change of user, which would undo it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:  # It ended before it could be watched.
            sys.exit(1)
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
