"""What a hostile version tries, and what it gets."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from execution.sandbox.process import descendants
from tests.sandbox.authors import Author, again, failure_of, value_of

# Runs a statement and tells how it ended, so that one version can try many things.
TRY = """
import ctypes, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def syscall(number, *args):
    ctypes.set_errno(0)
    got = libc.syscall(number, *args)
    return got if got >= 0 else "errno %d" % ctypes.get_errno()

def apply(source):
    names = {}
    try:
        exec(source, globals(), names)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    return names.get("got", "done")
"""


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the platform's, and a word of its environment."""
    monkeypatch.setenv("ALGORIUM_TEST_SECRET", "swordfish")
    file = tmp_path / "secret.txt"
    file.write_text("swordfish")
    return file


@pytest.fixture
def listener() -> Iterator[int]:
    """A server of the machine's own, on its loopback address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def abstract() -> Iterator[str]:
    """A server of the machine's own, at a name without a file."""
    name = f"algorium-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        yield name


async def test_no_file_of_the_platform_or_its_neighbours_can_be_read(
    author: Author, secret: Path
) -> None:
    neighbour = author.write("KEY = 1\ndef apply(x): return x")
    worker = await author.start(TRY)

    for path in (secret, Path(neighbour.source, "src", "Probe.py"), Path(__file__), "/etc/shadow"):
        got = value_of(await again(worker, f"got = open({str(path)!r}).read()"))
        assert got.startswith(("FileNotFoundError", "PermissionError")), (path, got)


async def test_the_platforms_environment_is_not_there(author: Author, secret: Path) -> None:
    worker = await author.start(TRY)

    got = value_of(await again(worker, "got = repr(dict(os.environ))"))
    assert "swordfish" not in got
    assert set(eval(got)) >= {"PATH", "HOME"}
    everything = """
found = b""
for pid in os.listdir("/proc"):
    for file in ("environ", "cmdline"):
        try:
            found += open(f"/proc/{pid}/{file}", "rb").read()
        except OSError:
            pass
got = found.decode(errors="replace")
"""
    got = value_of(await again(worker, everything))
    assert "swordfish" not in got
    assert str(secret.parent) not in got


async def test_no_process_outside_can_be_seen_or_signalled(author: Author) -> None:
    worker = await author.start(TRY)

    seen = value_of(
        await again(worker, "got = [int(p) for p in os.listdir('/proc') if p.isdigit()]")
    )
    assert max(seen) < 10
    assert len(seen) == 2
    assert value_of(await again(worker, f"os.kill({os.getpid()}, 9)")).startswith("ProcessLookup")
    assert value_of(await again(worker, "got = os.getppid()")) == 1


async def test_the_first_process_of_the_sandbox_cant_be_ended(author: Author) -> None:
    worker = await author.start(TRY)
    before = descendants(worker.pid or 0)

    value_of(await again(worker, "os.kill(1, 9)"))

    assert descendants(worker.pid or 0) == before


