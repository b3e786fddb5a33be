"""How any language is started in its sandbox: by way of a Python that gives up every privilege.

No runner has to be trusted with that. What ours are written in, and where they find things
inside, stands here too.
"""

import os
import py_compile
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from execution.languages import confinement
from execution.outcome import Artefact
from execution.sandbox.program import Program

SOURCE = "/algorithm"
RUNNER = "/runner"
WIRE = 12  # what runners that can choose find their connection at
_COVERED = ("/usr", "/usr/local")  # the launcher shows what Python needs of these
# Never all of its folder: one that was installed into somebody's home has that for a folder.
_OF_INTERPRETER = ("bin", "lib", "lib64", "libexec", "share")
_PRELUDE = Path(__file__).with_name("prelude.py")


def confined(
    artefact: Artefact,
    command: tuple[str, ...],
    *,
    wire: int = WIRE,
    files: Mapping[str, str] | None = None,
    folders: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Program:
    """Return what serves `artefact`: `command`, once privileges are gone and limits are set.

    It gets two more arguments: the number of the connected socket, which is `wire`, and how
    many bytes a result may have.
    """
    return Program(
        argv=(
            *(python(), "-I", "-S", "-B", f"{RUNNER}/execution/languages/{_PRELUDE.name}"),
            *(str(wire), *command),
        ),
        files={**_files(), **(files or {})},
        folders={
            **dict(interpreters("")),
            SOURCE: os.path.realpath(artefact.source),
            **(folders or {}),
        },
        environment=environment or {},
    )


def with_compiled(places: Mapping[Path, str]) -> dict[str, str]:
    """Return files at the folders that they are shown in, with their compiled forms."""
    shown = {f"{place}/{file.name}": str(file) for file, place in places.items()}
    for file, place in places.items():
        if (compiled := _compiled(file)) is not None:
            shown[f"{place}/__pycache__/{compiled.name}"] = str(compiled)
    return shown


@cache
def python() -> str:
    """Return the interpreter that this process's own environment was made from."""
    base = Path(os.path.realpath(sys.base_prefix))
    named = base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(named if named.exists() else Path(os.path.realpath(sys.executable)))


def interpreters(environment: str) -> Iterator[tuple[str, str]]:
    """Yield the folders of the base interpreter, under each name that it may be called by."""
    prefixes = {Path(sys.base_prefix), Path(python()).parent.parent}
    named = Path(environment, "bin", "python")
    if environment and named.is_symlink():
        prefixes.add(named.resolve().parent.parent)
        if (target := named.readlink()).is_absolute():
            prefixes.add(target.parent.parent)
    for prefix in sorted(prefixes):
        outside = prefix.resolve()
        if str(outside) not in _COVERED and _is_interpreter(outside):
            for part in _OF_INTERPRETER:
                if (outside / part).is_dir():
                    yield str(prefix / part), str(outside / part)


def _is_interpreter(prefix: Path) -> bool:
    """Guard against an environment that points its `python` at some other folder of ours."""
    known = {Path(python()).parent, Path(os.path.realpath(sys.executable)).parent}
    return (prefix / "bin").resolve() in known


@cache
def _files() -> dict[str, str]:
    place = f"{RUNNER}/execution/languages"
    return with_compiled({_PRELUDE: place, Path(confinement.__file__): place})


def _compiled(file: Path) -> Path | None:
    """Return a file's compiled form, which saves some milliseconds at every start."""
    try:
        made = Path(py_compile.compile(str(file), doraise=True) or "")
        made.chmod(0o644)
    except (OSError, py_compile.PyCompileError):
        return None
    return made
