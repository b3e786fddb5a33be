"""The filter of system calls, run as the kernel runs it, for both processors."""

import errno
import platform
import struct
import textwrap

import pytest

from execution.sandbox import seccomp
from execution.sandbox.syscalls import ABSENT, ALLOWED, CHECKED, NEWEST_KNOWN
from tests.sandbox.authors import Author, value_of

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMNS = {"x86_64": 0, "aarch64": 1}
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
CALLS = {**ALLOWED, **CHECKED, **ABSENT}

# What no sandbox may ever do, with its numbers on x86_64 and aarch64.
FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "syslog": (103, 116), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "fanotify_init": (300, 262), "vmsplice": (278, 75),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "ioprio_set": (251, 30),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "personality": (135, 92),
    "sethostname": (170, 161), "setdomainname": (171, 162), "process_mrelease": (448, 448),
}  # fmt: skip


def answer(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Run the filter on one call, as the kernel's interpreter does."""
    words = [number, arch or ARCHITECTURES[machine], 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    steps = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    at, held = 0, 0
    for _ in steps:
        code, when_true, when_false, value = steps[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            held = words[value // 4]
        elif code == 0x54:
            held &= value
        elif code == 0x05:
            at += value
        else:
            true = {0x15: held == value, 0x35: held >= value, 0x45: held & value != 0}[code]
            at += when_true if true else when_false
    raise AssertionError("a filter without an end")


def refused(error: int) -> int:
    return ERRNO | error


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def number_of(name: str, machine: str) -> int:
    number = CALLS[name][COLUMNS[machine]]
    assert number is not None
    return number


def test_every_number_has_the_answer_that_its_list_says(machine: str) -> None:
    column = COLUMNS[machine]
    allowed = {numbers[column] for numbers in ALLOWED.values()}
    absent = {numbers[column] for numbers in ABSENT.values()}
    checked = {numbers[column] for numbers in CHECKED.values()}

    for number in range(NEWEST_KNOWN + 1):
        if number in checked:
            continue
        expected = refused(errno.ENOSYS if number in absent else errno.EPERM)
        assert answer(machine, number) == (ALLOW if number in allowed else expected), number


def test_no_number_is_in_two_lists(machine: str) -> None:
    column = COLUMNS[machine]
    numbers = [n for found in CALLS.values() if (n := found[column]) is not None]

    assert len(numbers) == len(set(numbers))
    assert len(CALLS) == len(ALLOWED) + len(CHECKED) + len(ABSENT)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_no_sandbox_may_do_is_refused(machine: str, name: str) -> None:
    number = FORBIDDEN[name][COLUMNS[machine]]

    assert name not in CALLS
    assert number is None or answer(machine, number) == refused(errno.EPERM)


def test_calls_of_the_future_and_of_other_kinds_are_unknown(machine: str) -> None:
    for number in (NEWEST_KNOWN + 1, 9_999, 0x40000000 + 9, 0xFFFFFFFF):
        assert answer(machine, number) == refused(errno.ENOSYS)
    assert answer(machine, 0, arch=0x40000003) == KILL  # the 32-bit interface, by int 0x80


@pytest.mark.parametrize("flag", [1 << bit for bit in (7, 17, 25, 26, 27, 28, 29, 30)])
def test_clone_makes_processes_and_threads_but_no_namespaces(machine: str, flag: int) -> None:
    clone = number_of("clone", machine)

    assert answer(machine, clone, 0x003D0F00) == ALLOW  # a thread
    assert answer(machine, clone, 17) == ALLOW  # a process
    assert answer(machine, clone, 17 | flag) == refused(errno.EPERM)


@pytest.mark.parametrize("call", ["socket", "socketpair"])
def test_sockets_are_of_the_three_plain_kinds(machine: str, call: str) -> None:
    number = number_of(call, machine)

    for family in (1, 2, 10):
        for kind in (1, 2, 1 | 0o2004000):
            assert answer(machine, number, family, kind, 0) == ALLOW
    assert answer(machine, number, 1, 5, 0) == ALLOW
    for family in (0, 3, 9, 15, 16, 17, 29, 38, 40, 44, 46):
        assert answer(machine, number, family, 2, 0) == refused(errno.EAFNOSUPPORT)
    for kind in (3, 4, 5, 6, 10):  # raw, reliable datagrams, packets in order, DCCP, packet
        assert answer(machine, number, 2, kind, 0) == refused(errno.EPERM)
    for protocol in (1, 33, 58, 115, 132, 136, 255, 262):  # ICMP, DCCP, L2TP, SCTP, MPTCP, ...
        assert answer(machine, number, 10, 1, protocol) == refused(errno.EPROTONOSUPPORT)


def test_terminals_are_given_no_input_and_no_other_discipline(machine: str) -> None:
    ioctl = number_of("ioctl", machine)

    for request in (0x5412, 0x541C, 0x5423, 0x5412 | 1 << 32):
        assert answer(machine, ioctl, 0, request) == refused(errno.EPERM)
    assert answer(machine, ioctl, 0, 0x5401) == ALLOW


def test_core_dumps_stay_off_without_anybody_being_told(machine: str) -> None:
    setrlimit, prlimit = number_of("setrlimit", machine), number_of("prlimit64", machine)

    assert answer(machine, setrlimit, 4, 0x7FFF00000000) == refused(0)
    assert answer(machine, setrlimit, 7, 0x7FFF00000000) == ALLOW
    assert answer(machine, prlimit, 0, 4, 0x1000) == refused(0)
    assert answer(machine, prlimit, 0, 4, 0x7FFF00000000) == refused(0)
    assert answer(machine, prlimit, 0, 4, 0) == ALLOW
    assert answer(machine, prlimit, 0, 7, 0x1000) == ALLOW


def test_the_filter_is_the_same_every_time_and_fits_into_one_page(machine: str) -> None:
    code = seccomp.program(machine)
    seccomp.program.cache_clear()

    assert seccomp.program(machine) == code
    assert len(code) < 4096
    assert seccomp.supported() == (platform.machine() in ARCHITECTURES)


NEEDS = {
    "threads": "from threading import Thread\nt = Thread(target=int); t.start(); t.join()",
    "thread pools": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(int, "123")) == 6
    """,
    "processes": """
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]
    """,
    "programs": """
        import subprocess
        assert subprocess.run(["sh", "-c", "echo 1 | cat"], capture_output=True).stdout == b"1\\n"
    """,
    "memory maps": """
        import mmap, tempfile
        with tempfile.TemporaryFile() as file:
            file.truncate(8192)
            with mmap.mmap(file.fileno(), 8192) as mapped:
                mapped[:3] = b"abc"
                mapped.flush()
        mmap.mmap(-1, 4096).close()
    """,
    "shared memory": """
        from multiprocessing.shared_memory import SharedMemory
        held = SharedMemory(create=True, size=4096)
        held.close(); held.unlink()
    """,
    "locks and queues": """
        import multiprocessing
        held = multiprocessing.Lock(); held.acquire(); held.release()
        multiprocessing.Queue().close()
    """,
    "an event loop": """
        import asyncio
        async def both():
            server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
            await asyncio.open_connection(*server.sockets[0].getsockname())
            process = await asyncio.create_subprocess_exec("true")
            assert await process.wait() == 0
        asyncio.run(both())
    """,
    "a database": """
        import sqlite3
        with sqlite3.connect("/tmp/x.db") as held:
            held.execute("CREATE TABLE t (n INTEGER)")
    """,
    "copies": """
        import shutil, pathlib
        pathlib.Path("/tmp/a").mkdir(); pathlib.Path("/tmp/a/b").write_text("b")
        shutil.copytree("/tmp/a", "/tmp/c")
        shutil.make_archive("/tmp/d", "zip", "/tmp/c")
    """,
    "time and chance": """
        import time, os, random, signal
        time.sleep(0.001); os.urandom(8); random.SystemRandom().random()
        signal.setitimer(signal.ITIMER_REAL, 0)
    """,
    "the processor's cores": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))",
    "what limits there are": "import resource\nresource.getrlimit(resource.RLIMIT_CORE)",
}


@pytest.mark.parametrize("code", NEEDS.values(), ids=NEEDS)
async def test_what_algorithms_need_works(writer: Author, code: str) -> None:
    body = textwrap.indent(textwrap.dedent(code), "    ")

    assert value_of(await writer.run(f"def apply(x):\n{body}\n    return 'fine'")) == "fine"
