"""How nodes of Ray are started, and this installation's own head is found again.

Doesn't import Ray.
"""

import contextlib
import hashlib
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

ADDRESS_FILE = "ray_current_cluster"  # where a head writes its address, below its own folder
_STORE_BYTES = 100 * 1024 * 1024


def head_command(home: Path, *, cpus: int) -> tuple[list[str], dict[str, str]]:
    """Return the command of a head that runs until it is told to stop, and its environment.

    The environment is to be added to one's own. Everything listens on the loopback address
    at ports that the system chooses, so that installations never meet. Makes the token that
    joining takes, readable by this user only. An address that an earlier head left is removed.
    """
    folder = temporary_folder(home)
    _make_private(folder.parent)
    _make_token(token_file(home))
    (folder / ADDRESS_FILE).unlink(missing_ok=True)
    command = [
        *_start(cpus),
        *("--head", f"--temp-dir={folder}", "--port=0", "--include-dashboard=false"),
        "--no-monitor",
    ]
    return command, {**_node_environment(), **driver_environment(home)}


def node_command(
    home: Path, address: str, *, cpus: int = 0, gpus: int = 0
) -> tuple[list[str], dict[str, str]]:
    """Return the command that makes this machine a node of the cluster at `address`.

    Without `cpus` nothing is placed there, but a process there can join the cluster. The
    environment is to be added to one's own, which has the cluster's token.
    """
    folder = temporary_folder(home)
    _make_private(folder.parent)
    command = [*_start(cpus), f"--address={address}", f"--temp-dir={folder}", f"--num-gpus={gpus}"]
    return command, _node_environment()


def _start(cpus: int) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--block"),
        *(f"--num-cpus={cpus}", f"--object-store-memory={_STORE_BYTES}"),
        *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
        *("--include-log-monitor=false", "--disable-usage-stats"),
    ]


def _node_environment() -> dict[str, str]:
    packages = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, (packages, os.environ.get("PYTHONPATH"))))
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": path,
        "RAY_START_HOOK": f"{__name__}.leaner",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        # Replicas answer people; what runs in their sandboxes is made to stand back instead.
        "RAY_worker_niceness": "0",
        # A head that is told to stop would else wait 30 s for others to take its work over.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }


def driver_environment(home: Path) -> dict[str, str]:
    """Return what a process that joins this installation's Ray needs before it imports Ray."""
    if os.environ.get("RAY_ADDRESS"):
        return {"RAY_USAGE_STATS_ENABLED": "0"}
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file(home)),
        # On every system: makes Ray use the loopback address, and that alone.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def token_file(home: Path) -> Path:
    """Return where the token of this installation's Ray lies."""
    return home.resolve() / "ray" / "token"


def temporary_folder(home: Path) -> Path:
    """Return Ray's folder for this installation: short, since sockets in it have long names."""
    mark = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir(), f"algorium-{mark}", "ray")


def leaner(parameters: Any, head: bool) -> None:  # noqa: ANN401, ARG001, FBT001 - Ray calls it
    """Leave out the server for Ray's remote client, which nothing here uses."""
    parameters.ray_client_server_port = None


def _make_private(folder: Path) -> None:
    """Make a folder for this user alone, or refuse one that somebody else made."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else; remove it.")
    folder.chmod(0o700)


def _make_token(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as opened:
            opened.write(secrets.token_hex(32))
