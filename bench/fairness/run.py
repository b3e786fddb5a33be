"""What one account's many calls do to another's few, beside a plain Ray Serve deployment.

The quiet caller sends one call at a time, first alone, then while the busy one keeps 80 under
way, as many as an account may: of the same version, and of another one. Told is the quiet
caller's p95 once that has gone on for a while, and by how much the busy one raises it. The peer
has as many places as a version of ours has workers, and answers whoever came first.

    python -m bench.fairness.run
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.installation import Installation, installation, machine
from bench.overhead.run import peer

HERE = Path(__file__).parent
BUSY = 80
WORKS = ((20, 100), (200, 50), (1000, 40))  # ms of work, calls of the quiet caller
WORKS_OF_PEER = ((20, 20), (200, 10), (1000, 10))  # it answers in turn: each takes long
SETTLED_S = 15  # by then a version that needs replicas of its own has them
Call = Callable[[], Awaitable[None]]


class Caller:
    """Calls again and again over one connection."""

    def __init__(self, url: str, key: str, ms: int) -> None:
        place = url.removeprefix("http://")
        where, _, path = place.partition("/")
        self._host, self._port = where.split(":")
        body = str(ms)
        self._request = (
            f"POST /{path} HTTP/1.1\r\nHost: {where}\r\nAuthorization: {key}\r\nContent-Type: "
            f"application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    async def open(self) -> "Caller":
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        return self

    async def call(self) -> float:
        """Call once; gives the milliseconds that it took. Raises where it went wrong."""
        began = time.perf_counter()
        self._writer.write(self._request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = next(one for one in head.split(b"\r\n") if one.startswith(b"content-length"))
        body = await self._reader.readexactly(int(length.split(b":")[1]))
        if b" 200 " not in head.split(b"\r\n")[0] or b'"error"' in body:
            raise SystemExit(f"a call failed: {body!r}")
        return (time.perf_counter() - began) * 1000


async def quiet(url: str, key: str, ms: int, calls: int) -> float:
    """The p95 of one who calls one at a time, in ms."""
    caller = await Caller(url, key, ms).open()
    for _ in range(calls // 5):
        await caller.call()
    took = []
    for _ in range(calls):
        took.append(await caller.call())
        await asyncio.sleep(0.02)
    return sorted(took)[math.ceil(len(took) * 0.95) - 1]


async def beside(busy: str, busy_key: str, url: str, key: str, ms: int, calls: int) -> float:
    """The same while another keeps 80 calls under way."""

    over = asyncio.Event()

    async def again() -> None:
        caller = await Caller(busy, busy_key, ms).open()
        while not over.is_set():
            await caller.call()

    tasks = [asyncio.create_task(again()) for _ in range(BUSY)]
    await asyncio.sleep(SETTLED_S)
    try:
        return await quiet(url, key, ms, calls)
    finally:
        over.set()
        await asyncio.gather(*tasks)


def ours(running: Installation) -> list[tuple[str, int, float, float]]:
    """Our own system: the same version, and another one."""
    keys = {}
    for name in ("quiet", "busy"):
        running.command("users", "add", name)
        running.command("credits", "grant", name, "10000000")
        keys[name] = running.command("keys", "add", name)
        running.command("publish", str(HERE / "Nap"), "--owner", name)
    mine, other = (f"{running.url}/v1/algo/{name}/Nap" for name in ("quiet", "busy"))
    rows = []
    for ms, calls in WORKS:
        alone = asyncio.run(quiet(mine, keys["quiet"], ms, calls))
        for words, url in (("the same version", mine), ("another version", other)):
            together = asyncio.run(beside(url, keys["busy"], mine, keys["quiet"], ms, calls))
            rows.append((f"Algorium, {words}", ms, alone, together))
            print(rows[-1], flush=True)
    running.command("books", "verify")
    return rows


def plain() -> list[tuple[str, int, float, float]]:
    """Plain Ray Serve."""
    rows = []
    with peer("nap") as url:
        for ms, calls in WORKS_OF_PEER:
            alone = asyncio.run(quiet(url, "-", ms, calls))
            together = asyncio.run(beside(url, "-", url, "-", ms, calls))
            rows.append(("Ray Serve, one deployment", ms, alone, together))
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure all and write the table."""
    with installation(ALGORIUM_STARTER="0") as running:
        rows = ours(running)
    rows += plain()
    lines = [
        "| system | work ms | p95 alone, ms | p95 beside 80 calls, ms | times |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {ms} | {alone:.1f} | {together:.1f} | {together / alone:.2f} |"
            for name, ms, alone, together in rows
        ),
    ]
    text = (
        f"# Fairness\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}. One account keeps "
        f"{BUSY} calls under way, another sends one at a time: how much longer its calls take "
        "(95 of 100 are below).\n\n" + "\n".join(lines) + "\n"
    )
    print(text)
    (HERE / "table.md").write_text(text)


if __name__ == "__main__":
    main()
