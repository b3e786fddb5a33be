"""The virtual environment of a version: resolved once, with hashes, and never again.

Two versions with the same resolved requirements share one. Only wheels are installed: an
install then unpacks files and runs nobody's code.
"""

import asyncio
import fcntl
import hashlib
import os
import resource
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from uv import find_uv_bin

from core.errors import BuildFailed
from execution.builds import places

Log = Callable[[str], None]

LIMIT_S = 600.0
LARGEST_FILE = 8 * 2**30  # well above the largest library that anybody publishes
MOST_REQUIREMENTS = 200
COMPLETE = ".complete"


async def resolve(requirements: str, home: Path, log: Log) -> str:
    """Resolve requirements to exact versions with the hashes of their wheels.

    Raises BuildFailed where a line is no plain requirement or no wheels fit together.
    """
    lines = plain_requirements(requirements)
    if not lines:
        return ""
    log(f"Resolving {len(lines)} requirement{'' if len(lines) == 1 else 's'}")
    return await _uv(
        [
            "pip", "compile", "-", "--generate-hashes", "--only-binary", ":all:", "--no-header",
            "--no-annotate", "--no-config", "--python", base_python(), "--quiet",
        ],
        home, log, given="\n".join(lines), failed="The requirements can't be met",
    )  # fmt: skip


async def install(locked: str, home: Path, log: Log) -> str:
    """Make the environment of locked requirements, or take the one that is there.

    Gives its digest. A build that dies leaves nothing that another could take for whole.
    """
    digest = hashlib.sha256(f"{sys.version}\n{locked}".encode()).hexdigest()[:32]
    place = places.environment_of(home, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    async with _alone(place.with_suffix(".lock")):
        if (place / COMPLETE).exists():
            log("Taking the environment of an earlier build with the same packages")
            return digest
        shutil.rmtree(place, ignore_errors=True)
        await _uv(
            ["venv", str(place), "--python", base_python(), "--no-config", "--quiet"],
            home, log, failed="The environment can't be made",
        )  # fmt: skip
        if locked:
            log("Installing packages")
            await _uv(
                [
                    "pip", "install", "--require-hashes", "--only-binary", ":all:", "--no-deps",
                    "--python", str(place / "bin" / "python"), "--no-config", "-r", "-",
                ],
                home, log, given=locked, failed="The packages can't be installed",
            )  # fmt: skip
        (place / COMPLETE).touch()
    return digest


def plain_requirements(text: str) -> list[str]:
    """Give the lines of a requirements file that name packages.

    Raises BuildFailed for options, addresses and paths: they would make the build depend on
    something that a hash can't hold.
    """
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    if len(wanted) > MOST_REQUIREMENTS:
        raise BuildFailed(f"requirements.txt has more than {MOST_REQUIREMENTS} lines.")
    for line in wanted:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise BuildFailed(
                f"requirements.txt: {line[:80]!r} is no plain requirement such as numpy==2.1.0."
            ) from error
        if requirement.url:
            raise BuildFailed(
                f"requirements.txt: {line[:80]!r} names an address. Only packages of the "
                "package index can be used."
            )
    return wanted


def base_python() -> str:
    """The interpreter that environments are made from: the one below our own environment."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return str(Path(sys.base_prefix, "bin", f"python{version}").resolve())


@asynccontextmanager
async def _alone(place: Path) -> AsyncIterator[None]:
    """Let one build at a time, of any process, go past here."""
    handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


async def _uv(arguments: list[str], home: Path, log: Log, *, failed: str, given: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        find_uv_bin(), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=_environment(os.environ, home), cwd=str(home),
    )  # fmt: skip
    with suppress(ProcessLookupError):
        # A package of a few kilobytes can hold a file that fills the disk.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    try:
        out, err = await asyncio.wait_for(process.communicate(given.encode()), LIMIT_S)
    except TimeoutError as error:
        raise BuildFailed(f"{failed}: it took more than {LIMIT_S / 60:.0f} minutes.") from error
    finally:
        if process.returncode is None:
            process.kill()
    said = err.decode("utf-8", "replace").strip()
    for line in said.splitlines():
        log(line.rstrip())
    if process.returncode:
        raise BuildFailed(f"{failed}: {_reason(said)}")
    return out.decode()


def _reason(said: str) -> str:
    """Cut what uv says to one sentence: what follows its last arrow or error mark."""
    lines = [line.strip(" \u2502\u251c\u2570\u2500\u25b6\u00d7") for line in said.splitlines()]
    told = " ".join(line for line in lines if line)
    return told.removeprefix("error: ")[:600] or "no reason was given."


def _environment(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """Give uv only what it needs; an operator's own index and proxy settings are kept."""
    kept = {
        name: value
        for name, value in outer.items()
        if name.startswith(("UV_", "SSL_CERT_")) or name.upper().endswith("_PROXY")
    }
    return kept | {
        "PATH": os.defpath,
        "HOME": str(home),
        "UV_CACHE_DIR": kept.get("UV_CACHE_DIR", str(home / "builds" / "cache")),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }
