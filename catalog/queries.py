"""Reads of the catalog. What an actor may not see isn't found by any of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy import select as columns
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col, func, select

from catalog.access import listed, visible_to
from catalog.models import Algorithm, Category, Rating, Version, VersionState
from catalog.names import Number, Selector, newest
from core.accounts.actor import Actor
from core.accounts.models import Account
from core.errors import NotFound

# Rows that one statement names by their ids at most.
CHUNK = 1000
# A few stars say little: an algorithm is judged as if it had five more ratings of 3.5.
PRIOR_COUNT, PRIOR_STARS = 5, 3.5

LABELS = {
    Category.TEXT: "Text",
    Category.VISION: "Vision",
    Category.AUDIO: "Audio",
    Category.OPERATIONS: "Planning",
    Category.DATA: "Data",
    Category.UTILITIES: "Utilities",
}

# The sum and the number of ratings of each algorithm that has any.
_STARS = (
    select(
        Rating.algorithm_id,
        func.sum(col(Rating.stars)).label("total"),
        func.count().label("count"),
    )
    .group_by(col(Rating.algorithm_id))
    .subquery("stars")
)


@dataclass(frozen=True, slots=True)
class Stars:
    """What people think: the average of `count` ratings."""

    average: float = 0.0
    count: int = 0

    @property
    def score(self) -> float:
        """The average, drawn to the middle where there are few ratings; for ordering."""
        return (self.average * self.count + PRIOR_STARS * PRIOR_COUNT) / (self.count + PRIOR_COUNT)


@dataclass(frozen=True, slots=True)
class Card:
    """An algorithm as lists show it, by its newest live version."""

    id: UUID
    owner: str
    name: str
    summary: str
    category: str
    tags: tuple[str, ...]
    version_id: UUID
    number: str
    royalty: int
    stars: Stars
    created_at: datetime

    @property
    def full_name(self) -> str:
        """The name with its owner's, `owner/Name`."""
        return f"{self.owner}/{self.name}"

    @property
    def score(self) -> float:
        """How well it is thought of; for ordering."""
        return self.stars.score


@dataclass(frozen=True, slots=True)
class Listing:
    """One algorithm with its owner's name, and the version that was asked for.

    `version` is None where the owner looks at an algorithm that has no live version yet.
    """

    algorithm: Algorithm
    owner: str
    versions: Sequence[Version]
    version: Version | None

    @property
    def full_name(self) -> str:
        """The name with its owner's, `owner/Name`."""
        return f"{self.owner}/{self.algorithm.name}"


# What a version may have megabytes of.
_LARGE = ("readme", "sample_input", "sample_output")


def lightly() -> list[Any]:
    """Give the options that read versions without what is large in them."""
    return [
        defer(col(Version.readme), raiseload=True),  # type: ignore[arg-type]
        defer(col(Version.sample_input), raiseload=True),  # type: ignore[arg-type]
        defer(col(Version.sample_output), raiseload=True),  # type: ignore[arg-type]
    ]


async def listing(
    session: AsyncSession, actor: Actor, owner: str, name: str, selector: Selector
) -> Listing:
    """Find an algorithm for its page, with its versions, the newest first.

    Versions that aren't live are the owner's alone to see. Raises NotFound. Samples and READMEs
    are read of the version that was asked for alone: all of them together may be very large.
    """
    if "\0" in owner + name:  # which the database refuses to look for
        raise NotFound("There is no algorithm of that name.")
    row = (
        await session.execute(
            select(Algorithm, Account.name)
            .join(Account, col(Account.id) == col(Algorithm.owner_id))
            .where(
                Account.name_key == owner.lower(),
                Algorithm.name_key == name.lower(),
                visible_to(actor),
            )
        )
    ).first()
    if row is None:
        raise NotFound(f"There is no algorithm named {owner[:64]}/{name[:64]}.")
    algorithm, owner_name = row
    statement = (
        select(Version)
        .where(Version.algorithm_id == algorithm.id)
        .options(*lightly())
        .order_by(
            col(Version.major).desc(), col(Version.minor).desc(), col(Version.revision).desc()
        )
    )
    if not actor.owns(algorithm.owner_id):
        statement = statement.where(col(Version.state) == VersionState.LIVE)
    versions = (await session.scalars(statement)).all()
    version = _selected(versions, selector)
    if version is None and (selector.parts or not actor.owns(algorithm.owner_id)):
        wanted = ".".join(str(part) for part in selector.parts)
        raise NotFound(f"{owner_name}/{algorithm.name} has no version {wanted}.")
    if version is not None:
        await session.refresh(version, _LARGE)
    return Listing(algorithm, owner_name, versions, version)


