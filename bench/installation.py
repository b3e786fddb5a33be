"""A whole installation of ours, started and stopped for a measurement."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine() -> str:
    """The machine in a line."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "unknown",
    )  # fmt: skip
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Python {sys.version.split()[0]}"


@dataclass
class Installation:
    """One that runs."""

    home: Path
    port: int
    process: "subprocess.Popen[str]"
    ready_s: float

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its commands need."""
        return environment(self.home, self.port)

    def command(self, *words: str) -> str:
        """Run `algorium` on it; gives what it printed."""
        return subprocess.run(
            [sys.executable, "-m", "web.cli", *words], cwd=ROOT, env=self.environment, check=True,
            stdout=subprocess.PIPE, text=True,
        ).stdout.strip()  # fmt: skip

    def starter(self) -> dict[str, int]:
        """How far the starter catalog is."""
        with urllib.request.urlopen(f"{self.url}/readyz", timeout=10) as answer:
            return dict(json.load(answer)["starter"])

    def stop(self) -> float:
        """End it as Ctrl-C does; gives the seconds that it took."""
        began = time.perf_counter()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        return time.perf_counter() - began


def environment(home: Path, port: int, **more: str) -> dict[str, str]:
    """The environment of an installation."""
    return {
        **os.environ, "ALGORIUM_HOME": str(home), "ALGORIUM_PORT": str(port),
        "ALGORIUM_URL": f"http://127.0.0.1:{port}", **more,
    }  # fmt: skip


def start(home: Path, port: int, **more: str) -> Installation:
    """Start one and wait until it can serve calls."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "web.cli", "up"], cwd=ROOT, env=environment(home, port, **more),
        stdout=(home.parent / f"{home.name}.log").open("w"), stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    while True:
        if process.poll() is not None:
            raise SystemExit((home.parent / f"{home.name}.log").read_text())
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            break
        time.sleep(0.1)
    return Installation(home, port, process, time.perf_counter() - began)


@contextmanager
def installation(**more: str) -> Iterator[Installation]:
    """One in a new home, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="algorium-bench-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        running = start(home, free_port(), **more)
        try:
            yield running
        finally:
            running.stop()
