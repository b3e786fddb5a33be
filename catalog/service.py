"""Changes to the catalog. The caller opens the transaction."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select, update

from catalog.models import (
    Algorithm,
    Category,
    Isolation,
    Rating,
    ReservationEnd,
    Version,
    VersionState,
    Visibility,
)
from catalog.names import Number, check_name
from catalog.scaling import Scaling, end_reservation
from core.accounts.actor import Actor
from core.clock import now
from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.hardware import DEFAULT


@dataclass(frozen=True, slots=True)
class Draft:
    """What an author hands in for one version, already checked for its form."""

    name: str
    summary: str
    category: Category
    tags: tuple[str, ...]
    licence: str
    number: Number
    royalty: int
    language: str = "python"
    readme: str = ""
    calls_others: bool = False
    memory_mib: int = 1024
    isolation: Isolation = Isolation.SHARED
    idempotent: bool = False
    timeout_s: int = 300
    hardware: str = DEFAULT.name
    # What that costs here, known when the version is handed in.
    compute_rate: int = DEFAULT.rate
    scaling: Scaling = field(default_factory=Scaling)
    visibility: Visibility = Visibility.PUBLIC
    sample_type: str | None = None
    sample_input: bytes | None = None
    source_digest: str = field(default="")


@dataclass(frozen=True, slots=True)
class Built:
    """What a build found out about a version."""

    environment_digest: str
    sample_output_type: str | None
    sample_output: bytes | None
    environment_archive: str = ""


async def submit_version(
    session: AsyncSession, owner_id: UUID, draft: Draft
) -> tuple[Algorithm, Version]:
    """Enter a version that is to be built, and its algorithm where it is the first one.

    A number whose earlier build failed may be used again, since nobody ever could call it.
    Raises Conflict where the number is taken.
    """
    algorithm = await _algorithm_for(session, owner_id, draft)
    major, minor, revision = draft.number
    earlier = await session.scalar(
        select(Version).where(
            Version.algorithm_id == algorithm.id,
            Version.major == major,
            Version.minor == minor,
            Version.revision == revision,
        )
    )
    if earlier is not None and earlier.state is not VersionState.FAILED:
        raise Conflict(
            f"{algorithm.name} {earlier.number} was published already, and a version never "
            "changes. Give the new one a higher number."
        )
    version = earlier or Version(
        algorithm_id=algorithm.id, major=major, minor=minor, revision=revision,
        state=VersionState.QUEUED, royalty=draft.royalty,
    )  # fmt: skip
    version.state = VersionState.QUEUED
    version.royalty = draft.royalty
    version.language = draft.language
    version.calls_others = draft.calls_others
    version.memory_mib = draft.memory_mib
    version.isolation = draft.isolation
    version.idempotent = draft.idempotent
    version.timeout_s = draft.timeout_s
    version.hardware = draft.hardware
    version.compute_rate = draft.compute_rate
    version.min_replicas = draft.scaling.min_replicas
    version.max_replicas = draft.scaling.max_replicas
    version.target_ongoing = draft.scaling.target_ongoing
    version.readme = draft.readme
    version.sample_type = draft.sample_type
    version.sample_input = draft.sample_input
    version.source_digest = draft.source_digest
    session.add(version)
    await session.flush()
    return algorithm, version


async def mark_building(session: AsyncSession, version_id: UUID) -> None:
    """Say that a build has begun."""
    await session.execute(
        update(Version)
        .where(col(Version.id) == version_id, col(Version.state) == VersionState.QUEUED)
        .values(state=VersionState.BUILDING)
    )


async def go_live(session: AsyncSession, version_id: UUID, draft: Draft, built: Built) -> None:
    """Make a built version callable; the listing then says what this version says of itself."""
    version = await session.get_one(Version, version_id, with_for_update=True)
    algorithm = await session.get_one(Algorithm, version.algorithm_id, with_for_update=True)
    version.state = VersionState.LIVE
    version.live_at = now()
    version.environment_digest = built.environment_digest
    version.environment_archive = built.environment_archive
    version.sample_output_type = built.sample_output_type
    version.sample_output = built.sample_output
    current = (
        await session.get(Version, algorithm.live_version_id) if algorithm.live_version_id else None
    )
    newer = current is None or _number(current) < _number(version)
    older = current if newer else version
    if older is not None:
        # Replicas are kept for the newest version alone.
        await end_reservation(session, older.id, ReservationEnd.REPLACED)
    if newer:
        algorithm.live_version_id = version.id
        algorithm.summary = draft.summary
        algorithm.category = draft.category
        algorithm.tags = list(draft.tags)
        algorithm.licence = draft.licence
    algorithm.changed_at = now()


async def mark_failed(session: AsyncSession, version_id: UUID) -> None:
    """Say that a version's build failed. What was live before stays live."""
    await session.execute(
        update(Version)
        .where(col(Version.id) == version_id, col(Version.state) != VersionState.LIVE)
        .values(state=VersionState.FAILED)
    )


async def rate(session: AsyncSession, actor: Actor, algorithm: Algorithm, stars: int) -> None:
    """Give an algorithm stars, or change those given before; 0 takes them back."""
    if actor.account_id is None:
        raise NotAllowed("Sign in to rate an algorithm.")
    if actor.owns(algorithm.owner_id):
        raise NotAllowed("An author can't rate an algorithm of their own.")
    if not 0 <= stars <= 5:  # noqa: PLR2004
        raise BadInput("A rating has 1 to 5 stars.")
    given = await session.get(Rating, (algorithm.id, actor.account_id))
    if stars == 0:
        if given is not None:
            await session.delete(given)
    else:
        await session.execute(
            insert(Rating)
            .values(
                algorithm_id=algorithm.id, account_id=actor.account_id, stars=stars,
                changed_at=now(),
            )
            .on_conflict_do_update(
                index_elements=["algorithm_id", "account_id"],
                set_={"stars": stars, "changed_at": now()},
            )
        )  # fmt: skip
    algorithm.changed_at = now()


async def _algorithm_for(session: AsyncSession, owner_id: UUID, draft: Draft) -> Algorithm:
    check_name(draft.name)
    fresh = Algorithm(
        owner_id=owner_id, name=draft.name, name_key=draft.name.lower(), summary=draft.summary,
        category=draft.category, tags=list(draft.tags), licence=draft.licence,
        visibility=draft.visibility,
    )  # fmt: skip
    await session.execute(
        insert(Algorithm)
        .values(fresh.model_dump())
        .on_conflict_do_nothing(index_elements=["owner_id", "name_key"])
    )
    found = await session.scalar(
        select(Algorithm)
        .where(Algorithm.owner_id == owner_id, Algorithm.name_key == fresh.name_key)
        .with_for_update()
    )
    if found is None:
        raise NotFound("The algorithm was removed in this very moment. Publish it again.")
    return found


def _number(version: Version) -> Number:
    return version.major, version.minor, version.revision
