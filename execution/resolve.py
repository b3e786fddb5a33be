"""From a reference to what can be run, with a memory that lasts less than a second.

A hidden algorithm or a new version takes effect everywhere within a second, without a word
between gateways: nothing is remembered longer than `REMEMBERED_S`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from billing.models import Wallet
from catalog.access import visible_to
from catalog.models import Algorithm, Isolation, Version, VersionState
from catalog.names import Reference, newest
from catalog.queries import lightly
from core.accounts.actor import Actor
from core.accounts.models import Account
from core.db import Sessions
from core.errors import NotFound
from core.memory import Memory
from execution.builds import places
from execution.outcome import Artefact

REMEMBERED_S = 0.9
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Runnable:
    """A version that may be run for one payer: what it is, what it costs, who pays whom."""

    algorithm_id: UUID
    version_id: UUID
    number: str
    royalty: int
    hardware: str
    rate: int
    timeout_s: int
    idempotent: bool
    artefact: Artefact
    payer_id: UUID
    payer_wallet_id: UUID
    earner_wallet_id: UUID
    owned: bool


@dataclass(frozen=True, slots=True)
class _Wish:
    """What decides which version a reference means: only what differs in that is compared."""

    payer: UUID
    public_only: bool
    reference: Reference
    actor: Actor = field(compare=False)


class Resolver:
    """Finds what a reference means for an actor."""

    def __init__(self, sessions: Sessions, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._known: Memory[_Wish, Runnable] = Memory(
            self._find, lasts_s=REMEMBERED_S, largest=REMEMBERED, clock=clock
        )

    async def resolve(self, actor: Actor, reference: Reference) -> Runnable:
        """Find the version that `reference` selects. Raises NotFound, also for what is hidden."""
        if actor.account_id is None or "\0" in reference.owner + reference.name:
            raise NotFound(_absent(reference))
        return await self._known.get(_Wish(actor.account_id, actor.public_only, reference, actor))

    async def _find(self, wish: _Wish) -> Runnable:
        async with self._sessions() as session:
            return await self._read(session, wish.actor, wish.payer, wish.reference)

    async def _read(
        self, session: AsyncSession, actor: Actor, payer: UUID, reference: Reference
    ) -> Runnable:
        rows = await session.execute(
            select(Algorithm, Version)
            .join(Account, col(Account.id) == col(Algorithm.owner_id))
            .join(Version, col(Version.algorithm_id) == col(Algorithm.id))
            .where(
                Account.name_key == reference.owner.lower(),
                Algorithm.name_key == reference.name.lower(),
                Version.state == VersionState.LIVE,
                visible_to(actor),
            )
            .options(*lightly())
        )
        versions = {
            (version.major, version.minor, version.revision): (algorithm, version)
            for algorithm, version in rows
        }
        number = newest(versions, reference.selector)
        if number is None:
            raise NotFound(_no_version(reference) if versions else _absent(reference))
        algorithm, version = versions[number]
        found = await session.execute(
            select(Wallet.account_id, Wallet.id).where(
                col(Wallet.account_id).in_([payer, algorithm.owner_id])
            )
        )
        wallets = {row[0]: row[1] for row in found}
        return Runnable(
            algorithm_id=algorithm.id,
            version_id=version.id,
            number=version.number,
            royalty=version.royalty,
            hardware=version.hardware,
            rate=version.compute_rate,
            timeout_s=version.timeout_s,
            idempotent=version.idempotent,
            artefact=self._artefact(algorithm, version),
            payer_id=payer,
            payer_wallet_id=wallets[payer],
            earner_wallet_id=wallets[algorithm.owner_id],
            owned=actor.owns(algorithm.owner_id),
        )

    def _artefact(self, algorithm: Algorithm, version: Version) -> Artefact:
        return Artefact(
            version_id=str(version.id),
            name=algorithm.name,
            # Below the home of whichever machine runs it.
            source=str(places.source_of(Path(), version.id)),
            environment=places.environment_path(Path(), version.environment_digest),
            memory_mib=version.memory_mib,
            calls_others=version.calls_others,
            language=version.language,
            apart=version.isolation is Isolation.CALLER,
            source_archive=version.source_archive,
            environment_archive=version.environment_archive,
        )


def _absent(reference: Reference) -> str:
    version = ".".join(str(part) for part in reference.selector.parts)
    shown = f"{reference.owner}/{reference.name}" + (f"/{version}" if version else "")
    return (
        f"404: No such algorithm: {shown}. Check the spelling; a private one is called with its "
        "owner's key. Nothing was charged."
    )


def _no_version(reference: Reference) -> str:
    version = ".".join(str(part) for part in reference.selector.parts)
    return (
        f"404: {reference.owner}/{reference.name} has no version {version}. Its page lists those "
        "that it has. Nothing was charged."
    )
