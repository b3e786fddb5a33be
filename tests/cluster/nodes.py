"""A Ray cluster of several nodes on one machine: each with an address and a home of its own."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from execution.ray_head import node_command, temporary_folder

PATIENCE_S = 120
TRIES = 3


class Ended(Exception):
    """A process ended that was to say something."""


@dataclass
class Node:
    """One of them."""

    home: Path
    address: str
    process: "subprocess.Popen[bytes]"

    def tree(self) -> list[psutil.Process]:
        """Everything that runs on it."""
        with suppress(psutil.NoSuchProcess):
            return [
                *psutil.Process(self.process.pid).children(recursive=True),
                psutil.Process(self.process.pid),
            ]
        return []

    def kill(self) -> None:
        """Cut its power."""
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(30)

    def versions(self) -> set[str]:
        """The versions whose files are there."""
        return {
            place.name for place in (self.home / "builds" / "versions").glob("*") if place.is_dir()
        }


@dataclass
class Nodes:
    """A cluster. `environment` is what its nodes and whoever joins it are told."""

    folder: Path
    environment: Mapping[str, str]
    head: str = ""
    # So that clusters of several runs never meet.
    network: str = field(
        default_factory=lambda: f"127.{os.getpid() % 200 + 20}.{secrets.randbelow(200) + 20}"
    )
    there: list[Node] = field(default_factory=list)

    def add(self, *, cpus: int = 1, gpus: int = 0, memory_mib: int = 0) -> Node:
        """Start a node, the first one as the head, and wait for it.

        Its GPUs are only declared, and so is its memory where it is said.
        """
        number = len(self.there) + 1
        home, address = self.folder / f"node-{number}", f"{self.network}.{number}"
        home.mkdir(mode=0o755)
        command, environment = node_command(home, self.head, cpus=cpus, gpus=gpus)
        command += [f"--memory={memory_mib * 2**20}"] if memory_mib else []
        if not self.head:
            command = [part for part in command if not part.startswith("--address=")]
            command += ["--head", "--port=0", "--include-dashboard=false", "--no-monitor"]
        told = {**os.environ, **self.environment, **environment, "ALGORIUM_HOME": str(home)}
        for _ in range(TRIES):
            with (home / "log").open("wb") as log:
                process = subprocess.Popen(
                    [*command, f"--node-ip-address={address}"],
                    env=told, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            node = Node(home, address, process)
            self.there.append(node)
            # Ray gives a node half a minute to start, which a busy machine may not keep.
            with suppress(Ended):
                written(home / "log", process, "will now block forever")
                break
            self.there.remove(node)
        else:
            raise AssertionError((home / "log").read_text())
        if not self.head:
            self.head = written(temporary_folder(home) / "ray_current_cluster", process)
        return node

    def close(self) -> None:
        """End all of it."""
        for node in self.there:
            node.kill()
            shutil.rmtree(temporary_folder(node.home).parent, ignore_errors=True)


def written(file: Path, process: "subprocess.Popen[bytes]", words: str = r"\S+") -> str:
    """Wait until a file says something, and give what."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            if found := re.search(words, file.read_text()):
                return found[0]
        if process.poll() is not None:
            raise Ended(file)
        time.sleep(0.05)
    raise AssertionError(f"{file} says nothing")


@contextmanager
def bucket(folder: Path) -> Iterator[Mapping[str, str]]:
    """Serve a folder as an object store; gives the environment of those who use it."""
    program = Path(sys.executable).with_name("rclone")
    (folder / "bucket").mkdir(parents=True)
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                str(program), "serve", "s3", str(folder), "--addr", "127.0.0.1:0",
                "--auth-key", f"{key},{secret}", "--config", "/dev/null",
            ],
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        address = written(log, process, r"http://127\.0\.0\.1:\d+")
        yield {
            "DATA_URL": "s3://bucket/algorium",
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def without_ray() -> Iterator[None]:
    """Forget what another cluster's tests told this process."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("RAY_")}
    try:
        yield
    finally:
        os.environ.update(kept)
