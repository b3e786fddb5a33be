"""Python as the platform sees it."""

import sys
from pathlib import Path

from execution.builds import environment
from execution.languages.language import Language, Log
from execution.languages.python.program import program
from execution.outcome import Artefact
from execution.sandbox.program import Program


class Python:
    """Python, in the interpreter that we run in ourselves."""

    name = "python"
    manifest = "requirements.txt"

    def words(self) -> str:
        """Say which version it is."""
        return f"Python {sys.version_info.major}.{sys.version_info.minor}"

    def missing(self) -> str:
        """Nothing: it runs us."""
        return ""

    def means(self, word: str) -> bool:
        """Take every Python, whatever version of it a project was written for."""
        return word.startswith("python")

    def entries(self, name: str) -> tuple[str, ...]:
        """One file."""
        return (f"src/{name}.py",)

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Resolve requirements.txt, and install it into an environment."""
        file = folder / "requirements.txt"
        locked = await environment.resolve(file.read_text() if file.is_file() else "", home, log)
        for line in locked.splitlines():
            if line and not line.startswith((" ", "#")):
                log("  " + line.rstrip(" \\"))
        return await environment.install(locked, home, log)

    def program(self, artefact: Artefact) -> Program:
        """Start our runner."""
        return program(artefact)


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [Python()]
