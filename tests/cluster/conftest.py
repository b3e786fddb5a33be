"""One Ray for all of these tests."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from execution import ray_cluster
from execution.applications import POOL
from execution.pool import Bounds
from execution.ray_applications import RayApplications, deploy_pool
from execution.ray_cluster import RayCluster
from execution.ray_head import head_command, temporary_folder

SECRET = b"what gateways know"
BOUNDS = Bounds(slots=4)


@dataclass
class Installation:
    """A home whose Ray head runs, which this process has joined, with the pool deployed."""

    home: Path
    applications: RayApplications
    head: psutil.Process
    signals_kept: bool

    def replicas(self) -> list[psutil.Process]:
        """The replicas of its pool, and of no other installation's."""
        return [
            process
            for process in self.head.children(recursive=True)
            if f"ServeReplica:{POOL}:" in " ".join(process.cmdline())
        ]


def _handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """The installation of all of these tests."""
    with tempfile.TemporaryDirectory(prefix="algorium-cluster-") as folder:
        home = Path(folder)
        before = dict(os.environ)
        os.environ.pop("RAY_ADDRESS", None)
        command, environment = head_command(home, cpus=2)
        head = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
        try:
            handlers = _handlers()
            ray_cluster.connect(home)
            applications = RayApplications(
                ray_cluster.directory_of(home), secret=SECRET, bounds=BOUNDS
            )
            deploy_pool(applications, 1)
            yield Installation(
                home, applications, psutil.Process(head.pid), _handlers() == handlers
            )
            ray_cluster.disconnect()
        finally:
            head.send_signal(signal.SIGTERM)
            head.wait(30)
            shutil.rmtree(temporary_folder(home).parent, ignore_errors=True)
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture
async def cluster(installation: Installation) -> AsyncIterator[RayCluster]:
    """The cluster as a gateway has it."""
    made = RayCluster(installation.home, SECRET)
    yield made
    made.close()
