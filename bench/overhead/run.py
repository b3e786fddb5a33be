"""What a call costs above the algorithm's own work, beside peers on the same echo.

Ours checks a key, holds credit, runs in a sandbox and settles durably; the peers only echo.
Each is started alone, warmed up, and loaded by the same tool at 1, 8 and 32 connections; then, where
it can, with 1 MiB of bytes a call; and ours with a call inside the call.

    python -m bench.overhead.run [seconds per measurement]
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from bench.installation import ROOT, free_port, installation, machine

HERE = Path(__file__).parent
CONNECTIONS = (1, 8, 32)
NAMES = {
    "serve": "Ray Serve, its HTTP proxy",
    "fastapi": "FastAPI + uvicorn",
    "litserve": "LitServe",
    "bentoml": "BentoML",
}
BINARY = {"serve", "fastapi"}
FEW_CONNECTIONS = (1, 8)
WARM_S = 3
Row = tuple[float, float, float, int, int]


def load(url: str, connections: int, seconds: int, key: str = "", kind: str = "json") -> Row:
    """p50 and p99 in ms, calls a second, calls, wrong answers."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
               "-s", str(HERE / "call.lua"), url, "--", kind, *([key] if key else [])]  # fmt: skip
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    parts = next(line for line in out.splitlines() if line.startswith("RESULT")).split()[1:]
    return float(parts[0]), float(parts[1]), float(parts[2]), int(parts[3]), int(parts[4])


def measure(url: str, seconds: int, key: str = "", kind: str = "json") -> list[Row]:
    """Warm up, then one row for each number of connections."""
    load(url, 8, WARM_S, key, kind)
    numbers = FEW_CONNECTIONS if kind == "binary" else CONNECTIONS
    return [load(url, connections, seconds, key, kind) for connections in numbers]


@contextmanager
def peer(name: str) -> Iterator[str]:
    """Start a peer and wait until it echoes."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.overhead.peers", name, str(port)], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    request = urllib.request.Request(url, b'"a"', {"Content-Type": "application/json"})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError):
            urllib.request.urlopen(request, timeout=5).close()
            break
        time.sleep(0.2)
    else:
        raise SystemExit(f"{name} did not start")
    try:
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if name in {"serve", "zero", "nap"}:
            subprocess.run([str(Path(sys.executable).with_name("ray")), "stop", "--force"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # fmt: skip


def ours(seconds: int) -> dict[str, list[Row]]:
    """Our own system, from a new home, with nothing switched off."""
    with installation(ALGORIUM_STARTER="0") as running:
        running.command("users", "add", "bench")
        running.command("credits", "grant", "bench", "100000000")
        key = running.command("keys", "add", "bench")
        for name in ("Echo", "Outer"):
            running.command("publish", str(HERE / name), "--owner", "bench")
        url = f"{running.url}/v1/algo/bench"
        rows = {
            "Algorium": measure(f"{url}/Echo", seconds, key),
            "Algorium, 1 MiB": measure(f"{url}/Echo?output=raw", seconds, key, "binary"),
            "Algorium, a call inside the call": measure(f"{url}/Outer", seconds, key),
        }
        running.command("books", "verify")
        return rows


def table(results: dict[str, list[Row]]) -> str:
    """The results as Markdown, with ratios to ours."""
    lines = [
        "| system | connections | p50 ms | p99 ms | calls/s | calls | wrong | p50 / ours | calls/s / ours |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in results.items():
        mine = results["Algorium, 1 MiB" if name.endswith("1 MiB") else "Algorium"]
        for connections, row, own in zip(CONNECTIONS, rows, mine, strict=False):
            lines.append(
                f"| {name} | {connections} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:,.0f} | "
                f"{row[3]:,} | {row[4]} | {row[0] / own[0]:.2f} | {row[2] / own[2]:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure all and write the table."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing. On Debian: apt-get install wrk")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    results = ours(seconds)
    print(results, flush=True)
    for name, shown in NAMES.items():
        with peer(name) as url:
            results[shown] = measure(url, seconds)
            if name in BINARY:
                results[f"{shown}, 1 MiB"] = measure(url, seconds, kind="binary")
        print(shown, results[shown], flush=True)
    text = (
        f"# Overhead\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}. {seconds} s each, one "
        "thread of wrk on the same machine. Algorium with key check, hold, sandbox and durable "
        "settlement; the peers echo only.\n\n" + table(results) + "\n"
    )
    print(text)
    (HERE / "table.md").write_text(text)


if __name__ == "__main__":
    main()
