"""The command `algorium`: what an operator and a script do."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from core.errors import MarketError
from core.settings import Settings

# Each command imports what it needs: the database's layer alone takes a second.
if TYPE_CHECKING:
    from core.db import Sessions

Result = TypeVar("Result")


class Commands(click.Group):
    """Commands whose refusals are one sentence and exit status 2."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a refusal ends it with its own words."""
        try:
            return super().invoke(ctx)
        except MarketError as error:
            click.echo(f"algorium: {error.message}", err=True)
            sys.exit(2)


@click.group(cls=Commands)
def main() -> None:
    """Run and operate an Algorium marketplace."""


@main.command()
def up() -> None:
    """Run the whole installation until Ctrl-C."""
    from web.up import supervisor

    sys.exit(supervisor.main(Settings.from_environment()))


@main.command()
def doctor() -> None:
    """Check what this machine must have."""
    from web.up import checks

    sys.exit(checks.doctor(Settings.from_environment()))


@main.command()
def serve() -> None:
    """Serve pages and calls; `up` does it for you."""
    from web.serve import serve as run

    run(Settings.from_environment())


@main.command()
def worker() -> None:
    """Build versions, deploy pools, sweep; `up` does it for you."""
    from web.worker import work

    asyncio.run(work(Settings.from_environment()))


@main.command()
def migrate() -> None:
    """Bring the database's schema up to date; `up` does it for you."""
    from core import db

    settings = Settings.from_environment()
    db.migrate(_database(settings))


@main.group()
def users() -> None:
    """People."""


@users.command("add")
@click.argument("name")
@click.option("--email", default="", help="The address that the person is reached at.")
@click.option("--admin", is_flag=True, help="Whether the person operates this installation.")
def add_user(name: str, email: str, *, admin: bool) -> None:
    """Make an account with the sign-up grant."""
    from billing import ledger
    from billing.pricing import SIGN_UP_GRANT, credits_text
    from core.accounts import service as accounts

    async def run(sessions: "Sessions") -> None:
        async with sessions.begin() as session:
            account = await accounts.add_account(session, name, email=email, is_admin=admin)
            await ledger.open_wallet(session, account.id)
            await ledger.grant(session, account.id, SIGN_UP_GRANT, "sign-up grant")

    _with_database(run)
    click.echo(f"{name} has an account with {credits_text(SIGN_UP_GRANT)} credits.")


@main.group()
def keys() -> None:
    """Keys of programs."""


@keys.command("add")
@click.argument("name")
@click.option("--label", default="command line", help="What the key is for.")
def add_key(name: str, label: str) -> None:
    """Make a key for NAME and print it, alone. It can't be shown again."""
    from core.accounts import queries
    from core.accounts import service as accounts

    async def run(sessions: "Sessions") -> str:
        async with sessions.begin() as session:
            account = await queries.account_named(session, name)
            _, text = await accounts.add_key(session, account.id, label)
        return text

    click.echo(_with_database(run))


@main.group("credits")
def credit() -> None:
    """Credit of accounts."""


@credit.command("grant")
@click.argument("name")
@click.argument("amount")
def grant(name: str, amount: str) -> None:
    """Give NAME an AMOUNT of credits at the house's expense."""
    from billing import ledger
    from billing.pricing import credits_text, parse_credits
    from core.accounts import queries

    microcredits = parse_credits(amount)

    async def run(sessions: "Sessions") -> int:
        async with sessions.begin() as session:
            account = await queries.account_named(session, name)
            await ledger.grant(session, account.id, microcredits, "granted by the operator")
            return (await ledger.wallet_of(session, account.id)).balance

    click.echo(f"{name} has {credits_text(_with_database(run))} credits.")


@main.group()
def books() -> None:
    """The books."""


@books.command("verify")
def verify() -> None:
    """Recompute every balance from its entries; status 1 where something differs."""
    from billing import ledger

    async def run(sessions: "Sessions") -> list[str]:
        async with sessions() as session:
            return await ledger.differences(session)

    found = _with_database(run)
    for line in found:
        click.echo(line)
    if found:
        sys.exit(1)
    click.echo("The books agree.")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--owner", required=True, help="The account that the algorithm belongs to.")
def publish(folder: Path, owner: str) -> None:
    """Build FOLDER and make it callable as OWNER/Name, when its sample runs."""
    from web.publish import publish as run

    settings = Settings.from_environment()
    sys.exit(_with_database(lambda sessions: run(sessions, settings, folder.resolve(), owner)))


def _database(settings: Settings) -> str:
    from web.up.postgres import database_url

    return settings.database_url or database_url(settings.home)


def _with_database(run: "Callable[[Sessions], Awaitable[Result]]") -> Result:
    """Run against the database of the running installation of ALGORIUM_HOME."""
    from core import db

    settings = Settings.from_environment()

    async def connected() -> Result:
        async with db.connected(_database(settings)) as sessions:
            return await run(sessions)

    try:
        return asyncio.run(connected())
    except OSError as error:
        raise MarketError(
            f"The installation in {settings.home} doesn't run: its database can't be reached. "
            "Start it with `make up`."
        ) from error


if __name__ == "__main__":
    main()
