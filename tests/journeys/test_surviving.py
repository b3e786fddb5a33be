"""Processes are killed, and nothing is lost: not a credit, not a call that was answered."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from bench.installation import Installation, free_port, start
from tests.journeys.conftest import call, new_key
from tests.journeys.test_publishing import project
from web.up import processes

PATIENCE_S = 90
SMALL = {"ALGORIUM_STARTER": "0", "ALGORIUM_CONCURRENCY": "500"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[list[Installation]]":
    """An installation without the starter catalog, to be mistreated; started anew when it died."""
    home = tmp_path_factory.mktemp("surviving") / "a home" / "deep"
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    kept = [start(home, free_port(), **SMALL)]
    yield kept
    kept[-1].stop()


def answers(installation: Installation, key: str) -> bool:
    try:
        body = call(installation, key, "owner/Double", 4).json()
    except (httpx.HTTPError, ValueError):
        return False
    return bool(body.get("result") == 8)


def until_it_answers(installation: Installation, key: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if answers(installation, key):
            return
        time.sleep(0.2)
    raise AssertionError((installation.home.parent / f"{installation.home.name}.log").read_text())


def find(home: Path, words: str) -> psutil.Process:
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if words in line and process.environ().get("ALGORIUM_HOME") == str(home):
                return process
        except psutil.Error:
            continue
    raise AssertionError(f"no process {words!r}")


def test_whatever_is_killed_comes_back(own: "list[Installation]", tmp_path: Path) -> None:
    installation = own[-1]
    key = new_key(installation, "owner")
    installation.command(
        "publish", str(project(tmp_path, "1.0.0", "def apply(x):\n    return 2 * x\n")),
        "--owner", "owner",
    )  # fmt: skip
    until_it_answers(installation, key)
    for words in ("web.cli serve", "web.cli worker"):
        find(installation.home, words).kill()
        until_it_answers(installation, key)
    assert installation.command("books", "verify") == "The books agree."


async def test_a_burst_of_500_against_credit_for_10(own: "list[Installation]") -> None:
    installation = own[-1]
    key = new_key(installation, "burst")
    # At 10 a call and a deadline of one second, 11 credits are set aside for each.
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=100)) as client:

        async def one() -> str:
            answer = await client.post(
                f"{installation.url}/v1/algo/owner/Double?timeout=989", json=4,
                headers={"Authorization": key},
            )  # fmt: skip
            body = answer.json()
            return str(body["result"] if "result" in body else body["error"]["error_type"])

        results = await asyncio.gather(*(one() for _ in range(500)))
    # 999 of 10,000 credits are set aside for each: never more than ten at once.
    assert set(results) <= {"8", "PaymentRequiredError"}
    assert results.count("8") >= 10
    assert installation.command("books", "verify") == "The books agree."


def test_everything_killed_at_once_is_recovered_by_the_next_start(
    own: "list[Installation]",
) -> None:
    installation = own[-1]
    key = installation.command("keys", "add", "owner")
    assert answers(installation, key)
    left = processes.marked(installation.home)
    assert left
    os.kill(installation.process.pid, signal.SIGKILL)
    for process in left:
        # Some end by themselves with those that they belong to.
        with suppress(psutil.NoSuchProcess):
            process.kill()
    installation.process.wait(30)
    again = start(installation.home, installation.port, **SMALL)
    own.append(again)
    until_it_answers(again, key)
    assert again.command("books", "verify") == "The books agree."


def test_an_orderly_stop_leaves_no_process(own: "list[Installation]") -> None:
    installation = own[-1]
    installation.stop()
    assert installation.process.returncode == 0
    assert processes.marked(installation.home) == []
    own.append(start(installation.home, installation.port, **SMALL))
