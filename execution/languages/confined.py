"""How any language is started in its sandbox: by way of a Python that gives up every privilege.

No runner has to be trusted with that. What ours are written in, and where they find things
inside, stands here too.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from execution.languages import confinement
from execution.languages.python.interpreters import Interpreter, own
from execution.outcome import Artefact
from execution.sandbox import wire
from execution.sandbox.program import Program

SOURCE = "/algorithm"
RUNNER = "/runner"
MADE = "/tmp/made"  # noqa: S108 - the sandbox's own
WIRE = 12  # what runners that can choose find their connection at
_COVERED = ("/usr", "/usr/local")  # the launcher shows what Python needs of these
# Never all of its folder: one that was installed into somebody's home has that for a folder.
_OF_INTERPRETER = ("bin", "lib", "lib64", "libexec", "share")
_PRELUDE = Path(__file__).with_name("prelude.py")
_RELAY = Path(__file__).with_name("relay.py")
_MAKER = Path(__file__).with_name("maker.py")


def confined(
    artefact: Artefact,
    command: tuple[str, ...],
    *,
    wire_at: int = WIRE,
    files: Mapping[str, str] | None = None,
    folders: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Program:
    """Return what serves `artefact`: `command`, once privileges are gone and limits are set.

    It gets two more arguments: the number of the connected socket, which is `wire_at`, and how
    many bytes a result may have.
    """
    return Program(
        argv=(
            *(own().program, "-I", "-S", "-B", f"{RUNNER}/execution/languages/{_PRELUDE.name}"),
            *(str(wire_at), *command),
        ),
        files={**_files(), **(files or {})},
        folders={
            **interpreter_folders(own()),
            SOURCE: os.path.realpath(artefact.source),
            **(folders or {}),
        },
        environment=environment or {},
    )


def relayed(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return `command` by way of a process that gives it pipes instead of the socket."""
    return own().program, "-I", "-S", "-B", f"{RUNNER}/execution/languages/{_RELAY.name}", *command


def relay_files() -> dict[str, str]:
    """Return what `relayed` needs to be shown."""
    return with_compiled(((_RELAY, f"{RUNNER}/execution/languages"),), own())


def making(
    command: tuple[str, ...], folders: Mapping[str, str], environment: Mapping[str, str]
) -> Program:
    """Return what compiles in a sandbox: `command`, which writes what is wanted below `MADE`."""
    place = f"{RUNNER}/execution/languages"
    files = (
        *((_MAKER, place), (Path(confinement.__file__), place)),
        (Path(wire.__file__), f"{RUNNER}/execution/sandbox"),
    )
    return Program(
        argv=(own().program, "-I", "-S", "-B", f"{place}/{_MAKER.name}", MADE, *command),
        files=with_compiled(files, own()),
        folders={**interpreter_folders(own()), **folders},
        environment=environment,
    )


@cache
def with_compiled(places: tuple[tuple[Path, str], ...], interpreter: Interpreter) -> dict[str, str]:
    """Return files at the folders that they are shown in, with their compiled forms.

    Those save some milliseconds at every start.
    """
    shown = {f"{place}/{file.name}": str(file) for file, place in places}
    compiled = {file: _compiled(file, interpreter) for file, _ in places}
    if any(made is None for made in compiled.values()):
        _compile([file for file, made in compiled.items() if made is None], interpreter)
        compiled = {file: _compiled(file, interpreter) for file, _ in places}
    for file, place in places:
        if (made := compiled[file]) is not None:
            shown[f"{place}/__pycache__/{made.name}"] = str(made)
    return shown


def interpreter_folders(interpreter: Interpreter) -> dict[str, str]:
    """Return an interpreter's own folders, under each name that it may be called by."""
    outside = str(interpreter.prefix)
    if outside in _COVERED:
        return {}
    named = {outside} | ({sys.base_prefix} if interpreter == own() else set())
    return {
        f"{prefix}/{part}": f"{outside}/{part}"
        for prefix in sorted(named)
        for part in _OF_INTERPRETER
        if Path(outside, part).is_dir()
    }


@cache
def _files() -> dict[str, str]:
    place = f"{RUNNER}/execution/languages"
    return with_compiled(((_PRELUDE, place), (Path(confinement.__file__), place)), own())


def _compiled(file: Path, interpreter: Interpreter) -> Path | None:
    """Return the compiled form that lies beside a file, None where it is older or none."""
    made = file.parent / "__pycache__" / f"{file.stem}.cpython-3{interpreter.minor}.pyc"
    try:
        is_fresh = made.stat().st_mtime >= file.stat().st_mtime
    except OSError:
        return None
    return made if is_fresh else None


def _compile(files: list[Path], interpreter: Interpreter) -> None:
    """Compile files; where their folder can't be written they are run as they are."""
    code = "import sys, py_compile as c; [c.compile(f, doraise=True) for f in sys.argv[1:]]"
    command = [interpreter.program, "-I", "-S", "-c", code, *map(str, files)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, capture_output=True, timeout=20, check=True, umask=0o022)
