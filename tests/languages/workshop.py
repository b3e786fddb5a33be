"""Projects of tests in any language, built and started as a market does it."""

from pathlib import Path

from execution.builds import places
from execution.languages.language import Language
from execution.outcome import Artefact, Failure
from execution.sandbox.launcher import Entrance
from execution.sandbox.limits import Limits
from execution.sandbox.worker import Worker

PROJECTS = Path(__file__).with_name("projects")
MEMORY_MIB = 256


def kin(language: str) -> str:
    """Give the folder of a language's projects, which all its versions share."""
    return language.rstrip(".0123456789")


def project_of(language: str, name: str) -> Path:
    """Give the folder of one project; in most languages all of them can lie in the same."""
    folder = PROJECTS / kin(language)
    return folder / name if (folder / name).is_dir() else folder


class Workshop:
    """Starts the projects of one language."""

    def __init__(self, language: Language, home: Path) -> None:
        self.language = language
        self.home = home
        self.workers: list[Worker] = []

    async def built(self, name: str, folder: Path | None = None, **more: bool) -> Artefact:
        """Build one project."""
        source = folder or project_of(self.language.name, name)
        digest = await self.language.build(source, name, self.home, lambda _: None)
        return Artefact(
            version_id=f"{self.language.name}-{name}",
            name=name,
            source=str(source),
            environment=places.environment_path(self.home, digest),
            memory_mib=MEMORY_MIB,
            language=self.language.name,
            **more,
        )

    async def load(
        self, artefact: Artefact, way: Entrance | None = None
    ) -> tuple[Worker, Failure | None]:
        """Start it."""
        worker = Worker(way=way)
        self.workers.append(worker)
        limits = Limits(memory_mib=artefact.memory_mib, tmp_mib=16, file_mib=16)
        return worker, await worker.start(artefact, limits)

    async def start(self, name: str = "Probe", way: Entrance | None = None, **more: bool) -> Worker:
        """Build and start one project that can be loaded."""
        worker, failure = await self.load(await self.built(name, **more), way)
        assert failure is None, (failure, worker.load_output)
        return worker