async def test_there_is_no_network(author: Author, listener: int, abstract: str) -> None:
    worker = await author.start(TRY)

    for attempt in (
        f"socket.create_connection(('127.0.0.1', {listener}), 2)",
        "socket.create_connection(('1.1.1.1', 53), 2)",
        "socket.create_connection(('::1', 80), 2)",
        f"socket.socket(socket.AF_UNIX).connect('\\0{abstract}')",
        "socket.getaddrinfo('example.com', 80)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_ALG)",
        "socket.socket(socket.AF_VSOCK)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    ):
        got = value_of(await again(worker, attempt))
        assert got != "done", attempt
        assert "Error" in got.split(":")[0] or got.startswith("gaierror"), (attempt, got)
    assert value_of(await again(worker, "got = [n for _, n in socket.if_nameindex()]")) in (
        ["lo"],
        "OSError: [Errno 97] Address family not supported by protocol",
    )


async def test_nothing_but_the_scratch_folders_can_be_written(author: Author) -> None:
    worker = await author.start(TRY)

    for path in (
        "/algorithm/src/Probe.py",
        "/runner/x",
        "/usr/bin/x",
        "/etc/passwd",
        "/x",
        "/dev/x",
        "/home",
        "/proc/sys/kernel/hostname",
        f"{os.path.realpath(os.__file__)}",
    ):
        got = value_of(await again(worker, f"open({path!r}, 'w')"))
        assert got.startswith(("OSError", "PermissionError", "IsADirectory", "FileNotFound")), got
    assert value_of(await again(worker, "open('/tmp/x', 'w').write('fine')")) == "done"


async def test_the_scratch_folders_are_bounded(author: Author) -> None:
    fill = """
written = 0
try:
    for n in range(100):
        with open(f"{folder}/{n}", "wb") as file:
            file.write(bytes(1024 * 1024))
            written += 1
except OSError as error:
    got = [written, error.errno]
"""
    worker = await author.start(TRY)

    for folder in ("/tmp", "/dev/shm"):
        written, errno = value_of(await again(worker, f"folder = {folder!r}\n{fill}"))
        assert (written < 17, errno) == (True, 28)


async def test_one_file_is_bounded(author: Author) -> None:
    author.limits = type(author.limits)(tmp_mib=32, file_mib=2)
    worker = await author.start(TRY)

    got = value_of(await again(worker, "open('/tmp/x', 'wb').write(bytes(5 * 1024 * 1024))"))

    assert got.startswith("OSError: [Errno 27]")


SYSCALLS = {
    "unshare": (272, 0x10000000),
    "clone with a user namespace": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "ptrace": (101, 0, 0, 0, 0),
    "keyctl": (250, 0, 0, 0, 0, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "userfaultfd": (323, 0),
    "setns": (308, 0, 0),
    "pivot_root": (155, 0, 0),
    "chroot": (161, 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are of x86_64")
async def test_calls_into_the_kernels_darker_corners_are_refused(author: Author) -> None:
    worker = await author.start(TRY)

    for name, numbers in SYSCALLS.items():
        got = value_of(await again(worker, f"got = syscall(*{numbers})"))
        assert got == "errno 1", name
    for name, numbers in {
        "clone3": (435, 0, 0),
        "io_uring_setup": (425, 1, 0),
        "memfd_create": (319, 0, 0),
        "a call of the future": (999,),
    }.items():
        assert value_of(await again(worker, f"got = syscall(*{numbers})")) == "errno 38", name


async def test_there_are_no_privileges_and_none_to_be_had(author: Author) -> None:
    worker = await author.start(TRY)

    status = value_of(await again(worker, "got = open('/proc/self/status').read()"))
    for line in (
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ):
        assert line in status
    for attempt in (
        "os.setuid(0)",
        "os.setgid(0)",
        "os.chown('/tmp', 0, 0)",
        "os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))",
        "os.nice(-20)",
    ):
        assert value_of(await again(worker, attempt)).startswith(("PermissionError", "OSError")), (
            attempt
        )


async def test_limits_cant_be_raised(author: Author) -> None:
    worker = await author.start(TRY)

    for what in ("RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE"):
        got = value_of(
            await again(worker, f"import resource\nresource.setrlimit(resource.{what}, (-1, -1))")
        )
        assert got.startswith(("ValueError", "PermissionError")), got


async def test_a_fork_bomb_stays_small_and_leaves_nothing(author: Author) -> None:
    author.limits = type(author.limits)(memory_mib=256, processes=20)
    worker = await author.start(
        """
        import os, time
        def apply(x):
            count = 0
            try:
                while True:
                    if os.fork() == 0:
                        time.sleep(600)
                    count += 1
            except OSError:
                return count
        """
    )
    pid = worker.pid or 0

    assert value_of(await again(worker)) < 24
    assert not worker.usable
    await worker.stop()
    assert descendants(pid) == set()


@pytest.mark.parametrize("where", ["here", "in a child"])
async def test_a_memory_bomb_ends_as_out_of_memory(author: Author, where: str) -> None:
    author.limits = type(author.limits)(memory_mib=64)
    worker = await author.start(
        """
        import subprocess, sys
        BOMB = "x = [bytearray(8 << 20) for _ in range(500)]"
        def apply(where):
            if where == "here":
                exec(BOMB)
            else:
                subprocess.run([sys.executable, "-c", BOMB])
        """
    )

    failure = failure_of(await again(worker, where))

    assert failure.type == "OutOfMemoryError"
    assert "64 MiB" in failure.message or where == "here"


async def test_without_control_groups_memory_is_watched(
    writer: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.sandbox.cgroups.create", lambda _: None)
    writer.limits = type(writer.limits)(memory_mib=64)
    worker = await writer.start(
        """
        import os, time
        def apply(x):
            held = []
            for _ in range(3):
                if os.fork() == 0:
                    break
            for _ in range(40):
                held.append(os.urandom(1 << 20))
            time.sleep(600)
        """
    )

    failure = failure_of(await again(worker))

    assert failure.type == "OutOfMemoryError"


GARBAGE: dict[str, Any] = {
    "noise": "os.urandom(100_000)",
    "a frame too long": "b'\\xff\\xff\\xff\\xff\\x00\\x02{}'",
    "a header that is no object": "b'\\x00\\x00\\x00\\x04\\x00\\x02[]'",
    "a header that is not JSON": "b'\\x00\\x00\\x00\\x04\\x00\\x02{{'",
    "a kind that isn't": 'frame(b\'{"kind":"boo"}\')',
    "an answer to another run": 'frame(b\'{"kind":"result","id":99,"type":"text"}\')',
    "lists where numbers belong": 'frame(b\'{"kind":[],"id":{}}\')',
}


@pytest.mark.parametrize("bytes_", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_on_the_wire_ends_the_worker_and_nothing_else(
    writer: Author, bytes_: str
) -> None:
    worker = await writer.start(
        f"""
        import os, socket, struct, time
        def frame(head):
            return struct.pack(">IH", len(head) + 2, len(head)) + head
        def apply(x):
            for fd in range(3, 256):
                try:
                    with socket.socket(fileno=os.dup(fd)) as wire:
                        wire.send({bytes_})
                except OSError:
                    pass
            time.sleep(600)
        """
    )

    failure = failure_of(await again(worker))

    assert failure.type == "SystemError"
    assert not worker.usable


async def test_a_result_that_lies_about_itself_is_not_passed_on(writer: Author) -> None:
    worker = await writer.start(
        """
        import json, os, socket, struct, time
        def apply(x):
            head = json.dumps({"kind": "result", "id": 1, "type": "json"}).encode()
            body = b"{not json"
            frame = struct.pack(">IH", len(head) + 2 + len(body), len(head)) + head + body
            for fd in range(3, 256):
                try:
                    socket.socket(fileno=os.dup(fd)).send(frame)
                except OSError:
                    pass
            time.sleep(600)
        """
    )

    assert failure_of(await again(worker)).type == "ParsingError"


async def test_closing_every_file_ends_only_that_run(author: Author) -> None:
    worker = await author.start("import os\ndef apply(x): os.closerange(0, 256)")

    assert failure_of(await again(worker)).type == "SystemError"


async def test_a_daemon_left_behind_costs_the_worker(author: Author) -> None:
    worker = await author.start(
        """
        import os, subprocess
        def apply(x):
            subprocess.Popen("sleep 600 & ", shell=True, start_new_session=True).wait()
            return "done"
        """
    )
    pid = worker.pid or 0

    assert value_of(await again(worker)) == "done"
    assert not worker.usable
    await worker.stop()
    assert descendants(pid) == set()


async def test_a_daemon_started_from_a_thread_is_noticed_too(author: Author) -> None:
    worker = await author.start(
        """
        import subprocess, threading
        def apply(x):
            t = threading.Thread(target=lambda: subprocess.Popen(["sleep", "600"]))
            t.start()
            t.join()
        """
    )

    value_of(await again(worker))

    assert not worker.usable


async def test_a_thread_left_behind_costs_the_worker_but_idle_executors_dont(
    writer: Author,
) -> None:
    worker = await writer.start(
        """
        import threading, time
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        def apply(x):
            if x == "pool":
                return pool.submit(int, "7").result()
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        """
    )

    assert value_of(await again(worker, "pool")) == 7
    assert worker.usable
    value_of(await again(worker, "thread"))
    assert not worker.usable


async def test_helpers_that_load_started_may_stay(writer: Author) -> None:
    worker = await writer.start(
        "import subprocess\nhelper = subprocess.Popen(['sleep', '600'])\ndef apply(x): return x"
    )

    assert value_of(await again(worker, 1)) == 1
    assert worker.usable


async def test_a_finished_child_that_nobody_waited_for_is_no_leftover(writer: Author) -> None:
    worker = await writer.start(
        """
        import os, select, subprocess
        kept = []
        def apply(x):
            child = subprocess.Popen(["true"])
            kept.append(child)
            ended = select.poll()
            ended.register(os.pidfd_open(child.pid), select.POLLIN)
            ended.poll()
        """
    )

    value_of(await again(worker))

    assert worker.usable


async def test_stopping_ends_everything_at_once(author: Author) -> None:
    worker = await author.start(
        """
        import subprocess, time
        def apply(x):
            subprocess.Popen("trap '' TERM HUP INT; sleep 600", shell=True)
            time.sleep(600)
        """
    )
    pid = worker.pid or 0
    run = asyncio.create_task(again(worker))
    while len(descendants(pid)) < 3:
        await asyncio.sleep(0.01)

    await worker.stop()

    assert failure_of(await run).type == "SystemError"
    assert descendants(pid) == set()
    assert threading.active_count() < 50
