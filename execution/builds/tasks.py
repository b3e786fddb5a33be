"""Publishing: a folder is handed in, and a worker somewhere turns it into a live version.

Every door goes through `submit`. Builds are rows: a worker takes one, says again and again
that it is at it, and one whose worker died is taken up by another.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, or_, select, update

from catalog import service as catalog
from catalog.models import Algorithm, Version, VersionState
from catalog.queries import lightly
from catalog.service import Built
from core.clock import now
from core.db import Sessions
from core.errors import BuildFailed
from execution import hardware
from execution.builds import places
from execution.builds.check import check
from execution.builds.nested import NestedRuns
from execution.builds.shelf import NotThere, Shelf
from execution.builds.source import Project, copy_project, read_project
from execution.data.store import StoreFailed
from execution.languages import registry
from execution.models import Build, BuildState
from execution.outcome import Artefact

log = structlog.get_logger()

SEEN_EVERY_S = 2.0
# A build that nobody has said anything of for this long has lost its worker.
LOST_AFTER = timedelta(seconds=20)
LOG_LENGTH = 200_000


async def submit(sessions: Sessions, shelf: Shelf, owner_id: UUID, project: Project) -> UUID:
    """Enter a version and queue its build; gives the build's id.

    Raises Conflict where the number is taken, BuildFailed where the cluster lacks the hardware.
    The sources are in place, for workers on other machines too, before anybody can see the row.
    """
    async with sessions.begin() as session:
        offer = await hardware.chosen(session, project.draft.hardware)
        draft = replace(project.draft, compute_rate=offer.rate)
        _, version = await catalog.submit_version(session, owner_id, draft)
        place = places.source_of(shelf.home, version.id)
        place.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(copy_project, project, place)
        version.source_archive = await shelf.keep(place)
        build = Build(version_id=version.id)
        session.add(build)
    return build.id


async def take(sessions: Sessions) -> UUID | None:
    """Take the oldest build that waits or lost its worker; None where there is none."""
    async with sessions.begin() as session:
        build = await session.scalar(
            select(Build)
            .where(
                or_(
                    col(Build.state) == BuildState.QUEUED,
                    (col(Build.state) == BuildState.RUNNING)
                    & (col(Build.seen_at) < now() - LOST_AFTER),
                )
            )
            .order_by(col(Build.created_at))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if build is None:
            return None
        build.state = BuildState.RUNNING
        build.seen_at = now()
        build.log = ""
        await catalog.mark_building(session, build.version_id)
        return build.id


async def run(sessions: Sessions, shelf: Shelf, build_id: UUID) -> None:
    """Build one version. What goes wrong is written into the build, not raised."""
    async with _reporting(sessions, build_id) as report:
        try:
            await _build(sessions, shelf, build_id, report)
        except BuildFailed as error:
            await _fail(sessions, build_id, report, error.message)
        except (NotThere, StoreFailed):
            # Where the store is and what it says is the operator's to know, not an author's.
            log.exception("a build has no use of the data store", build=str(build_id))
            await _fail(
                sessions, build_id, report,
                "The platform's data store failed on this build. Publish it again; if it fails "
                "again, tell the operator.",
            )  # fmt: skip
        except Exception:
            log.exception("a build failed inside the platform", build=str(build_id))
            await _fail(
                sessions, build_id, report,
                "The platform failed on this build. Publish it again; if it fails again, tell "
                "the operator.",
            )  # fmt: skip
        finally:
            shelf.let_go()


class Report:
    """The log of one build as it grows."""

    def __init__(self) -> None:
        self.phase = "starting"
        self._lines: list[str] = []
        self._length = 0

    def __call__(self, line: str) -> None:
        """Add a line; beyond the log's length only the count of characters goes on."""
        line = line.replace("\0", "")
        self._length += len(line)
        if self._length <= LOG_LENGTH:
            self._lines.append(line)

    @property
    def text(self) -> str:
        """The log so far."""
        cut = "" if self._length <= LOG_LENGTH else "\n(the log was cut here)"
        return "\n".join(self._lines).encode("utf-8", "replace").decode() + cut


