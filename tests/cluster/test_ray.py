"""Calls through a real Ray."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from execution.applications import POOL, own_application
from execution.messages import Run
from execution.outcome import Artefact, ContentType, Outcome, Payload
from execution.ray_applications import RayApplications, deploy_pool
from execution.ray_cluster import RayCluster, directory_of
from execution.ray_head import driver_environment, head_command, temporary_folder, token_file
from tests.cluster.conftest import BOUNDS, SECRET, Installation

CODE = """
import os, time
def apply(x):
    print("seen", x)
    if x == "wait":
        open(WAITING, "w").close()
        time.sleep(600)
    if x == "slow":
        time.sleep(2)
    if x == "fail":
        raise ValueError("as asked")
    return x
"""


def written(folder: Path) -> Artefact:
    project = folder / "project"  # the folder that tests are given is closed to others
    (project / "src").mkdir(parents=True)
    (project / "src" / "Probe.py").write_text(CODE.replace("WAITING", "'/tmp/waiting'"))
    return Artefact(str(folder), "Probe", str(project), "")


async def call(
    cluster: RayCluster,
    artefact: Artefact,
    value: Any,
    *,
    timeout_s: float = 30,
    stdout: bool = True,
) -> Outcome:
    payload = Payload(ContentType.TEXT, value.encode())
    return await cluster.invoke(Run(artefact, payload, "c1", timeout_s, wants_stdout=stdout))


async def test_a_call_goes_all_the_way_and_back(cluster: RayCluster, tmp_path: Path) -> None:
    artefact = written(tmp_path)

    cold = await call(cluster, artefact, "hi")
    warm = await call(cluster, artefact, "hi", stdout=False)

    assert cold.result == warm.result == Payload(ContentType.TEXT, b"hi")
    assert (cold.cold, warm.cold) == (True, False)
    assert (cold.stdout, warm.stdout) == ("seen hi\n", "")
    assert warm.ran_ms > 0
    assert await cluster.ready()


async def test_failures_are_outcomes(cluster: RayCluster, tmp_path: Path) -> None:
    artefact = written(tmp_path)

    failed = await call(cluster, artefact, "fail")
    late = await call(cluster, artefact, "wait", timeout_s=0.5)

    assert failed.failure is not None
    assert (failed.failure.type, failed.failure.message) == ("AlgorithmError", "as asked")
    assert late.failure is not None
    assert late.failure.type == "TimeoutError"


async def test_an_unchanged_pool_is_left_alone(
    cluster: RayCluster, installation: Installation
) -> None:
    before = installation.replicas()

    again = RayApplications(directory_of(installation.home), secret=SECRET, bounds=BOUNDS)
    await asyncio.to_thread(deploy_pool, again, 1)

    assert len(before) == 1
    assert installation.replicas() == before


def test_joining_leaves_the_signal_handlers_alone(installation: Installation) -> None:
    assert installation.signals_kept


async def test_everything_listens_on_the_loopback_address_alone(
    installation: Installation,
) -> None:
    ours = [installation.head, *installation.head.children(recursive=True)]

    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in ours
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_the_token_is_this_users_alone(installation: Installation) -> None:
    home = installation.home
    first = token_file(home).read_text()

    head_environment = driver_environment(home)

    assert token_file(home).stat().st_mode & 0o777 == 0o600
    assert head_environment["RAY_AUTH_MODE"] == "token"
    assert token_file(home).read_text() == first


def test_two_installations_share_nothing(installation: Installation, tmp_path: Path) -> None:
    home = installation.home
    other, environment = head_command(tmp_path, cpus=1)
    mine = temporary_folder(home)

    assert str(mine) not in " ".join(other)
    assert environment["RAY_AUTH_TOKEN_PATH"] != str(token_file(home))
    assert len(str(mine)) < 40
    temporary_folder(tmp_path).parent.rmdir()


def test_another_ray_is_joined_where_one_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray.example:6379")

    assert "RAY_AUTH_MODE" not in driver_environment(tmp_path)


async def test_a_lost_replica_fails_its_calls_and_the_next_one_answers(
    cluster: RayCluster, installation: Installation, tmp_path: Path
) -> None:
    artefact = written(tmp_path)
    await call(cluster, artefact, "hi")
    (replica,) = installation.replicas()
    workers = {child.pid for child in replica.children(recursive=True)}
    waiting = asyncio.create_task(call(cluster, artefact, "wait"))
    again = Run(artefact, Payload(ContentType.TEXT, b"slow"), "c2", 60, idempotent=True)
    repeated = asyncio.create_task(cluster.invoke(again))
    runner = psutil.Process(max(workers))
    async with asyncio.timeout(20):
        while not Path(f"/proc/{runner.pid}/root/tmp/waiting").exists():
            await asyncio.sleep(0.02)

    replica.kill()

    lost = await waiting
    assert lost.failure is not None
    assert (lost.failure.type, "lost" in lost.failure.message) == ("SystemError", True)
    assert (await repeated).result == Payload(ContentType.TEXT, b"slow")
    after = await call(cluster, artefact, "hi")
    assert after.result == Payload(ContentType.TEXT, b"hi")
    async with asyncio.timeout(10):
        while any(psutil.pid_exists(pid) for pid in workers):
            await asyncio.sleep(0.02)


async def test_a_cancelled_call_ends_in_its_replica_too(
    cluster: RayCluster, installation: Installation, tmp_path: Path
) -> None:
    artefact = written(tmp_path)
    (replica,) = installation.replicas()
    others = set(replica.children(recursive=True))
    await call(cluster, artefact, "hi")
    worker = set(replica.children(recursive=True)) - others
    assert worker
    waiting = asyncio.create_task(call(cluster, artefact, "wait"))
    await asyncio.sleep(0.5)
    waiting.cancel()

    async with asyncio.timeout(10):
        while worker & set(replica.children(recursive=True)):
            await asyncio.sleep(0.05)
    assert (await call(cluster, artefact, "hi")).failure is None


async def test_a_version_of_its_own_application_runs_there_and_in_the_pool_after(
    installation: Installation, tmp_path: Path
) -> None:
    artefact = replace(written(tmp_path), version_id=str(uuid4()))
    own = own_application(artefact.version_id)
    applications = installation.applications
    cluster = RayCluster(installation.home, SECRET)
    assert (await call(cluster, artefact, "hi")).cold

    await applications.deploy(own, applications.wish(1))
    async with asyncio.timeout(60):
        # Until its replica is there the pool answers, warm; its own begins cold.
        while not (answer := await call(cluster, artefact, "hi")).cold:
            assert answer.failure is None
            await asyncio.sleep(0.1)
    found = await applications.found()
    assert (found[own].wish, found[own].running) == (applications.wish(1), 1)
    assert found[POOL].running == 1
    async with asyncio.timeout(20):
        while not (await applications.loads()).get(artefact.version_id):
            await call(cluster, artefact, "hi")

    await applications.remove(own)
    async with asyncio.timeout(60):
        while own in await applications.found():
            assert (await call(cluster, artefact, "hi")).failure is None
            await asyncio.sleep(0.1)
    assert (await call(cluster, artefact, "hi")).failure is None
    cluster.close()


async def test_a_call_for_hardware_that_never_comes_is_known_meanwhile_and_says_so(
    cluster: RayCluster, installation: Installation, tmp_path: Path
) -> None:
    artefact = replace(written(tmp_path), version_id=str(uuid4()))
    run = Run(artefact, Payload(ContentType.TEXT, b"hi"), "c4", 3, hardware="gpu")
    waiting = asyncio.create_task(cluster.invoke(run))
    while not (await installation.applications.loads()).get(artefact.version_id):
        assert not waiting.done()
        await asyncio.sleep(0.05)
    failure = (await waiting).failure
    assert failure is not None
    assert failure.type == "TimeoutError"
    assert "1 GPU, 2 CPUs, 16 GiB" in failure.message