async def stars_of(session: AsyncSession, algorithm_id: UUID) -> Stars:
    """Give the average rating of one algorithm with its n."""
    row = await session.execute(
        select(func.avg(col(Rating.stars)), func.count()).where(Rating.algorithm_id == algorithm_id)
    )
    average, count = row.one()
    return Stars(float(average or 0), count)


async def given_stars(session: AsyncSession, actor: Actor, algorithm_id: UUID) -> int:
    """Tell how many stars the actor has given; 0 where none."""
    if actor.account_id is None:
        return 0
    given = await session.get(Rating, (algorithm_id, actor.account_id))
    return given.stars if given else 0


async def categories(session: AsyncSession) -> dict[Category, int]:
    """Count what is listed in each category; every category is there, also an empty one."""
    rows = await session.execute(
        select(Algorithm.category, func.count()).where(listed()).group_by(col(Algorithm.category))
    )
    counts = {Category(category): count for category, count in rows}
    return {category: counts.get(category, 0) for category in Category}


async def top_rated(session: AsyncSession, limit: int) -> list[Card]:
    """List the best thought of, those that anybody has rated."""
    total, count = _STARS.c.total, _STARS.c.count
    score = (total + PRIOR_STARS * PRIOR_COUNT) / (count + PRIOR_COUNT)
    return await _cards(
        session, listed(), count > 0, order=(score.desc(), count.desc()), limit=limit
    )


async def recently_added(session: AsyncSession, limit: int) -> list[Card]:
    """List what was published last."""
    return await _cards(session, listed(), order=(col(Algorithm.created_at).desc(),), limit=limit)


async def cards_of(session: AsyncSession, algorithm_ids: Iterable[UUID]) -> list[Card]:
    """Give the cards of those algorithms that are listed, in the order of the ids."""
    ids = list(algorithm_ids)
    found: dict[UUID, Card] = {}
    for start in range(0, len(ids), CHUNK):
        chunk = col(Algorithm.id).in_(ids[start : start + CHUNK])
        found |= {card.id: card for card in await _cards(session, listed(), chunk)}
    return [found[one] for one in ids if one in found]


async def cards_by(session: AsyncSession, owner_id: UUID) -> list[Card]:
    """List an owner's algorithms that everybody may see, by name."""
    mine = col(Algorithm.owner_id) == owner_id
    return await _cards(session, listed(), mine, order=(col(Algorithm.name_key),), limit=500)


async def _cards(
    session: AsyncSession,
    *where: ColumnElement[bool],
    order: Sequence[Any] = (),
    limit: int | None = None,
) -> list[Card]:
    chosen: list[Any] = [
        Algorithm, Account.name, Version.id, Version.major, Version.minor, Version.revision,
        Version.royalty, _STARS.c.total, _STARS.c.count,
    ]  # fmt: skip
    statement = (
        columns(*chosen)
        .join(Account, col(Account.id) == col(Algorithm.owner_id))
        .join(Version, col(Version.id) == col(Algorithm.live_version_id))
        .outerjoin(_STARS, _STARS.c.algorithm_id == col(Algorithm.id))
        .where(*where)
        .order_by(*order, col(Algorithm.id))
        .limit(limit)
    )
    rows = (await session.execute(statement)).all()
    return [_card(*row) for row in rows]


def _card(
    algorithm: Algorithm,
    owner: str,
    version_id: UUID,
    major: int,
    minor: int,
    revision: int,
    royalty: int,
    total: int | None,
    count: int | None,
) -> Card:
    return Card(
        id=algorithm.id,
        owner=owner,
        name=algorithm.name,
        summary=algorithm.summary,
        category=algorithm.category,
        tags=tuple(algorithm.tags),
        version_id=version_id,
        number=f"{major}.{minor}.{revision}",
        royalty=royalty,
        stars=Stars(total / count, count) if total and count else Stars(),
        created_at=algorithm.created_at,
    )


def _selected(versions: Sequence[Version], selector: Selector) -> Version | None:
    """Pick what callers would get; an exact number may also be one that isn't live."""
    exact: Number = selector.parts if len(selector.parts) == 3 else ()  # type: ignore[assignment]  # noqa: PLR2004
    by_number = {(one.major, one.minor, one.revision): one for one in versions}
    if exact:
        return by_number.get(exact)
    live = [number for number, one in by_number.items() if one.state is VersionState.LIVE]
    number = newest(live, selector)
    return by_number[number] if number is not None else None
