"""A whole installation starts, stops without a trace, and recovers from any killing.

The cluster, the worker and the site are stand-ins here; `tests/cluster` has the real ones.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from web.up import database_files, processes

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
READY = "Algorium is ready at"


class Run:
    """One `algorium up` and what it printed."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.output = home.with_name(f"{home.name}.{time.monotonic_ns()}.out")
        hidden = ("OIDC_", "GITHUB_", "GOOGLE_", "ALGORIUM_", "DATABASE_URL", "RAY_ADDRESS")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        environment |= {"ALGORIUM_HOME": str(home), "ALGORIUM_PORT": str(port)}
        environment["PYTHONPATH"] = str(ROOT)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, STAND_IN], env=environment, stdout=output, stderr=output, cwd="/"
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, times: int = 1) -> None:
        wait_for(lambda: self.said.count(words) >= times, lambda: self.said)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def wait_for(condition: Callable[[], bool], told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def left_by(home: Path) -> list[psutil.Process]:
    database = processes.working_in(database_files.layout(home).data)
    found = []
    for process in (*processes.marked(home), *database):
        with suppress(psutil.NoSuchProcess):
            process.info = process.as_dict(["name"])
            found.append(process)
    return found


def child(home: Path, words: str) -> psutil.Process:
    """The one process of the installation with these words in its command."""
    return next(p for p in processes.marked(home) if words in " ".join(p.cmdline()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """An installation that the tests of this file share, since a start takes longest."""
    run = Run(tmp_path_factory.mktemp("up") / "a home with spaces", free_port())
    run.wait_for(READY)
    yield run
    assert run.stop(signal.SIGINT) == 0
    assert left_by(run.home) == []
    database_files.remove(run.home)


def test_it_tells_its_phases_and_what_to_do_next(running: Run) -> None:
    running.wait_for("Starter catalog: 2 of 3 algorithms live, 1 failed")
    for words in ("checking this machine", "starting the database", f":{running.port}"):
        assert words in running.said
    assert "sign in as alice, bob or carol" in running.said


def test_a_second_start_of_one_home_is_refused(running: Run) -> None:
    second = Run(running.home, running.port)
    assert second.process.wait(30) == 2
    assert f"runs already (process {running.process.pid})" in second.said
    assert running.process.poll() is None


def test_a_part_that_dies_is_started_again(running: Run) -> None:
    child(running.home, "http.server").kill()
    running.wait_for("The web server ended (signal 9); it is started again")
    child(running.home, "bin/postgres").kill()
    running.wait_for("The database ended (signal 9); it is started again")
    running.wait_for("Algorium is ready again")
    child(running.home, "echo working").kill()
    running.wait_for("Algorium is ready again", times=2)


def test_whatever_is_killed_the_next_start_has_the_data(home: Path) -> None:
    run = Run(home, free_port())
    run.wait_for(READY)
    made = (database_files.layout(home).data / "PG_VERSION").stat().st_mtime_ns

    # The supervisor alone: its children end by themselves, but for what those started.
    run.process.kill()
    run.process.wait()
    wait_for(lambda: {p.info["name"] for p in left_by(home)} <= {"sleep"})
    run = Run(home, run.port)
    run.wait_for(READY)

    # All of them at once.
    for process in (psutil.Process(run.process.pid), *left_by(home)):
        process.kill()
    run.process.wait()
    run = Run(home, run.port)
    run.wait_for(READY)

    assert run.stop() == 0
    assert run.said.endswith("Stopped.\n")
    assert left_by(home) == []
    assert (database_files.layout(home).data / "PG_VERSION").stat().st_mtime_ns == made


def test_a_port_in_use_is_told_before_anything_starts(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        run = Run(home, other.getsockname()[1])
        assert run.process.wait(30) == 2
    assert "set ALGORIUM_PORT to a free port" in run.said
    assert "Traceback" not in run.said
    assert "starting" not in run.said
