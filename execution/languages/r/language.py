"""R as the platform sees it: the system's, with the packages that the system has."""

import asyncio
import re
from pathlib import Path

from core.errors import BuildFailed
from execution.languages import system
from execution.languages.confined import RUNNER, confined, relay_files, relayed
from execution.languages.language import Language, Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

_RUNNER = Path(__file__).with_name("runner.R")
_SETTINGS = "/etc/R"  # Debian's R has its settings outside of its own folder
_ASK = ("--vanilla", "-e")
_VERSION = "if (requireNamespace('jsonlite', quietly = TRUE)) cat(R.version$major, R.version$minor)"
_NAMES = "cat(rownames(installed.packages()))"


class R:
    """R, with what is installed of its packages."""

    name = "r"
    manifest = "packages.txt"

    def words(self) -> str:
        """Say which version it is."""
        return f"R {'.'.join(_version().split()).rpartition('.')[0]}".strip()

    def missing(self) -> str:
        """Tell how to get it, with the package that our runner needs."""
        return "" if _version() else system.debian("r-base-core", "r-cran-jsonlite")

    def means(self, word: str) -> bool:
        """Take every R, "r36" and "r-4.1" too."""
        return re.fullmatch(r"r(-?\d[\w.-]*)?|r-?lang", word) is not None

    def entries(self, name: str) -> tuple[str, ...]:
        """Tell where the function may be."""
        return (f"src/{name}.r", f"src/{name}.R", "src/Algorithm.r", "src/Algorithm.R")

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Check that all packages that packages.txt names are there."""
        await asyncio.to_thread(_check, folder / self.manifest)
        return ""

    def program(self, artefact: Artefact) -> Program:
        """Start our runner, which talks through pipes: R can't use a socket that it inherits."""
        inside = f"{RUNNER}/{_RUNNER.name}"
        command = (system.tool("Rscript") or "Rscript", "--vanilla", inside)
        folders = {_SETTINGS: _SETTINGS} if Path(_SETTINGS).is_dir() else {}
        files = {inside: str(_RUNNER), **relay_files()}
        return confined(artefact, relayed(command), files=files, folders=folders)


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [R()]


def _version() -> str:
    found = system.tool("Rscript")
    return system.asked(found, *_ASK, _VERSION) if found else ""


def _check(packages: Path) -> None:
    if not packages.is_file():
        return
    try:
        lines = [line.split("#")[0].strip() for line in packages.read_text().splitlines()]
    except UnicodeDecodeError as error:
        raise BuildFailed("packages.txt is not in UTF-8.") from error
    # A version may follow the name, after any of the signs that old projects have there.
    wanted = {re.split(r"[\s,=<>(]", line)[0].strip("'\"") for line in lines if line}
    present = system.asked(system.tool("Rscript") or "Rscript", *_ASK, _NAMES).split()
    system.refuse_missing(packages.name, wanted, present, "R and the system's packages")
