"""One Ray for all of these tests."""

import os
import shutil
import signal
import subprocess
import sys
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
from execution.ray_head import (
    ADDRESS_FILE,
    head_command,
    node_environment,
    temporary_folder,
)

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
        command, environment = head_command(home, cpus=2, gpus=0)
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


# Ray's own command refuses a second machine at the loopback address.
NODE = """
import sys
from ray._private.node import Node
from ray._private.parameter import RayParams
Node(
    RayParams(
        gcs_address=sys.argv[1], node_ip_address="127.0.0.1", num_cpus=2, num_gpus=1,
        memory=16 * 2**30, object_store_memory=100 * 2**20, min_worker_port=0, max_worker_port=0,
        dashboard_agent_listen_port=0, include_log_monitor=False,
    ),
    head=False, shutdown_at_exit=True, spawn_reaper=False,
)
sys.stdin.read()
"""


@pytest.fixture
def gpu_node(installation: Installation) -> Iterator[psutil.Process]:
    """A second machine of the cluster, with a GPU that is only declared; ends with its input."""
    address = (temporary_folder(installation.home) / ADDRESS_FILE).read_text().strip()
    environment = {**os.environ, **node_environment(installation.home)}
    command = [sys.executable, "-P", "-c", NODE, address]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as node:
        yield psutil.Process(node.pid)
        assert node.stdin is not None
        node.stdin.close()
        node.wait(30)


@pytest.fixture
async def cluster(installation: Installation) -> AsyncIterator[RayCluster]:
    """The cluster as a gateway has it."""
    made = RayCluster(installation.home, SECRET)
    yield made
    made.close()
