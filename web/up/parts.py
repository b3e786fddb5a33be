"""What an installation is made of, and what each part is told."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import core.db
from core.settings import Settings
from execution.ray_head import head_command
from web.up import instance, postgres, processes, sign_in
from web.up.services import Service

# Children are started here, so that `python -m` finds our packages wherever they lie.
_CODE = Path(__file__).resolve().parents[2]


class Parts:
    """The services of one installation. Those of the `site` need all of the `base`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._postgres: postgres.Postgres | None = None
        # What every child is told; starting one adds what the later ones must know of it.
        self._environment = {
            **os.environ,
            instance.MARK: instance.fingerprint(settings.home),
            "ALGORIUM_HOME": str(settings.home),
            "ALGORIUM_HOST": settings.host,
            "ALGORIUM_PORT": str(settings.port),
            "ALGORIUM_URL": settings.url,
        }
        logs = settings.home / "logs"
        self.cluster = Service("cluster", logs / "ray.log", self._launch_cluster)
        self.database = Service("database", logs / "postgres.log", self._launch_database)
        sign = Service("development sign-in", logs / "sign-in.log", self._launch_sign_in)
        self.worker = Service("worker", logs / "worker.log", self._launch_worker)
        server = Service("web server", logs / "web.log", self._launch_web)
        self.has_development_sign_in = sign_in.is_needed(settings)
        # The cluster takes longest, so it comes first, and up while everything else does.
        self.base = [self.cluster] if settings.ray_address is None else []
        self.base += [self.database] if settings.database_url is None else []
        self.site = [self.worker, server]
        if self.has_development_sign_in:
            self.site.insert(0, sign)

    def migrate(self) -> None:
        """Bring the database's schema up to date."""
        core.db.migrate(self._settings.database_url or self._environment["DATABASE_URL"])

    def sign_in_lacks(self) -> str:
        """Say what the development sign-in still lacks, nothing where there is none."""
        if not self.has_development_sign_in or _answers(self._environment["OIDC_ISSUER"]):
            return ""
        return "the sign-in does not answer yet"

    def stop_database(self) -> None:
        """Shut the embedded database down in good order, where there is one."""
        if self._postgres is not None:
            self._postgres.stop()
        self._postgres = self.database.process = None

    def _launch_cluster(self) -> subprocess.Popen[bytes]:
        cpus = len(os.sched_getaffinity(0))
        command, environment = head_command(self._settings.home, cpus=cpus)
        log = processes.log_file(self._settings.home, "ray")
        return processes.spawn(command, env=self._environment | environment, log=log, cwd=_CODE)

    def _launch_database(self) -> subprocess.Popen[bytes]:
        self._postgres = postgres.start(self._settings.home)
        self._environment["DATABASE_URL"] = self._postgres.url
        return self._postgres.process

    def _launch_sign_in(self) -> subprocess.Popen[bytes]:
        port = sign_in.port_of(self._settings.home)
        self._environment |= sign_in.environment(port)
        return self._spawn("sign-in", sign_in.command(port, self._settings))

    def _launch_worker(self) -> subprocess.Popen[bytes]:
        return self._spawn("worker", [sys.executable, "-m", "web.cli", "worker"])

    def _launch_web(self) -> subprocess.Popen[bytes]:
        return self._spawn("web", [sys.executable, "-m", "web.cli", "serve"])

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        log = processes.log_file(self._settings.home, name)
        return processes.spawn(command, env=self._environment, log=log, cwd=_CODE)


def _answers(address: str) -> bool:
    """Whether something accepts connections at an address, or it names no port to ask."""
    parts = urlsplit(address)
    if not parts.hostname or not parts.port:
        return True
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=1).close()
    except OSError:
        return False
    return True
