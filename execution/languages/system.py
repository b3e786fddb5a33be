"""Languages that the system brings: found where the sandbox shows the system's programs."""

import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from core.errors import BuildFailed

PATH = ("/usr/local/bin", "/usr/bin", "/bin")
_WAIT_S = 20


@cache
def tool(name: str) -> str | None:
    """Give the path of a program of the system, None where there is none."""
    places = (Path(folder, name) for folder in PATH)
    return next((str(place) for place in places if place.is_file()), None)


@cache
def asked(*command: str) -> str:
    """Give what a program of the system prints, once; nothing where it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_WAIT_S, env={}, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def debian(*packages: str) -> str:
    """Tell how to get what is missing."""
    return f"Install it (Debian: apt-get install {' '.join(packages)})."


def refuse_missing(manifest: str, wanted: Iterable[str], present: Iterable[str], of: str) -> None:
    """Raise BuildFailed for what a project needs beyond what `of` has, which is all there is."""
    if missing := sorted(set(wanted) - set(present)):
        raise BuildFailed(
            f"{manifest}: {', '.join(missing)[:300]} can't be had here. What comes with {of} is "
            "all that can be used; put other code into the project."
        )
