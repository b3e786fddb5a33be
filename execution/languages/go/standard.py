"""Go's own packages, which it brings as sources: each is compiled once in an installation.

Every build reads what is there and adds nothing to it, since what a build compiles is its
author's. What lies here came of Go alone.
"""

import asyncio
import re
import time
from pathlib import Path

from execution.builds.making import digest_of, tool
from execution.languages import system
from execution.languages.go import modules
from execution.languages.go.toolchain import Toolchain
from execution.languages.language import Log

FLAGS = ("-trimpath", "-buildvcs=false")
# What our runner imports, and with it every algorithm.
_ALWAYS = frozenset({"encoding/json", "errors", "fmt", "os", "reflect", "runtime/debug", "time"})
_LITERAL = re.compile(r'"([a-z0-9/]+)"')


async def compiled(folder: Path, home: Path, go: Toolchain, log: Log) -> Path:
    """Give the cache with what the sources in `folder` need of Go; the rest is compiled first."""
    place = home / "builds" / "cache" / "go" / digest_of(go.identity)
    there = place / "packages"
    wanted = await asyncio.to_thread(_wanted, folder, go)
    missing = sorted(one for one in wanted if not (there / one.replace("/", "+")).exists())
    if missing:
        log(f"Compiling {len(missing)} of Go's own packages, which happens once on an installation")
        there.mkdir(parents=True, exist_ok=True)
        # Go drops from a cache what it hasn't used for days, unless it did so only lately.
        (place / "trim.txt").write_text(str(int(time.time())))
        settings = {
            **modules.settings(go),
            "GOCACHE": str(place),
            "GOFLAGS": "",
            "XDG_CONFIG_HOME": str(place.parent),
        }
        await tool(
            [go.program, "build", *FLAGS, *missing],
            home, log, failed="Go's own packages can't be compiled", settings=settings, cwd=there,
        )  # fmt: skip
        for one in missing:
            (there / one.replace("/", "+")).touch()
    return place


def _wanted(folder: Path, go: Toolchain) -> set[str]:
    """Give the packages of Go that sources name, or seem to name."""
    named = set(_ALWAYS)
    for path in folder.rglob("*.go"):
        if path.is_file() and not path.is_symlink():
            named.update(_LITERAL.findall(path.read_text(errors="replace")))
    environment = [f"{name}={value}" for name, value in modules.settings(go).items()]
    all_there = system.asked(
        "/usr/bin/env", "HOME=/nowhere", *environment, go.program, "list", "std"
    )
    return named & set(all_there.split())
