"""Python as the platform sees it: one language for each interpreter of the machine."""

import re
from pathlib import Path

from execution.builds import environment
from execution.languages.language import Language, Log
from execution.languages.python.interpreters import Interpreter, others, own
from execution.languages.python.program import program
from execution.outcome import Artefact
from execution.sandbox.program import Program

# "python-3.12-gpu" and "python3.12", but not the "python3-1" of old projects.
_EXACT = re.compile(r"python-?3\.?(\d{1,2})(?!\d)")


class Python:
    """Python, in one interpreter."""

    manifest = "requirements.txt"

    def __init__(self, interpreter: Interpreter, name: str = "") -> None:
        """Name it after its version, unless it has another name."""
        self.interpreter = interpreter
        self.name = name or f"python3.{interpreter.minor}"

    def words(self) -> str:
        """Say which version it is."""
        return f"Python 3.{self.interpreter.minor}"

    def missing(self) -> str:
        """Nothing: only those that are there are known."""
        return ""

    def means(self, word: str) -> bool:
        """Take its own version, and the one that runs us all versions that aren't there."""
        exact = _EXACT.match(word)
        if exact and int(exact[1]) == self.interpreter.minor:
            return True
        return self.interpreter == own() and word.startswith("python")

    def entries(self, name: str) -> tuple[str, ...]:
        """One file."""
        return (f"src/{name}.py",)

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Resolve requirements.txt, and install it into an environment."""
        file = folder / self.manifest
        wanted = file.read_text() if file.is_file() else ""
        locked = await environment.resolve(wanted, home, log, self.interpreter)
        for line in locked.splitlines():
            if line and not line.startswith((" ", "#")):
                log("  " + line.rstrip(" \\"))
        return await environment.install(locked, home, log, self.interpreter)

    def program(self, artefact: Artefact) -> Program:
        """Start our runner."""
        return program(artefact, self.interpreter)


class Unnamed(Python):
    """What versions are written in that were published before versions said which Python."""

    def __init__(self) -> None:
        """Be the interpreter that runs us."""
        super().__init__(own(), "python")

    def means(self, word: str) -> bool:  # noqa: ARG002
        """Nothing: whatever is published now says which it is."""
        return False


def languages() -> list[Language]:
    """Give what this folder runs, that which takes most last."""
    return [Unnamed(), *map(Python, others()), Python(own())]
