"""The starter catalog: real algorithms of our own, published at start like any author's."""

from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from billing import ledger
from catalog.models import Algorithm, Version, VersionState
from core.accounts import service as accounts
from core.accounts.models import Account, AccountKind
from core.db import Sessions
from core.errors import BuildFailed, Conflict
from execution.builds import tasks
from execution.builds.shelf import Shelf
from execution.builds.source import Project, read_project
from execution.languages import registry

log = structlog.get_logger()

OWNER = "algorium"
FOLDER = Path(__file__).resolve().parent.parent / "examples"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the starter catalog has come, in algorithms."""

    live: int
    building: int
    failed: int
    total: int

    @property
    def done(self) -> bool:
        """Whether nothing of it is still on its way."""
        return self.live + self.failed >= self.total


def folders() -> list[Path]:
    """The project folders of the starter catalog, in the order of their names.

    Those in languages that this machine lacks are no part of it.
    """
    if not FOLDER.is_dir():
        return []
    projects = (place for place in FOLDER.iterdir() if (place / "algorium.toml").is_file())
    return sorted(place for place in projects if registry.can_run(place))


async def submit_missing(sessions: Sessions, shelf: Shelf, *, calls_others: bool) -> int:
    """Queue the builds of what isn't published yet; tells how many.

    Those that call others are queued in a second go: their samples need the others live.
    """
    owner = await _owner(sessions)
    queued = 0
    for folder in folders():
        try:
            project = read_project(folder)
            if project.draft.calls_others is calls_others and await _missing(
                sessions, owner, project
            ):
                await tasks.submit(sessions, shelf, owner.id, project)
                queued += 1
        except Conflict:
            continue
        except BuildFailed as error:
            log.warning("a starter algorithm was left out", folder=folder.name, why=error.message)
    return queued


async def waits_only_for_callers(sessions: Sessions) -> bool:
    """Whether everything that calls no others has ended its build, one way or the other."""
    callers = sum(read_project(folder).draft.calls_others for folder in folders())
    async with sessions() as session:
        return (await progress(session)).building <= callers


async def progress(session: AsyncSession) -> Progress:
    """Count the starter catalog by state."""
    rows = await session.execute(
        select(
            col(Algorithm.name),
            col(Algorithm.live_version_id),
            func.bool_and(col(Version.state) == VersionState.FAILED),
        )
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .join(Version, col(Version.algorithm_id) == col(Algorithm.id))
        .where(Account.name_key == OWNER)
        .group_by(col(Algorithm.id))
    )
    names = {folder.name for folder in folders()}
    known = [row for row in rows if row[0] in names]
    live = sum(1 for row in known if row[1] is not None)
    failed = sum(1 for row in known if row[1] is None and row[2])
    return Progress(live=live, building=len(names) - live - failed, failed=failed, total=len(names))


async def _owner(sessions: Sessions) -> Account:
    async with sessions.begin() as session:
        owner = await session.scalar(select(Account).where(Account.name_key == OWNER))
        if owner is None:
            owner = await accounts.add_account(session, OWNER, kind=AccountKind.ORGANIZATION)
        await ledger.open_wallet(session, owner.id)
    return owner


async def _missing(sessions: Sessions, owner: Account, project: Project) -> bool:
    major, minor, revision = project.draft.number
    async with sessions() as session:
        state = await session.scalar(
            select(Version.state)
            .join(Algorithm, col(Algorithm.id) == col(Version.algorithm_id))
            .where(
                Algorithm.owner_id == owner.id,
                Algorithm.name_key == project.draft.name.lower(),
                Version.major == major,
                Version.minor == minor,
                Version.revision == revision,
            )
        )
    return state is None or state is VersionState.FAILED
