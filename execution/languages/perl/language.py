"""Perl as the platform sees it: the system's, with the modules that the system has."""

import asyncio
import re
from pathlib import Path

from core.errors import BuildFailed
from execution.languages import system
from execution.languages.confined import RUNNER, confined
from execution.languages.language import Language, Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

_RUNNER = Path(__file__).with_name("runner.pl")
_REQUIRES = re.compile(r"""^\s*requires\s*\(?\s*['"]?([\w:]+)""", re.MULTILINE)


class Perl:
    """Perl 5, with what is installed of its modules."""

    name = "perl"
    manifest = "cpanfile"

    def words(self) -> str:
        """Say which version it is."""
        told = system.asked(system.tool("perl") or "perl", "-e", "printf 'Perl %vd', $^V")
        return told.rpartition(".")[0] or "Perl"

    def missing(self) -> str:
        """Tell how to get it, with the modules that our runner needs."""
        perl = system.tool("perl")
        needed = "-MJSON::PP -MTime::HiRes -MScalar::Util"
        if perl and system.asked(perl, *needed.split(), "-e", "print 1"):
            return ""
        return system.debian("perl")

    def means(self, word: str) -> bool:
        """Take every Perl 5."""
        return word.startswith("perl")

    def entries(self, name: str) -> tuple[str, ...]:
        """One file."""
        return (f"src/{name}.pl",)

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Check that all modules that cpanfile names are there."""
        await asyncio.to_thread(_check, folder / self.manifest)
        return ""

    def program(self, artefact: Artefact) -> Program:
        """Start our runner."""
        inside = f"{RUNNER}/{_RUNNER.name}"
        command = (system.tool("perl") or "perl", inside)
        return confined(artefact, command, files={inside: str(_RUNNER)})


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [Perl()]


def _check(cpanfile: Path) -> None:
    if not cpanfile.is_file():
        return
    try:
        wanted = set(_REQUIRES.findall(cpanfile.read_text())) - {"perl"}
    except UnicodeDecodeError as error:
        raise BuildFailed("cpanfile is not in UTF-8.") from error
    folders = system.asked(system.tool("perl") or "perl", "-e", 'print join "\\n", @INC').split()
    present = {name for name in wanted if _is_in(folders, name)}
    system.refuse_missing(cpanfile.name, wanted, present, "Perl and the system's packages")


def _is_in(folders: list[str], name: str) -> bool:
    file = name.replace("::", "/") + ".pm"
    return any(Path(folder, file).is_file() for folder in folders)
