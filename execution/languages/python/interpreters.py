"""The interpreters of this machine that algorithms can be run by: 3.9 and newer.

They are found by looking at files: no interpreter is started to ask for its version.
"""

import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OLDEST = 9
_NAME = re.compile(r"python3\.(\d+)")
_MANAGED = (
    *("~/.pyenv/versions/*/bin", "~/.local/share/uv/python/*/bin"),
    *("/opt/python*/bin", "/opt/python/*/bin", "/usr/local/bin", "/usr/bin"),
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that no virtual environment stands before. `minor` is the 11 of 3.11."""

    minor: int
    program: str

    @property
    def prefix(self) -> Path:
        """The folder that it is installed in."""
        return Path(self.program).parent.parent

    @property
    def identity(self) -> str:
        """What an environment that was made for it is bound to."""
        return sys.version if self == own() else f"3.{self.minor} at {self.program}"


@cache
def own() -> Interpreter:
    """Return the interpreter that this process's own environment was made from."""
    base = Path(os.path.realpath(sys.base_prefix))
    named = base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = named if named.exists() else Path(os.path.realpath(sys.executable))
    return Interpreter(sys.version_info.minor, str(program))


@cache
def others() -> tuple[Interpreter, ...]:
    """Return one of each other version, the oldest first."""
    found: dict[int, Interpreter] = {}
    for folder in _folders():
        for place in folder.glob("python3.*"):
            named = _NAME.fullmatch(place.name)
            minor = int(named[1]) if named else 0
            if minor >= OLDEST and minor != own().minor and minor not in found:
                program = place.resolve()
                if _is_whole(program, minor):
                    found[minor] = Interpreter(minor, str(program))
    return tuple(found[minor] for minor in sorted(found))


def _folders() -> list[Path]:
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    for pattern in _MANAGED:
        place = Path(pattern).expanduser()
        folders += sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _is_whole(program: Path, minor: int) -> bool:
    """Whether it is a program, not a script that chooses one, with its standard library."""
    try:
        with program.open("rb") as file:
            is_program = file.read(4) == b"\x7fELF"
    except OSError:
        return False
    prefix = program.parent.parent
    libraries = (prefix / "lib" / f"python3.{minor}", prefix / "lib64" / f"python3.{minor}")
    return is_program and any((place / "os.py").is_file() for place in libraries)
