"""How a Python version is shown to its sandbox, and the command that serves it there."""

import os
from functools import cache
from pathlib import Path

from execution.languages import confinement
from execution.languages.confined import RUNNER, SOURCE, interpreters, python, with_compiled
from execution.outcome import Artefact
from execution.sandbox import wire
from execution.sandbox.program import Program

ENVIRONMENT = "/env"
_HERE = Path(__file__).parent
# Where no link can be made: filled at run time, or shown read-only.
_TAKEN = ("/tmp", "/dev", "/proc", "/usr", "/etc", "/nix", RUNNER)  # noqa: S108


def program(artefact: Artefact) -> Program:
    """Return what serves `artefact`: our runner in the interpreter that we run in ourselves.

    The interpreter is never the environment's `bin/python`, which a requirement may have
    replaced: the runner switches to the environment once it has given up its privileges.
    """
    folders = dict(interpreters(artefact.environment))
    folders[SOURCE] = os.path.realpath(artefact.source)
    links = {}
    if artefact.environment:
        folders[ENVIRONMENT] = os.path.realpath(artefact.environment)
        # Scripts in the environment name its interpreter by the path it was made at.
        if not any(_below(artefact.environment, place) for place in (*_TAKEN, *folders)):
            links[artefact.environment] = ENVIRONMENT
    return Program(
        argv=(python(), "-I", "-S", "-B", f"{RUNNER}/execution/languages/python/runner.py"),
        files=_files(),
        folders=folders,
        links=links,
        environment={
            "PATH": f"{ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": ENVIRONMENT,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


@cache
def _files() -> dict[str, str]:
    """Return the runner's files at the places where it can import them by their usual names."""
    own = ("runner.py", "serving.py", "code.py", "values.py")
    places = {_HERE / name: f"{RUNNER}/execution/languages/python" for name in own}
    places[Path(confinement.__file__)] = f"{RUNNER}/execution/languages"
    places[Path(wire.__file__)] = f"{RUNNER}/execution/sandbox"
    places |= dict.fromkeys((_HERE / "modules").glob("*.py"), f"{RUNNER}/modules")
    return with_compiled(places)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
