"""How a Python version is shown to its sandbox, and the command that serves it there."""

import os
import py_compile
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from execution.outcome import Artefact
from execution.sandbox import wire
from execution.sandbox.program import Program

SOURCE = "/algorithm"
ENVIRONMENT = "/env"
_RUNNER = "/runner"
_HERE = Path(__file__).parent
# Where no link can be made: filled at run time, or shown read-only.
_TAKEN = ("/tmp", "/dev", "/proc", "/usr", "/etc", "/nix", _RUNNER)  # noqa: S108
_COVERED = ("/usr", "/usr/local")  # the launcher shows what Python needs of these
# Never all of its folder: one that was installed into somebody's home has that for a folder.
_OF_INTERPRETER = ("bin", "lib", "lib64", "libexec", "share")


def program(artefact: Artefact) -> Program:
    """Return what serves `artefact`: our runner in the interpreter that we run in ourselves.

    The interpreter is never the environment's `bin/python`, which a requirement may have
    replaced: the runner switches to the environment once it has given up its privileges.
    """
    folders = dict(_interpreters(artefact.environment))
    folders[SOURCE] = os.path.realpath(artefact.source)
    links = {}
    if artefact.environment:
        folders[ENVIRONMENT] = os.path.realpath(artefact.environment)
        # Scripts in the environment name its interpreter by the path it was made at.
        if not any(_below(artefact.environment, place) for place in (*_TAKEN, *folders)):
            links[artefact.environment] = ENVIRONMENT
    return Program(
        argv=(_python(), "-I", "-S", "-B", f"{_RUNNER}/execution/languages/python/runner.py"),
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
    own = ("runner.py", "serving.py", "confinement.py", "code.py", "values.py")
    places = {_HERE / name: f"{_RUNNER}/execution/languages/python" for name in own}
    places[Path(wire.__file__)] = f"{_RUNNER}/execution/sandbox"
    places |= dict.fromkeys((_HERE / "modules").glob("*.py"), f"{_RUNNER}/modules")
    shown = {f"{place}/{file.name}": str(file) for file, place in places.items()}
    for file, place in places.items():
        if (compiled := _compiled(file)) is not None:
            shown[f"{place}/__pycache__/{compiled.name}"] = str(compiled)
    return shown


def _compiled(file: Path) -> Path | None:
    """Return a file's compiled form, which saves some milliseconds at every start."""
    try:
        made = Path(py_compile.compile(str(file), doraise=True) or "")
        made.chmod(0o644)
    except (OSError, py_compile.PyCompileError):
        return None
    return made


@cache
def _python() -> str:
    """Return the interpreter that this process's own environment was made from."""
    base = Path(os.path.realpath(sys.base_prefix))
    named = base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(named if named.exists() else Path(os.path.realpath(sys.executable)))


def _interpreters(environment: str) -> Iterator[tuple[str, str]]:
    """Yield the folders of the base interpreter, under each name that it may be called by."""
    prefixes = {Path(sys.base_prefix), Path(_python()).parent.parent}
    python = Path(environment, "bin", "python")
    if environment and python.is_symlink():
        prefixes.add(python.resolve().parent.parent)
        if (target := python.readlink()).is_absolute():
            prefixes.add(target.parent.parent)
    for prefix in sorted(prefixes):
        outside = prefix.resolve()
        if str(outside) not in _COVERED and _is_interpreter(outside):
            for part in _OF_INTERPRETER:
                if (outside / part).is_dir():
                    yield str(prefix / part), str(outside / part)


def _is_interpreter(prefix: Path) -> bool:
    """Guard against an environment that points its `python` at some other folder of ours."""
    known = {Path(_python()).parent, Path(os.path.realpath(sys.executable)).parent}
    return (prefix / "bin").resolve() in known


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
