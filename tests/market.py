"""A market whose algorithms run in real sandboxes, in this process, without Ray."""

from dataclasses import dataclass
from pathlib import Path

from billing.ledger import Ledger
from catalog.models import Algorithm, Version
from catalog.names import Reference
from core.accounts.actor import Actor
from core.accounts.models import Account
from core.db import Sessions
from execution.builds import places
from execution.builds.shelf import Shelf
from execution.calls import NESTED_BUDGET, Answer, Caller, CallOptions
from execution.messages import Run
from execution.outcome import ContentType, Outcome, Payload
from execution.pool import Bounds, Pool
from execution.sandbox.limits import Limits
from execution.sandbox.nesting import OnCall
from tests.people import add_algorithm


class LocalCluster:
    """One pool of real sandboxes. Tells how many runs it was asked for."""

    def __init__(self, home: Path) -> None:
        self.shelf = Shelf(home)
        self.pool = Pool(Bounds(slots=6, per_version=4), Limits())
        self.runs = 0

    async def invoke(self, run: Run, on_call: OnCall | None = None) -> Outcome:
        """Run it here."""
        self.runs += 1
        async with self.shelf.placed(run.artefact) as artefact:
            return await self.pool.run(
                artefact,
                run.payload,
                timeout_s=run.timeout_s,
                wants_stdout=run.wants_stdout,
                on_call=on_call,
                payer=run.payer,
                depth=run.depth,
            )

    async def ready(self) -> bool:
        """It always is."""
        return True


@dataclass
class Market:
    """An author with algorithms, a payer, and the way to call."""

    sessions: Sessions
    money: Ledger
    home: Path
    environment: str
    cluster: LocalCluster
    caller: Caller
    author: Account
    payer: Account

    async def publish(self, name: str, code: str, **more: object) -> tuple[Algorithm, Version]:
        """Make code callable without resolving anything."""
        algorithm, version = await add_algorithm(self.sessions, self.author.id, name, **more)  # type: ignore[arg-type]
        source = places.source_of(self.home, version.id) / "src"
        source.mkdir(parents=True, exist_ok=True)
        (source / f"{name}.py").write_text(code)
        link = places.environment_of(self.home, version.environment_digest)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(self.environment)
        return algorithm, version

    async def call(
        self,
        reference: str,
        value: bytes = b"1",
        *,
        actor: Actor | None = None,
        timeout_s: float | None = 20,
        kind: ContentType = ContentType.JSON,
        wants_stdout: bool = False,
        budget: int = NESTED_BUDGET,
    ) -> Answer:
        """Call as the payer, unless somebody else is named."""
        return await self.caller.call(
            actor or Actor(account_id=self.payer.id, name="payer"),
            Reference.parse(reference),
            Payload(kind, value),
            CallOptions(timeout_s=timeout_s, wants_stdout=wants_stdout, budget=budget),
        )


def actor_of(account: Account) -> Actor:
    """Somebody who asks."""
    return Actor(account_id=account.id, name=account.name)
