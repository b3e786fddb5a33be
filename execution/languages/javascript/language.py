"""JavaScript as the platform sees it: Node, from the wheel that brings it."""

from pathlib import Path

from execution.languages.confined import RUNNER, confined
from execution.languages.javascript import packages
from execution.languages.javascript.node import WHEEL, node, release
from execution.languages.language import Language, Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

_HERE = Path(__file__).parent
_NODE = "/node"


class JavaScript:
    """JavaScript, as modules of either kind."""

    name = "javascript"
    manifest = "package.json"

    def words(self) -> str:
        """Say which Node it is."""
        return f"JavaScript (Node{release()})"

    def missing(self) -> str:
        """Tell how to get Node."""
        if node() is not None:
            return ""
        return f"Install it into Algorium's environment: pip install {WHEEL}."

    def means(self, word: str) -> bool:
        """Take every Node, whatever version of it a project was written for."""
        return word.startswith(("javascript", "node")) or word in {"js", "ecmascript"}

    def entries(self, name: str) -> tuple[str, ...]:
        """One file, whose ending may say which kind of module it is."""
        return tuple(f"src/{name}.{end}" for end in ("js", "mjs", "cjs"))

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Install the packages of package.json, none of whose scripts is run."""
        return await packages.build(folder, home, log)

    def program(self, artefact: Artefact) -> Program:
        """Start our runner; packages lie where Node looks last, behind the project's own folders.

        Garbage is collected before the memory that the version asked for is used up; what
        then is beyond it is stopped from outside, as in every language.
        """
        files = {
            f"{RUNNER}/runner.js": str(_HERE / "runner.js"),
            f"{RUNNER}/modules/algorium.js": str(_HERE / "modules" / "algorium.js"),
        }
        folders = {_NODE: str(Path(node() or "").parent)}
        if artefact.environment:
            folders["/node_modules"] = str(Path(artefact.environment, "node_modules").resolve())
        heap = f"--max-old-space-size={artefact.memory_mib}"
        return confined(
            artefact,
            (f"{_NODE}/node", heap, f"{RUNNER}/runner.js"),
            files=files,
            folders=folders,
            environment={"PATH": f"{_NODE}:/usr/local/bin:/usr/bin:/bin"},
        )


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [JavaScript()]
