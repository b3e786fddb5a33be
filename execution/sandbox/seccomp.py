"""The system calls that a sandbox may make, as a filter that the kernel runs.

Written as plain BPF so that no library is needed. Namespaces and a lack of privileges are
what holds a sandbox; this takes away the parts of the kernel where the bugs have been.
"""

import errno
import platform
import struct
from functools import cache

from execution.sandbox.syscalls import ABSENT, ALLOWED, CHECKED, NEWEST_KNOWN

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000

_LOAD = 0x20  # load the 32-bit word at an offset of the call's description
_AND = 0x54
_JUMP = 0x05
_EQUAL = 0x15
_AT_LEAST = 0x35
_ANY_BIT = 0x45
_RETURN = 0x06
_FARTHEST = 255  # that a conditional jump goes

_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# Any of CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}.
_NAMESPACES = 0x7E020080
_UNIX, _INTERNET = 1, (2, 10)  # all of them end at the sandbox's own loopback
_STREAM_OR_DATAGRAM = (1, 2)
_TYPE_MASK = 0xF
_PROTOCOLS = (0, 6, 17)  # the usual one, TCP, UDP: for others the kernel would load modules
# Characters into a terminal's keyboard buffer (two ways), another line discipline.
_TERMINAL = (0x5412, 0x541C, 0x5423)
_CORE_LIMIT = 4


def supported() -> bool:
    """Whether there is a filter for this machine's processor."""
    return platform.machine() in _ARCHITECTURES


@cache
def program(machine: str) -> bytes:
    """Return the filter for `machine` ("x86_64" or "aarch64") as the kernel reads it."""
    column, arch = _ARCHITECTURES[machine]
    code = [
        _step(_LOAD, _ARCH_AT),
        _step(_EQUAL, arch, when_true=1),
        _give(_KILL),
        _step(_LOAD, _NUMBER_AT),
        *_tree(_ranges(column)),
    ]
    return b"".join(code)


def _ranges(column: int) -> list[tuple[int, list[bytes]]]:
    """Return what happens from which number on; every number below 2^32 is in one of them."""
    answers = {
        **_answers(ALLOWED, column, [_give(_ALLOW)]),
        **_answers(ABSENT, column, [_refuse(errno.ENOSYS)]),
        **{
            number: _CHECKS[name]
            for name, numbers in CHECKED.items()
            if (number := numbers[column]) is not None
        },
        # Also catches x32 calls, whose numbers have a high bit.
        NEWEST_KNOWN + 1: [_refuse(errno.ENOSYS)],
    }
    ranges: list[tuple[int, list[bytes]]] = []
    for number in range(NEWEST_KNOWN + 2):
        answer = answers.get(number, [_refuse(errno.EPERM)])
        if not ranges or ranges[-1][1] != answer:
            ranges.append((number, answer))
    return ranges


def _answers(
    table: dict[str, tuple[int | None, int | None]], column: int, answer: list[bytes]
) -> dict[int, list[bytes]]:
    return {number: answer for numbers in table.values() if (number := numbers[column]) is not None}


def _tree(ranges: list[tuple[int, list[bytes]]]) -> list[bytes]:
    """Find the call's range in as few steps as there can be."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    below, above = _tree(ranges[:middle]), _tree(ranges[middle:])
    first = ranges[middle][0]
    if len(below) <= _FARTHEST:
        return [_step(_AT_LEAST, first, when_true=len(below)), *below, *above]
    over = [_step(_AT_LEAST, first, when_false=1), _step(_JUMP, len(below))]
    return [*over, *below, *above]


def _step(code: int, value: int, *, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _give(answer: int) -> bytes:
    return _step(_RETURN, answer)


def _refuse(error: int) -> bytes:
    return _give(_ERRNO | error)


def _argument(position: int, *, upper: bool = False) -> bytes:
    """Load one half of an argument; both processors keep the lower one first."""
    return _step(_LOAD, _ARGUMENTS_AT + 8 * position + 4 * upper)


def _unless(values: tuple[int, ...], error: int) -> list[bytes]:
    """Refuse unless what is loaded is one of `values`."""
    checks = [
        _step(_EQUAL, value, when_true=len(values) - position)
        for position, value in enumerate(values)
    ]
    return [*checks, _refuse(error)]


def _sockets() -> list[bytes]:
    return [
        _argument(0),
        _step(_EQUAL, _UNIX, when_false=1),
        _give(_ALLOW),
        *_unless(_INTERNET, errno.EAFNOSUPPORT),
        _argument(1),
        _step(_AND, _TYPE_MASK),
        *_unless(_STREAM_OR_DATAGRAM, errno.EPERM),
        _argument(2),
        *_unless(_PROTOCOLS, errno.EPROTONOSUPPORT),
        _give(_ALLOW),
    ]


# Core dumps are off from the start, in the one way that also holds where the kernel pipes them
# to a program of the machine; whoever switches them off again is told that they are.
_PRETEND = _refuse(0)
_CHECKS = {
    "clone": [
        _argument(0),
        _step(_ANY_BIT, _NAMESPACES, when_false=1),
        _refuse(errno.EPERM),
        _give(_ALLOW),
    ],
    "socket": _sockets(),
    "socketpair": _sockets(),
    "ioctl": [
        _argument(1),
        *(
            step
            for request in _TERMINAL
            for step in (_step(_EQUAL, request, when_false=1), _refuse(errno.EPERM))
        ),
        _give(_ALLOW),
    ],
    "setrlimit": [
        _argument(0),
        _step(_EQUAL, _CORE_LIMIT, when_false=1),
        _PRETEND,
        _give(_ALLOW),
    ],
    "prlimit64": [
        _argument(1),
        _step(_EQUAL, _CORE_LIMIT, when_false=5),
        _argument(2),
        _step(_EQUAL, 0, when_false=2),
        _argument(2, upper=True),
        _step(_EQUAL, 0, when_true=1),
        _PRETEND,
        _give(_ALLOW),
    ],
}
