"""How a Python version is shown to its sandbox, and the command that serves it there."""

import os
from functools import cache
from pathlib import Path

from execution.languages import confinement
from execution.languages.confined import RUNNER, SOURCE, interpreter_folders, with_compiled
from execution.languages.python.interpreters import Interpreter, own
from execution.outcome import Artefact
from execution.sandbox import wire
from execution.sandbox.program import Program

ENVIRONMENT = "/env"
_RUNNER = f"{RUNNER}/execution/languages/python/runner.py"
_HERE = Path(__file__).parent
# Where no link can be made: filled at run time, or shown read-only.
_TAKEN = ("/tmp", "/dev", "/proc", "/usr", "/etc", "/nix", RUNNER)  # noqa: S108


def program(artefact: Artefact, interpreter: Interpreter | None = None) -> Program:
    """Return what serves `artefact`: our runner, by default in the interpreter that runs us.

    The interpreter is never the environment's `bin/python`, which a requirement may have
    replaced: the runner switches to the environment once it has given up its privileges.
    """
    interpreter = interpreter or own()
    folders = interpreter_folders(interpreter)
    folders[SOURCE] = os.path.realpath(artefact.source)
    links = {}
    if artefact.environment:
        folders[ENVIRONMENT] = os.path.realpath(artefact.environment)
        # Scripts in the environment name its interpreter by the path it was made at.
        if not any(_below(artefact.environment, place) for place in (*_TAKEN, *folders)):
            links[artefact.environment] = ENVIRONMENT
    return Program(
        argv=(interpreter.program, "-I", "-S", "-B", _RUNNER),
        files=with_compiled(_files(), interpreter),
        folders=folders,
        links=links,
        environment={
            "PATH": f"{ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": ENVIRONMENT,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


@cache
def _files() -> tuple[tuple[Path, str], ...]:
    """Return the runner's files, with the folders where they can import each other."""
    names = ("runner.py", "serving.py", "code.py", "values.py")
    places = {_HERE / name: f"{RUNNER}/execution/languages/python" for name in names}
    places[Path(confinement.__file__)] = f"{RUNNER}/execution/languages"
    places[Path(wire.__file__)] = f"{RUNNER}/execution/sandbox"
    for folder in ("modules", "standin"):
        places |= dict.fromkeys((_HERE / folder).glob("*.py"), f"{RUNNER}/{folder}")
    return tuple(places.items())


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
