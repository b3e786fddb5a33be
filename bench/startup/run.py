"""How long a start takes from a warm package cache, what a second one takes, what idling weighs.

A fresh copy of the checkout, a new home: `make up` until calls can be served; the starter
catalog; Ctrl-C; `make up` again.

    python -m bench.startup.run
"""

import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.installation import ROOT, environment, free_port, machine

HERE = Path(__file__).parent


def up(checkout: Path, home: Path, port: int) -> tuple["subprocess.Popen[bytes]", float]:
    """Start; gives the process and the seconds until calls could be served."""
    began = time.perf_counter()
    process = subprocess.Popen(
        ["make", "up"], cwd=checkout, env=environment(home, port), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while True:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            return process, time.perf_counter() - began
        if process.poll() is not None:
            raise SystemExit("it did not start")
        time.sleep(0.1)


def all_live(port: int) -> float:
    """Wait for the starter catalog; gives the seconds."""
    began = time.perf_counter()
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            starter = re.findall(r'"(\w+)":\s*(\d+)', answer.read().decode())
        counts = {name: int(number) for name, number in starter}
        if counts["live"] + counts["failed"] == counts["total"]:
            return time.perf_counter() - began
        time.sleep(0.5)


def weight_mib(home: Path) -> tuple[float, int]:
    """Proportional memory of every process of this installation, in MiB, and how many."""
    total, count = 0, 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("ALGORIUM_HOME") == str(home) or (
                "postgres" in process.name() and process.environ().get("ALGORIUM_INSTANCE")
            ):
                total += process.memory_full_info().pss
                count += 1
    return total / 2**20, count


def stop(process: "subprocess.Popen[bytes]") -> float:
    """End it as Ctrl-C does; gives the seconds."""
    began = time.perf_counter()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    return time.perf_counter() - began


def main() -> None:
    """Measure and write the table."""
    with tempfile.TemporaryDirectory(prefix="algorium-bench-") as folder:
        checkout, home, port = Path(folder, "checkout"), Path(folder, "home"), free_port()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
        process, first = up(checkout, home, port)
        catalog = all_live(port)
        time.sleep(10)
        weight, processes = weight_mib(home)
        first_stop = stop(process)
        process, second = up(checkout, home, port)
        stop(process)
    text = f"""# Start

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}. Warm package cache, fresh clone, new home.

| what | measured | at most |
|---|---|---|
| first start, `make up` until calls can be served | {first:.1f} s | 120 s |
| after that, the whole starter catalog live | {catalog:.1f} s | |
| Ctrl-C until every process is gone | {first_stop:.1f} s | |
| second start | {second:.1f} s | 25 s |
| memory of the idle stack ({processes} processes, proportional) | {weight:.0f} MiB | 1,536 MiB |
"""
    print(text)
    (HERE / "table.md").write_text(text)


if __name__ == "__main__":
    main()
