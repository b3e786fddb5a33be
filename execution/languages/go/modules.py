"""The modules that a Go project needs: fetched by its go.sum's hashes, which runs nobody's code.

Only what a module proxy serves: no repositories, so that no version control is started, and no
other toolchain than the machine's. Nothing of the project is read but go.mod and go.sum.
"""

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BuildFailed
from execution.builds.making import tool
from execution.languages import sources
from execution.languages.go.toolchain import Toolchain
from execution.languages.language import Log

CLIENT = "algorium"  # our own module, which a project may name, to be compiled elsewhere too
MANIFEST, SUMS = "go.mod", "go.sum"
MOST_MODULES = 500
_PROXY = "https://proxy.golang.org"
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/-]*")
_WANTED = re.compile(r"^go[ \t]+((\d{1,9})\.(\d{1,9})[\w.]*)", re.MULTILINE)
_KEPT = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE")


@dataclass(frozen=True, slots=True)
class Module:
    """A project as a module: its path, and the folder of what it needs, None for nothing."""

    path: str
    packages: Path | None


async def fetched(folder: Path, home: Path, go: Toolchain, log: Log) -> Module:
    """Fetch what go.mod names, unless it lies in the project's own vendor folder.

    Raises BuildFailed where that can't be had, or comes from elsewhere.
    """
    if not (folder / MANIFEST).is_file():
        return Module("algorithm", None)
    with tempfile.TemporaryDirectory(prefix="modules-", dir=sources.scratch(home)) as place:
        staged = Path(place)
        for name in (MANIFEST, SUMS):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, staged / name)
        _require_version(staged / MANIFEST, go)
        told = json.loads(await _go(["mod", "edit", "-json"], staged, home, go, log))
        module, needed = _checked(told)
        if not needed or (folder / "vendor" / "modules.txt").is_file():
            return Module(module, None)
        if not (staged / SUMS).is_file():
            raise BuildFailed("go.sum is missing. Run `go mod tidy`, and put it into the project.")
        await _go(
            ["mod", "edit", f"-droprequire={CLIENT}", f"-dropreplace={CLIENT}"],
            staged, home, go, log,
        )  # fmt: skip
        for line in needed:
            log(f"  {line}")
        log("Fetching modules")
        await _go(["mod", "download"], staged, home, go, log)
    return Module(module, _cache(home))


def settings(go: Toolchain) -> dict[str, str]:
    """Give what every command of Go is told: nothing of it is up to the project."""
    return {
        "GOROOT": go.root,
        "GOTOOLCHAIN": "local",
        "GOENV": "off",
        "GOWORK": "off",
        "GOVCS": "*:off",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
        # Compiling takes a third less time when memory is cleared later, as long as there is some.
        "GOGC": "400",
        "GOMEMLIMIT": "640MiB",
    }


def _require_version(manifest: Path, go: Toolchain) -> None:
    """Refuse what is written for a newer Go, whose go.mod an older one may not even understand."""
    wanted = _WANTED.search(manifest.read_text(errors="replace"))
    if wanted and (int(wanted[2]), int(wanted[3])) > go.version[:2]:
        raise BuildFailed(f"go.mod wants Go {wanted[1]}; what compiles here is Go {go.language}.")


def _checked(told: dict[str, Any]) -> tuple[str, list[str]]:
    """Give a module's path and what it needs; refuse what isn't fetched by its hash."""
    path = (told.get("Module") or {}).get("Path", "")
    if not _PATH.fullmatch(path) or path == CLIENT:
        raise BuildFailed(f"go.mod: {path[:80]!r} can't be the path of a project's module.")
    for one in told.get("Replace") or ():
        if one["Old"]["Path"] != CLIENT and not one["New"].get("Version"):
            raise BuildFailed(
                f"go.mod: {one['Old']['Path'][:80]} is replaced by a folder. Only modules of the "
                "registry can be used; put other code into the project's own module."
            )
    needed = [one for one in told.get("Require") or () if one["Path"] != CLIENT]
    if len(needed) > MOST_MODULES:
        raise BuildFailed(f"go.mod needs more than {MOST_MODULES} modules.")
    return path, [f"{one['Path']} {one['Version']}" for one in needed]


async def _go(arguments: list[str], staged: Path, home: Path, go: Toolchain, log: Log) -> str:
    return await tool(
        [go.program, *arguments],
        home, log, failed="The modules can't be had", cwd=staged, kept=_KEPT,
        settings={
            **settings(go),
            "GOPROXY": os.environ.get("GOPROXY", _PROXY),
            # The compiler takes nothing without its hash in the project's own go.sum.
            "GOSUMDB": os.environ.get("GOSUMDB", "off"),
            "GOMODCACHE": str(_cache(home)),
            "GOCACHE": str(home / "builds" / "cache" / "go" / "scratch"),
            "XDG_CONFIG_HOME": str(home / "builds" / "cache" / "go"),
            "GOFLAGS": "-modcacherw",
        },
    )  # fmt: skip


def _cache(home: Path) -> Path:
    return home / "builds" / "cache" / "go" / "modules"
