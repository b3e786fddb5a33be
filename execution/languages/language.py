"""What the platform has to know of a language, and all that it knows."""

from pathlib import Path
from typing import Protocol

from execution.builds.making import Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

__all__ = ["Language", "Log"]


class Language(Protocol):
    """A language that algorithms can be written in, or one version of it."""

    @property
    def name(self) -> str:
        """What a version says it is written in, for ever."""

    @property
    def manifest(self) -> str:
        """The file that a project names its packages in, "requirements.txt"."""

    def words(self) -> str:
        """The language as people read it, "JavaScript (Node 24)"."""

    def missing(self) -> str:
        """How to get what it lacks on this machine; nothing where it is offered."""

    def means(self, word: str) -> bool:
        """Whether a project that says `word`, in lower case, says that it is written in this."""

    def entries(self, name: str) -> tuple[str, ...]:
        """The files that the entry point of an algorithm may be in, the usual one first."""

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:
        """Make what the project in `folder` needs beside its files; gives its digest.

        It lies in `places.environment_of` the digest; "" stands for nothing. What is made is
        shared by all versions that need the same. Raises BuildFailed.
        """

    def program(self, artefact: Artefact) -> Program:
        """Tell how a built version is started in its sandbox."""
