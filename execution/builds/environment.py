"""The virtual environment of a version: resolved once, with hashes, and never again.

Two versions with the same resolved requirements share one. Only wheels are installed: an
install then unpacks files and runs nobody's code.
"""

import os
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from uv import find_uv_bin

from core.errors import BuildFailed
from execution.builds import places
from execution.builds.making import COMPLETE, Log, digest_of, made_once, tool
from execution.languages.python.interpreters import Interpreter, own

__all__ = ["COMPLETE", "install", "plain_requirements", "resolve"]

MOST_REQUIREMENTS = 200


async def resolve(
    requirements: str, home: Path, log: Log, python: Interpreter | None = None
) -> str:
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
            "--no-annotate", "--no-config", "--python", (python or own()).program, "--quiet",
        ],
        home, log, given="\n".join(lines), failed="The requirements can't be met",
    )  # fmt: skip


async def install(locked: str, home: Path, log: Log, python: Interpreter | None = None) -> str:
    """Make the environment of locked requirements, or take the one that is there.

    Gives its digest. A build that dies leaves nothing that another could take for whole.
    """
    python = python or own()
    digest = digest_of("relocatable", python.identity, locked)

    async def make(place: Path) -> None:
        await _uv(
            [
                "venv", str(place), "--python", python.program, "--relocatable", "--no-config",
                "--quiet",
            ],
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

    await made_once(places.environment_of(home, digest), make, log)
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


async def _uv(arguments: list[str], home: Path, log: Log, *, failed: str, given: str = "") -> str:
    cache = os.environ.get("UV_CACHE_DIR", str(home / "builds" / "cache"))
    settings = {"UV_CACHE_DIR": cache, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    return await tool(
        [find_uv_bin(), *arguments],
        home, log, failed=failed, given=given, settings=settings, kept=("UV_",),
    )  # fmt: skip
