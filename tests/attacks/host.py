"""What there is to attack: files, services, memory and processes of the machine itself."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import web.cli
from execution.ray_head import head_command, token_file

MARK = "algorium-escape"  # in the name of whatever an attack would leave behind


class Host:
    """Targets, each of which is really there and reachable from outside of a sandbox."""

    def __init__(self, folder: Path, database: str) -> None:
        self.word = "swordfish-" + secrets.token_hex(8)
        self.folder = folder
        self.home = folder / "home"
        self.secret = folder / "secret.txt"
        self.secret.write_text(self.word)
        self.home.mkdir()
        (self.home / "secret").write_text(self.word)
        head_command(self.home, cpus=1)  # makes the token that joining Ray takes
        self.other_version = folder / "other" / "src" / "Other.py"
        self.other_version.parent.mkdir(parents=True)
        self.other_version.write_text(f"KEY = {self.word!r}\n")
        self.in_memory = Path("/dev/shm", f"{self.word}.host")
        self.in_memory.write_text(self.word)
        self.listeners = {
            "tcp": socket.create_server(("127.0.0.1", 0)),
            "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "file": socket.socket(socket.AF_UNIX),
            "abstract": socket.socket(socket.AF_UNIX),
        }
        with contextlib.suppress(OSError):
            self.listeners["tcp6"] = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.listeners["udp"].bind(("127.0.0.1", 0))
        self.listeners["file"].bind(str(folder / "socket"))
        self.listeners["abstract"].bind(f"\0{self.word}")
        for name, listener in self.listeners.items():
            if name in {"file", "abstract"}:
                listener.listen()
            listener.setblocking(False)  # noqa: FBT003
        self.victim = subprocess.Popen(
            [sys.executable, "-c", f"held = {self.word!r}; print(1, flush=True); input()"],
            env={"ALGORIUM_TEST_SECRET": self.word}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.victim.stdout is not None
        self.victim.stdout.readline()
        sockets = parse_qs(urlsplit(database).query)["host"][0]
        (self.database,) = Path(sockets).glob(".s.PGSQL.*[0-9]")

    def targets(self) -> dict[str, Any]:
        """What an attack is told of where to look; a real one would have to guess."""
        ports = {
            name: self.listeners[name].getsockname()[1] if name in self.listeners else 1
            for name in ("tcp", "udp", "tcp6")
        }
        return {
            "secret": str(self.secret),
            "home": str(self.home),
            "token": str(token_file(self.home)),
            "code": web.cli.__file__,
            "other_version": str(self.other_version),
            "folder": str(self.folder),
            "in_memory": str(self.in_memory),
            "socket": str(self.folder / "socket"),
            "abstract": self.word,
            "database": str(self.database),
            "victim": self.victim.pid,
            "platform": os.getpid(),
            "mark": MARK,
            "has_ipv6": "tcp6" in self.listeners,
            **ports,
        }

    def forget(self) -> None:
        """Take what an attack from outside left at the doors."""
        with contextlib.suppress(AssertionError):
            self.assert_nobody_knocked()

    def assert_unharmed(self) -> None:
        """Nothing was changed, reached, left behind, traced or ended."""
        assert self.secret.read_text() == self.word
        assert self.in_memory.read_text() == self.word
        assert self.other_version.read_text() == f"KEY = {self.word!r}\n"
        assert self.victim.poll() is None
        status = Path(f"/proc/{self.victim.pid}/status").read_text()
        assert "TracerPid:\t0\n" in status
        assert "State:\tT" not in status
        self.assert_nobody_knocked()
        for folder in (self.folder, tempfile.gettempdir(), "/dev/shm", "/var/tmp"):
            assert [n for n in os.listdir(folder) if MARK in n] == []  # noqa: PTH208

    def assert_nobody_knocked(self) -> None:
        knocked = []
        for name, listener in self.listeners.items():
            with contextlib.suppress(BlockingIOError):
                while True:
                    if name == "udp":
                        knocked.append((name, listener.recv(2000)))
                    else:
                        listener.accept()[0].close()
                        knocked.append((name, b""))
        assert knocked == []


@contextmanager
def a_host(folder: Path, database: str) -> Iterator[Host]:
    """A host that is gone afterwards."""
    host = Host(folder, database)
    before = os.environ.get("ALGORIUM_HOME")
    os.environ["ALGORIUM_HOME"] = str(host.home)
    os.environ["ALGORIUM_TEST_SECRET"] = host.word
    try:
        yield host
    finally:
        del os.environ["ALGORIUM_TEST_SECRET"]
        if before is None:
            del os.environ["ALGORIUM_HOME"]
        else:
            os.environ["ALGORIUM_HOME"] = before
        host.victim.kill()
        host.victim.communicate()
        host.in_memory.unlink()
        for listener in host.listeners.values():
            listener.close()
