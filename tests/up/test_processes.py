"""Children log within bounds, end with their parent, and are found again by their mark."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from web.up import instance, processes, services
from web.up.errors import CannotStart
from web.up.services import Service

SLEEP = ["/bin/sleep", "60"]


def marked_environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], instance.MARK: instance.fingerprint(home)}


def spawn(home: Path, command: list[str]) -> subprocess.Popen[bytes]:
    home.mkdir(exist_ok=True)
    log = processes.log_file(home, "child")
    return processes.spawn(command, env=marked_environment(home), log=log, cwd=home)


def wait_for(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_leftovers_are_found_with_all_they_started_and_ended(home: Path) -> None:
    shell = spawn(home, ["/bin/sh", "-c", "env -i setsid sleep 61 & sleep 61"])
    wait_for(lambda: len(processes.marked(home)) == 3)

    assert processes.end(processes.marked(home), patience=processes.within(5))

    assert processes.marked(home) == []
    assert shell.wait() == -signal.SIGTERM


def test_helpers_without_a_mark_are_found_by_their_session(home: Path) -> None:
    # The inner shell ends at once, so that its helper is nobody's child, and has no mark.
    shell = spawn(home, ["/bin/sh", "-c", "(env -i sleep 62 &); exec sleep 62"])
    wait_for(lambda: len(processes.marked(home)) == 2)
    processes.end(processes.marked(home), patience=processes.within(5))
    shell.wait()
    assert processes.marked(home) == []


def test_another_homes_processes_are_left_alone(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    theirs = spawn(other, SLEEP)
    ours = spawn(home, SLEEP)
    wait_for(lambda: len(processes.marked(home)) == 1)

    processes.end(processes.marked(home), patience=processes.within(5))

    assert ours.wait() == -signal.SIGTERM
    assert theirs.poll() is None
    processes.end(processes.marked(other), patience=processes.within(5))
    theirs.wait()


def test_who_does_not_end_when_asked_is_killed(home: Path) -> None:
    deaf = spawn(home, ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    wait_for(lambda: (home / "logs" / "child.log").read_text() == "ready\n")

    assert not processes.end(processes.session(deaf.pid), patience=processes.within(0.3))

    assert deaf.wait() == -signal.SIGKILL


def test_a_child_ends_when_its_parent_is_killed(home: Path) -> None:
    home.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from web.up import processes\n"
        "log = Path(sys.argv[1], 'log')\n"
        "child = processes.spawn(['/bin/sleep', '63'], env={}, log=log, cwd=log.parent)\n"
        "print(child.pid, flush=True)\n"
        "import time\n"
        "while 'sleep' not in Path(f'/proc/{child.pid}/comm').read_text(): time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home)], check=False, capture_output=True, text=True
    )
    child = int(done.stdout)
    wait_for(
        lambda: (
            not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        )
    )


def test_a_log_that_grew_large_is_moved_aside_twice_at_most(home: Path) -> None:
    home.mkdir()
    for number in range(5):
        log = processes.log_file(home, "child")
        assert not log.exists()
        with log.open("wb") as file:
            file.truncate(9 * 2**20)
            file.seek(0)
            file.write(b"%d" % number)
    processes.log_file(home, "child")

    logs = sorted((home / "logs").iterdir())
    assert [log.name for log in logs] == ["child.log.1", "child.log.2"]
    assert [log.read_bytes()[:1] for log in logs] == [b"4", b"3"]


def test_the_line_that_tells_most_is_given_as_the_reason(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert processes.reason(log) == "nothing"
    log.write_text("LOG: hello\nFATAL: no room\nLOG: bye\n\n")
    assert processes.reason(log) == "FATAL: no room"


def test_a_child_that_keeps_ending_is_given_up_with_its_log(home: Path) -> None:
    home.mkdir()
    log = processes.log_file(home, "child")
    log.write_text("Error: no such module\n")
    service = Service("worker", log, lambda: spawn(home, ["/bin/false"]))
    for _ in range(4):
        service.start()
        wait_for(lambda: service.has_ended)
        assert "status 1" in service.bury()
        services.end([service], processes.within(0))
        assert not service.is_due
    service.start()
    wait_for(lambda: service.has_ended)

    with pytest.raises(CannotStart, match="ended 5 times") as given_up:
        service.bury()
    assert str(log) in given_up.value.way_out
    assert "no such module" in given_up.value.way_out