async def _build(sessions: Sessions, shelf: Shelf, build_id: UUID, report: Report) -> None:
    async with sessions() as session:
        build = await session.get_one(Build, build_id)
        version = await session.get_one(Version, build.version_id)
        algorithm = await session.get_one(Algorithm, version.algorithm_id)
    report.phase = "reading"
    sources = Artefact(
        version_id=str(version.id),
        name=algorithm.name,
        source=str(places.source_of(Path(), version.id)),
        environment="",
        source_archive=version.source_archive,
    )
    async with shelf.placed(sources) as here:
        project = read_project(Path(here.source))
        report.phase = "installing"
        name, language = project.draft.name, registry.named(project.draft.language)
        report(f"It is written in {language.words()}")
        digest = await language.build(project.folder, name, shelf.home, report)
        artefact = replace(
            sources,
            environment=places.environment_path(Path(), digest),
            environment_archive=await _known_archive(sessions, digest),
            memory_mib=project.draft.memory_mib,
            calls_others=project.draft.calls_others,
            language=language.name,
        )
        report.phase = "checking"
        nested = NestedRuns(sessions, shelf, algorithm.owner_id)
        async with shelf.placed(artefact) as built:
            outcome = await check(built, project.draft, nested.call, report)
            report.phase = "keeping"
            archive = artefact.environment_archive
            if digest:
                archive = await shelf.keep(Path(built.environment), archive)
    result = outcome.result if outcome else None
    found_out = Built(
        environment_digest=digest,
        environment_archive=archive,
        sample_output_type=result.content_type.value if result else None,
        sample_output=result.data if result else None,
    )
    report(f"{project.draft.name} {version.number} is live")
    async with sessions.begin() as session:
        await catalog.go_live(session, version.id, project.draft, found_out)
        await _end(session, build_id, BuildState.SUCCEEDED, report, "")


async def _known_archive(sessions: Sessions, environment_digest: str) -> str:
    """Give the archive that another version's build put into the store of the same, or ""."""
    async with sessions() as session:
        found = await session.scalar(
            select(Version.environment_archive)
            .where(
                Version.environment_digest == environment_digest,
                Version.environment_archive != "",
            )
            .limit(1)
        )
    return found or ""


async def keep_missing(sessions: Sessions, shelf: Shelf) -> int:
    """Put into the store what was published here before there was one; gives how many versions."""
    async with sessions() as session:
        rows = await session.scalars(
            select(Version)
            .where(Version.state == VersionState.LIVE, Version.source_archive == "")
            .options(*lightly())
        )
        here = [one for one in rows if places.source_of(shelf.home, one.id).is_dir()]
    for version in here:
        source = await shelf.keep(places.source_of(shelf.home, version.id))
        environment = ""
        if version.environment_digest:
            place = places.environment_of(shelf.home, version.environment_digest)
            known = await _known_archive(sessions, version.environment_digest)
            environment = await shelf.keep(place, known)
        async with sessions.begin() as session:
            found = await session.get_one(Version, version.id)
            found.source_archive, found.environment_archive = source, environment
    return len(here)


async def _fail(sessions: Sessions, build_id: UUID, report: Report, message: str) -> None:
    report(message)
    async with sessions.begin() as session:
        build = await session.get_one(Build, build_id)
        await catalog.mark_failed(session, build.version_id)
        await _end(session, build_id, BuildState.FAILED, report, message)


async def _end(
    session: AsyncSession, build_id: UUID, state: BuildState, report: Report, message: str
) -> None:
    await session.execute(
        update(Build)
        .where(col(Build.id) == build_id)
        .values(
            state=state, phase=report.phase, log=report.text, message=message[:2000],
            finished_at=now(),
        )
    )  # fmt: skip


@asynccontextmanager
async def _reporting(sessions: Sessions, build_id: UUID) -> AsyncIterator[Report]:
    """Write the log and the sign of life of a build while it goes on."""
    report = Report()

    async def write() -> None:
        while True:
            async with sessions.begin() as session:
                await session.execute(
                    update(Build)
                    .where(col(Build.id) == build_id, col(Build.state) == BuildState.RUNNING)
                    .values(phase=report.phase, log=report.text, seen_at=now())
                )
            await asyncio.sleep(SEEN_EVERY_S)

    writing = asyncio.create_task(write())
    try:
        yield report
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing


def tidy(home: Path) -> None:
    """Drop what builds that died left half made."""
    for place in places.versions(home).glob("*.part"):
        shutil.rmtree(place, ignore_errors=True)
