"""Ruby as the platform sees it: the system's, with the gems that the system has."""

import asyncio
import re
from pathlib import Path

from core.errors import BuildFailed
from execution.languages import system
from execution.languages.confined import RUNNER, confined
from execution.languages.language import Language, Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

_RUNNER = Path(__file__).with_name("runner.rb")
_GEM = re.compile(r"""^\s*gem\s*\(?\s*['"]([\w.-]+)['"]""", re.MULTILINE)
_NAMES = "puts Gem::Specification.map(&:name)"
_PLAIN = ("--disable-gems", "--disable-did_you_mean", "--disable-error_highlight")


class Ruby:
    """Ruby, with what is installed of its gems."""

    name = "ruby"
    manifest = "Gemfile"

    def words(self) -> str:
        """Say which version it is."""
        told = system.asked(system.tool("ruby") or "ruby", *_PLAIN, "-e", "print RUBY_VERSION")
        return f"Ruby {told.rpartition('.')[0]}".strip()

    def missing(self) -> str:
        """Tell how to get it."""
        ruby = system.tool("ruby")
        if ruby and system.asked(ruby, *_PLAIN, "-rjson", "-rsocket", "-e", "print 1"):
            return ""
        return system.debian("ruby")

    def means(self, word: str) -> bool:
        """Take every Ruby."""
        return word.startswith("ruby")

    def entries(self, name: str) -> tuple[str, ...]:
        """One file."""
        return (f"src/{name}.rb",)

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Check that all gems that the Gemfile names are there."""
        await asyncio.to_thread(_check, folder / self.manifest)
        return ""

    def program(self, artefact: Artefact) -> Program:
        """Start our runner; gems are looked for only where a project asks for some."""
        inside = f"{RUNNER}/{_RUNNER.name}"
        flags = () if Path(artefact.source, self.manifest).is_file() else _PLAIN
        command = (system.tool("ruby") or "ruby", *flags, inside)
        return confined(artefact, command, files={inside: str(_RUNNER)})


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [Ruby()]


def _check(gemfile: Path) -> None:
    if not gemfile.is_file():
        return
    try:
        wanted = set(_GEM.findall(gemfile.read_text()))
    except UnicodeDecodeError as error:
        raise BuildFailed("The Gemfile is not in UTF-8.") from error
    present = system.asked(system.tool("ruby") or "ruby", "-e", _NAMES).split()
    system.refuse_missing(gemfile.name, wanted, present, "Ruby and the system's packages")
