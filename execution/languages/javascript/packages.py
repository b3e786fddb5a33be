"""The packages of a JavaScript project: resolved once, with hashes, and never again.

Two versions with the same lock share one folder of packages. Scripts of packages are never
run, so that an install unpacks files and runs nobody's code.
"""

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from core.errors import BuildFailed
from execution.builds import places
from execution.builds.making import digest_of, made_once, tool
from execution.languages.javascript.node import node
from execution.languages.language import Log

MOST_PACKAGES = 200
_FIELDS = ("dependencies", "optionalDependencies", "overrides")
_QUIET = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", "--ignore-scripts")


async def build(folder: Path, home: Path, log: Log) -> str:
    """Install what package.json names; gives the digest, "" where it names nothing.

    A lock that lies beside it holds. Raises BuildFailed.
    """
    wanted = _wanted(folder)
    if not wanted:
        return ""
    with tempfile.TemporaryDirectory(prefix="packages-", dir=_scratch(home)) as place:
        staged = Path(place)
        (staged / "package.json").write_text(
            json.dumps({"name": "algorithm", "private": True, **wanted})
        )
        given = folder / "package-lock.json"
        if given.is_file():
            shutil.copyfile(given, staged / given.name)
        log("Resolving packages")
        # What a lock leaves out is filled in; where it contradicts package.json it gives way.
        await _npm(["install", "--package-lock-only"], staged, home, log, "can't be resolved")
        lock = (staged / given.name).read_text()
        for line in _locked(lock):
            log(f"  {line}")
        return await _install(staged, lock, home, log)


async def _install(staged: Path, lock: str, home: Path, log: Log) -> str:
    digest = digest_of("javascript", lock)

    async def make(place: Path) -> None:
        log("Installing packages")
        await _npm(["ci", "--omit=dev"], staged, home, log, "can't be installed")
        await asyncio.to_thread(_take, staged, place)

    await made_once(places.environment_of(home, digest), make, log)
    return digest


def _take(staged: Path, place: Path) -> None:
    (staged / "node_modules").mkdir(exist_ok=True)
    place.mkdir()
    shutil.move(staged / "node_modules", place / "node_modules")


def _wanted(folder: Path) -> dict[str, Any]:
    """Give what package.json says of packages that a run needs."""
    file = folder / "package.json"
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text())
    except ValueError as error:
        raise BuildFailed(f"package.json is no valid JSON: {error}.") from error
    if not isinstance(told, dict):
        raise BuildFailed("package.json is no JSON object.")
    wanted = {name: told[name] for name in _FIELDS if told.get(name)}
    if not all(isinstance(one, dict) for one in wanted.values()):
        raise BuildFailed("package.json: its dependencies are no JSON object.")
    for name, place in {
        **wanted.get("optionalDependencies", {}),
        **wanted.get("dependencies", {}),
    }.items():
        if _is_elsewhere(str(place)):
            raise _elsewhere(name)
    return wanted if wanted.keys() & {"dependencies", "optionalDependencies"} else {}


def _is_elsewhere(place: str) -> bool:
    """Whether a package is wanted from an address or a folder; "npm:" is another name of it."""
    plain = place.removeprefix("npm:")
    return ":" in plain or ("/" in plain and not place.startswith("npm:"))


def _elsewhere(name: str) -> BuildFailed:
    return BuildFailed(
        f"package.json: {name[:80]} comes from an address or a folder. Only packages of the "
        "registry can be used."
    )


def _locked(lock: str) -> list[str]:
    """Give every package of a lock as name and version.

    Raises BuildFailed for what comes from elsewhere than the registry: no hash holds it, and
    it may run code to be made.
    """
    packages = json.loads(lock).get("packages", {})
    if len(packages) > 10 * MOST_PACKAGES:
        raise BuildFailed(f"package.json needs more than {10 * MOST_PACKAGES} packages.")
    lines = []
    for place, about in packages.items():
        if not place:
            continue
        name = place.rpartition("node_modules/")[2]
        plain = str(about.get("resolved", "https://")).startswith(("https://", "http://"))
        if about.get("link") or not plain or not about.get("integrity"):
            raise _elsewhere(name)
        lines.append(f"{name}@{about.get('version')}")
    return lines


async def _npm(arguments: list[str], place: Path, home: Path, log: Log, failed: str) -> None:
    program = node()
    if program is None:
        raise BuildFailed("Node isn't installed here.")
    npm = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    settings = {
        "npm_config_cache": str(home / "builds" / "cache" / "npm"),
        "npm_config_omit_lockfile_registry_resolved": "false",
        "npm_config_install_links": "false",
        "npm_config_git": "/bin/false",
        "npm_config_fetch_retry_maxtimeout": "10000",
        "PATH": f"{program.parent}:/usr/bin:/bin",
    }
    await tool(
        [str(program), str(npm), *arguments, *_QUIET],
        home, log, failed=f"The packages {failed}", cwd=place, settings=settings,
        kept=("npm_config_", "NODE_EXTRA_CA_CERTS"),
    )  # fmt: skip


def _scratch(home: Path) -> Path:
    place = home / "builds" / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    return place
