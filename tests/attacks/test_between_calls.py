"""What one call leaves for the next one of the same version, and what goes on in between."""

import asyncio

import pytest

from execution.bounds import Bounds
from execution.outcome import Failure
from execution.pool import Pool
from execution.sandbox import usage
from execution.sandbox.process import descendants
from execution.sandbox.worker import Worker
from tests.attacks.attack import LIMITS, NAME, Attack
from tests.sandbox.authors import Author, again, as_payload, value_of

LEAVE = """
import os, socket, stat
def leave(kind):
    if kind == "names":
        for name in (".hidden", "new\\nline", b"\\xff\\xfe", "-rf", "x" * 255):
            open(os.path.join(os.fsencode("/tmp"), os.fsencode(name)), "w").write("a caller's")
    elif kind == "deep":
        for _ in range(300):
            os.mkdir("y" * 100)
            os.chdir("y" * 100)
        open("data", "w").write("a caller's")
        os.chdir("/tmp")
    elif kind == "closed":
        os.makedirs("/tmp/closed/inner")
        open("/tmp/closed/inner/data", "w").write("a caller's")
        os.chmod("/tmp/closed", 0)
    elif kind == "links":
        os.symlink("/usr/bin", "/tmp/link")
        os.symlink("/tmp/link", "/tmp/loop")
        os.mkfifo("/dev/shm/fifo")
        socket.socket(socket.AF_UNIX).bind("/dev/shm/socket")
    else:
        open("/dev/shm/data", "w").write("a caller's")
def apply(kind):
    if kind != "look":
        leave(kind)
    return [[ascii(name) for name in os.listdir(top)] for top in ("/tmp", "/dev/shm")]
"""


@pytest.mark.parametrize("kind", ["names", "deep", "closed", "links", "shared"])
async def test_the_next_caller_finds_no_file_of_the_last(author: Author, kind: str) -> None:
    artefact = author.write(LEAVE)
    pool = Pool(Bounds(), LIMITS, make=lambda: Worker(way=author.way))
    for _ in range(3):  # at once after each other, within one step of the folders' times
        left = await pool.run(artefact, as_payload(kind), timeout_s=20)
        assert value_of(left) != [[], []]
        found = await pool.run(artefact, as_payload("look"), timeout_s=20)
        assert value_of(found) == [[], []]
    await pool.close()


async def test_files_that_loading_left_stay_while_those_of_calls_go(author: Author) -> None:
    worker = await author.start(
        "import os\nos.mkdir('/tmp/model')\nopen('/tmp/model/x', 'w').write('loaded')\n"
        "def apply(name):\n    open(f'/tmp/model/{name}', 'w')\n    return os.listdir('/tmp/model')"
    )

    assert sorted(value_of(await again(worker, "a"))) == ["a", "x"]
    assert sorted(value_of(await again(worker, "b"))) == ["b", "x"]


WORKS_ON = {
    "after an answer written by hand": """
        wires()[0].sendall(frame({"kind": "result", "id": 1, "type": "text"}, b"done"))
        while True:
            pass
        """,
    "in a thread that Python doesn't know": """
        import _thread
        def spin():
            while True:
                pass
        _thread.start_new_thread(spin, ())
        return "done"
        """,
    "by a process that comes later": """
        wires()[0].sendall(frame({"kind": "result", "id": 1, "type": "text"}, b"done"))
        time.sleep(0.2)
        subprocess.run(["sleep", "600"])
        """,
}


@pytest.mark.parametrize("code", WORKS_ON.values(), ids=WORKS_ON)
async def test_what_works_on_after_the_call_is_ended(
    author: Author, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_LOOK_S", 0.3)
    worker = await author.start("", name=NAME, files=Attack("works on", code, plain=True).files())
    pid = worker.pid or 0

    assert value_of(await again(worker, {})) == "done"
    async with asyncio.timeout(20):
        while worker.usable:
            await asyncio.sleep(0.05)
    await worker.stop()
    assert descendants(pid) == set()


async def test_memory_taken_after_the_call_is_noticed_without_control_groups(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_LOOK_S", 0.1)
    monkeypatch.setattr("execution.sandbox.cgroups.create", lambda _: None)
    code = """
        wires()[0].sendall(frame({"kind": "result", "id": 1, "type": "text"}, b"done"))
        time.sleep(0.2)
        held = os.urandom(200 << 20)
        time.sleep(600)
        """
    worker = await author.start("", name=NAME, files=Attack("later", code, plain=True).files())

    assert value_of(await again(worker, {})) == "done"
    async with asyncio.timeout(20):
        while worker.usable:
            await asyncio.sleep(0.05)


async def test_a_worker_that_waits_is_left_alone(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_LOOK_S", 0.05)
    worker = await author.start(
        "import threading, time, subprocess\n"
        "helper = subprocess.Popen(['sleep', '600'])\n"
        "def wait():\n    while True:\n        time.sleep(0.05)\n"
        "threading.Thread(target=wait, daemon=True).start()\n"
        "def apply(x): return sum(range(2_000_000))"
    )

    for _ in range(4):
        assert value_of(await again(worker)) == sum(range(2_000_000))
        await asyncio.sleep(0.2)
    assert worker.usable


async def test_a_pool_goes_on_after_a_bomb(author: Author) -> None:
    bomb = author.write("def apply(x): return len([bytearray(8 << 20) for _ in range(500)])",
                        name="Bomb", memory_mib=64)  # fmt: skip
    shout = author.write("def apply(x): return x.upper()", name="Shout")
    pool = Pool(Bounds(), LIMITS, make=lambda: Worker(way=author.way))

    calls = [(bomb, "x"), (shout, "a"), (bomb, "x"), (shout, "b")]
    outcomes = await asyncio.gather(
        *(pool.run(what, as_payload(given), timeout_s=20) for what, given in calls)
    )
    for outcome in outcomes[::2]:
        assert isinstance(outcome.failure, Failure)
        assert outcome.failure.type == "OutOfMemoryError"
    assert [value_of(outcome) for outcome in outcomes[1::2]] == ["A", "B"]
    await pool.close()
