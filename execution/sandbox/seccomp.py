"""The system calls that a sandbox may not make, as a filter that the kernel runs.

Written as plain BPF so that no library is needed. Namespaces and a lack of privileges are
what holds a sandbox; this takes away the parts of the kernel where the bugs have been.
"""

import errno
import platform
import struct

_SECCOMP_ALLOW = 0x7FFF0000
_SECCOMP_KILL = 0x80000000
_SECCOMP_ERRNO = 0x00050000

_LOAD = 0x20  # load the 32-bit word at an offset of the call's description
_EQUAL = 0x15
_GREATER = 0x25
_ANY_BIT = 0x45
_RETURN = 0x06

_NUMBER_AT, _ARCH_AT, _ARG0_AT, _ARG1_AT = 0, 4, 16, 24

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# Calls newer than this are unknown to this list: programs fall back when told so.
_NEWEST_KNOWN = 456
# Any of CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}.
_NAMESPACES = 0x7E020080
_SOCKET_FAMILIES = (1, 2, 10)  # unix, inet, inet6: all of them end at the sandbox's own loopback
_TERMINAL_INPUT = (0x5412, 0x541C)  # put characters into the keyboard buffer of a terminal

_CLONE, _CLONE3, _SOCKET, _SOCKETPAIR, _IOCTL = (
    (56, 220),
    (435, 435),
    (41, 198),
    (53, 199),
    (16, 29),
)

# name: (number on x86_64, number on aarch64)
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "lookup_dcookie": (212, 18),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "vhangup": (153, 58),
    "fanotify_init": (300, 262),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "nfsservctl": (180, 42),
    "personality": (135, 92),
    "vmsplice": (278, 75),
}

# Told "not implemented", which programs have a second way for. Memory files and System V
# shared memory are here because their pages are in no process's own memory.
_ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": _CLONE3,
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
}


def supported() -> bool:
    """Whether there is a filter for this machine's processor."""
    return platform.machine() in _ARCHITECTURES


def program(machine: str) -> bytes:
    """Return the filter for `machine` ("x86_64" or "aarch64") as the kernel reads it."""
    column, arch = _ARCHITECTURES[machine]
    code = [
        _step(_LOAD, _ARCH_AT),
        _step(_EQUAL, arch, when_true=1),
        _step(_RETURN, _SECCOMP_KILL),
        _step(_LOAD, _NUMBER_AT),
        # Also catches x32 calls, whose numbers have a high bit.
        *_refuse_if(_GREATER, _NEWEST_KNOWN, errno.ENOSYS),
    ]
    for numbers in _FORBIDDEN.values():
        if (number := numbers[column]) is not None:
            code += _refuse_if(_EQUAL, number, errno.EPERM)
    for numbers in _ABSENT.values():
        if (number := numbers[column]) is not None:
            code += _refuse_if(_EQUAL, number, errno.ENOSYS)
    code += _only_for(_CLONE[column], _ARG0_AT, _refuse_if(_ANY_BIT, _NAMESPACES, errno.EPERM))
    for call in (_SOCKET, _SOCKETPAIR):
        code += _only_for(call[column], _ARG0_AT, _known_families())
    terminal = [s for request in _TERMINAL_INPUT for s in _refuse_if(_EQUAL, request, errno.EPERM)]
    code += _only_for(_IOCTL[column], _ARG1_AT, terminal)
    code.append(_step(_RETURN, _SECCOMP_ALLOW))
    return b"".join(code)


def _step(code: int, value: int, *, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _refuse_if(test: int, value: int, error: int) -> list[bytes]:
    return [_step(test, value, when_false=1), _step(_RETURN, _SECCOMP_ERRNO | error)]


def _known_families() -> list[bytes]:
    checks = [
        _step(_EQUAL, family, when_true=len(_SOCKET_FAMILIES) - position)
        for position, family in enumerate(_SOCKET_FAMILIES)
    ]
    return [*checks, _step(_RETURN, _SECCOMP_ERRNO | errno.EAFNOSUPPORT)]


def _only_for(number: int, argument_at: int, checks: list[bytes]) -> list[bytes]:
    """Run `checks` on one argument of one call; every other call skips them."""
    body = [_step(_LOAD, argument_at), *checks, _step(_LOAD, _NUMBER_AT)]
    return [_step(_EQUAL, number, when_false=len(body)), *body]
