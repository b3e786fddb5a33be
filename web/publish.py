"""`algorium publish`: hands a folder in and shows its build until it has ended."""

import asyncio
from pathlib import Path

import click

from catalog.models import Algorithm, Version
from core.accounts import queries
from core.db import Sessions
from core.errors import BuildFailed
from core.settings import Settings
from execution.builds import tasks
from execution.builds.source import read_project
from execution.data.store import StoreFailed
from execution.models import Build, BuildState
from web.shelf import shelf_of

POLL_S = 0.3


async def publish(sessions: Sessions, settings: Settings, folder: Path, owner: str) -> int:
    """Publish a folder as the owner's; gives the command's exit status.

    Raises BuildFailed for what the folder lacks and where it can't be kept, Conflict where the
    number is taken.
    """
    project = await asyncio.to_thread(read_project, folder)
    async with sessions() as session:
        account = await queries.account_named(session, owner)
    try:
        build_id = await tasks.submit(sessions, shelf_of(settings), account.id, project)
    except StoreFailed as error:
        raise BuildFailed(f"{error} Nothing was published.") from error
    build = await _watch(sessions, build_id)
    if build.state is BuildState.FAILED:
        click.echo("The build failed; earlier versions are as they were.", err=True)
        return 1
    async with sessions() as session:
        version = await session.get_one(Version, build.version_id)
        algorithm = await session.get_one(Algorithm, version.algorithm_id)
    reference = f"{account.name}/{algorithm.name}"
    click.echo(f"Page:  {settings.url}/algorithms/{reference}")
    click.echo(f"Call:  POST {settings.url}/v1/algo/{reference}/{version.number}")
    return 0


async def _watch(sessions: Sessions, build_id: object) -> Build:
    shown = 0
    while True:
        async with sessions() as session:
            build = await session.get_one(Build, build_id)
        lines = build.log.split("\n") if build.log else []
        ended = build.state in {BuildState.SUCCEEDED, BuildState.FAILED}
        # The last line may still grow while the build goes on.
        for line in lines[shown:]:
            click.echo(line)
        shown = max(shown, len(lines))
        if ended:
            return build
        await asyncio.sleep(POLL_S)
