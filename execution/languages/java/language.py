"""Java as the platform sees it: compiled in a sandbox at build time, with our runner beside it."""

import asyncio
import os
import re
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import ParseError, fromstring

from core.errors import BuildFailed
from execution.builds import places
from execution.builds.compiling import compile_into
from execution.builds.making import digest_of, made_once
from execution.languages import system
from execution.languages.confined import MADE, RUNNER, SOURCE, confined
from execution.languages.language import Language, Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

_RUNNER = Path(__file__).with_name("runner")
_CLASSES = "/classes"
_OLDEST = 11
_PROVIDED = frozenset(
    {"algorithmia-client", "algorithmia-adk", "adk"}
)  # what our runner stands for
_JVM = (
    *("-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"),
    *("-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true"),
)


class Java:
    """Java, with its standard library."""

    name = "java"
    manifest = "pom.xml"

    def words(self) -> str:
        """Say which version it is."""
        return f"Java {release()}" if release() else "Java"

    def missing(self) -> str:
        """Tell how to get it, the compiler included."""
        return "" if release() >= _OLDEST else system.debian("default-jdk-headless")

    def means(self, word: str) -> bool:
        """Take every Java."""
        return word.startswith("java") and not word.startswith("javascript")

    def entries(self, name: str) -> tuple[str, ...]:
        """Tell where the class may be, in the layouts of old projects too."""
        return (
            f"src/main/java/algorithmia/{name}/{name}.java",
            f"src/algorithmia/{name}/{name}.java",
            "src/main/java/com/algorithmia/algorithm/Algorithm.java",
            f"src/{name}.java",
        )

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:  # noqa: ARG002
        """Compile all sources together with our runner."""
        _check(folder / self.manifest)
        sources = await asyncio.to_thread(_sources, folder)
        outside = await asyncio.to_thread(os.path.realpath, folder)
        digest = digest_of("java", str(release()), *(f"{at}\n{text}" for at, text in sources))
        named = [at for at, _ in sources]

        async def make(place: Path) -> None:
            log("Compiling")
            javac = system.tool("javac") or "javac"
            flags = ("-encoding", "UTF-8", "-nowarn", "-proc:none", "-parameters", "-d", MADE)
            shown = {
                SOURCE: outside,
                f"{RUNNER}/java": str(_RUNNER),
                **_settings(),
            }
            await compile_into(place, (javac, *flags, *named), shown, log)

        await made_once(places.environment_of(home, digest), make, log)
        return digest

    def program(self, artefact: Artefact) -> Program:
        """Start the virtual machine on what was compiled; its heap leaves room for the rest."""
        classes = str(Path(artefact.environment).resolve())
        heap = f"-Xmx{max(32, artefact.memory_mib * 5 // 8)}m"
        command = (system.tool("java") or "java", heap, *_JVM, "-cp", _CLASSES, "algorium.Runner")
        return confined(artefact, command, wire_at=0, folders={_CLASSES: classes, **_settings()})


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [Java()]


@cache
def release() -> int:
    """Give the number of the compiler's version, 0 where there is none or it lacks its machine."""
    javac, java = system.tool("javac"), system.tool("java")
    told = re.match(r"javac (\d+)", system.asked(javac, "-version")) if javac and java else None
    return int(told[1]) if told else 0


def _settings() -> dict[str, str]:
    """Give the folders of settings that Debian's Java has outside of its own."""
    return {str(place): str(place) for place in Path("/etc").glob("java-*")}


def _sources(folder: Path) -> list[tuple[str, str]]:
    """Give our sources and the project's, but not its tests, as path in the sandbox and text."""
    found = [(f"{RUNNER}/java", _RUNNER, path) for path in sorted(_RUNNER.rglob("*.java"))]
    found += [
        (SOURCE, folder, path)
        for path in sorted((folder / "src").rglob("*.java"))
        if path.relative_to(folder).parts[1] != "test"
    ]
    return [(f"{at}/{path.relative_to(of)}", path.read_text()) for at, of, path in found]


def _check(pom: Path) -> None:
    """Refuse a project that needs libraries; those that our runner stands for are there."""
    if not pom.is_file():
        return
    text = pom.read_text()
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BuildFailed("pom.xml: declarations of types and entities can't be used.")
    try:
        root = fromstring(text)  # noqa: S314 - without entities, which are what makes it unsafe
    except ParseError as error:
        raise BuildFailed(f"pom.xml is no valid XML: {error}.") from error
    wanted = set()
    for dependency in root.findall("{*}dependencies/{*}dependency"):
        if dependency.findtext("{*}scope", "").strip() != "test":
            wanted.add(dependency.findtext("{*}artifactId", "").strip())
    system.refuse_missing(pom.name, wanted, _PROVIDED, "Java itself")
