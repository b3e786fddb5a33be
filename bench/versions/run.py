"""What many live versions cost: cold calls, random calls over 10, 100, 1,000, memory of a warm one.

One Echo is published as anybody would; its copies are entered by the catalog's own functions,
with sources of their own, since a thousand builds would be measured elsewhere. A plain Ray
Serve deployment that scales from zero is the peer of the cold call.

    python -m bench.versions.run [seconds per measurement]
"""

import asyncio
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
from sqlmodel import select

from bench.installation import Installation, installation, machine
from bench.overhead.run import peer
from catalog import service
from catalog.models import Version
from catalog.service import Built
from core import db
from core.accounts.models import Account
from execution.builds import places
from execution.builds.source import read_project
from web.up.postgres import database_url

HERE = Path(__file__).parent
ECHO = HERE.parent / "overhead" / "Echo"
PUBLISHED = 5_000
LIVE = (10, 100, 200, 1_000)
COLD = 20


async def copy(running: Installation) -> None:
    """Enter Echo0 to Echo4999, built like the one that was published."""
    draft = read_project(ECHO).draft
    async with db.connected(database_url(running.home)) as sessions:
        async with sessions() as session:
            owner = (await session.scalars(select(Account).where(Account.name == "bench"))).one()
            real = (await session.scalars(select(Version))).one()
        built = Built(real.environment_digest, real.sample_output_type, real.sample_output)
        source = places.source_of(running.home, real.id)
        for first in range(0, PUBLISHED, 100):
            async with sessions.begin() as session:
                for n in range(first, first + 100):
                    named = replace(draft, name=f"Echo{n}")
                    _, version = await service.submit_version(session, owner.id, named)
                    await service.go_live(session, version.id, named, built)
                    place = places.source_of(running.home, version.id)
                    shutil.copytree(source, place)
                    (place / "src" / "Echo.py").rename(place / "src" / f"Echo{n}.py")


def load(url: str, connections: int, seconds: int, key: str, count: int) -> list[str]:
    """p50 and p99 in ms, calls a second, calls, wrong answers."""
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "call.lua"), url,
         "--", key, str(count)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return next(line for line in out.splitlines() if line.startswith("RESULT")).split()[1:]


def cold_ms(url: str, key: str) -> Iterator[float]:
    """Call versions that nobody has called, one after another."""
    with httpx.Client(headers={"Authorization": key}) as client:
        client.post(f"{url}/v1/algo/bench/Echo", json="warm").raise_for_status()
        for n in range(PUBLISHED - COLD, PUBLISHED):
            began = time.perf_counter()
            answer = client.post(f"{url}/v1/algo/bench/Echo{n}", json="hello")
            yield (time.perf_counter() - began) * 1000
            assert answer.json()["result"] == "hello", answer.text


def sandboxes(home: Path) -> tuple[int, float]:
    """How many warm workers there are, and what they hold together, in MiB."""
    count, held = 0, 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if "/runner/" in line and "--args" not in line:
                above = process.parents()
                if any(one.environ().get("ALGORIUM_HOME") == str(home) for one in above[:4]):
                    count += 1
                    held += process.memory_full_info().pss
    return count, held / 2**20


def main() -> None:
    """Measure and write the table."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    rows = []
    with installation(ALGORIUM_STARTER="0") as running:
        running.command("users", "add", "bench")
        running.command("credits", "grant", "bench", "100000000")
        key = running.command("keys", "add", "bench")
        running.command("publish", str(ECHO), "--owner", "bench")
        asyncio.run(copy(running))
        cold = sorted(cold_ms(running.url, key))
        for live in LIVE:
            load(running.url, 8, 3 + live // 50, key, live)
            p50, p99, rate, calls, wrong = load(running.url, 8, seconds, key, live)
            warm, held = sandboxes(running.home)
            rows.append(
                f"| {live:,} | {float(p50):.2f} | {float(p99):.1f} | {float(rate):,.0f} | "
                f"{int(calls):,} | {wrong} | {warm} | {held / max(1, warm):.1f} |"
            )
            print(rows[-1], flush=True)
        running.command("books", "verify")
    with peer("zero") as url, httpx.Client(timeout=60) as client:
        from_zero = []
        for _ in range(3):
            time.sleep(8)
            began = time.perf_counter()
            client.post(url, json="a").raise_for_status()
            from_zero.append((time.perf_counter() - began) * 1000)
    text = (
        f"# Many versions\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}. {PUBLISHED:,} "
        f"versions published, random calls over 8 connections for {seconds} s each.\n\n"
        "| called at random | p50 ms | p99 ms | calls/s | calls | wrong | warm workers | MiB each |\n"
        "|---|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        "| cold call | p50 ms | slowest ms | n | at most |\n|---|---|---|---|---|\n"
        f"| Algorium, a built version that was never called | {statistics.median(cold):.0f} | "
        f"{cold[-1]:.0f} | {COLD} | 150 |\n"
        f"| Ray Serve, a deployment at zero replicas | {statistics.median(from_zero):,.0f} | "
        f"{max(from_zero):,.0f} | {len(from_zero)} | |\n"
    )
    print(text)
    (HERE / "table.md").write_text(text)


if __name__ == "__main__":
    main()
