"""What a call may leave, and what it costs; how much room it has."""

import asyncio
import threading

from execution.sandbox.process import descendants
from tests.sandbox.authors import Author, again, failure_of, value_of

# Runs a statement and tells how it ended.
TRY = """
def apply(source):
    names = {}
    try:
        exec(source, globals(), names)
    except OSError as error:
        return "%s: %s" % (type(error).__name__, error)
    return names.get("got", "done")
"""


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
