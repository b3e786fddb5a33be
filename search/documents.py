"""What the index knows of an algorithm, read from the catalog.

Only what `catalog.access.listed` selects is ever in the index: hits and counts are the same
for everybody, so that nothing private can show through either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog import queries
from catalog.models import Algorithm, Version
from catalog.queries import Card

README_LENGTH = 20_000


@dataclass(frozen=True, slots=True)
class Document:
    """One algorithm as it is found and shown. `calls` are those of the last 30 days."""

    card: Card
    readme: str = ""
    calls: int = 0

    @property
    def id(self) -> UUID:
        """The algorithm's id."""
        return self.card.id

    @property
    def standing(self) -> int:
        """What decides between equally good hits: stars first, then calls."""
        return round(self.card.score * 1000) * 1_000_000 + min(self.calls, 999_999)

    def without_text(self) -> "Document":
        """Give what is enough to show a hit."""
        return replace(self, readme="")


async def changes(session: AsyncSession, since: datetime | None = None) -> dict[UUID, datetime]:
    """Tell which algorithms, listed or not, have changed since a moment, and when."""
    statement = select(Algorithm.id, Algorithm.changed_at)
    if since is not None:
        statement = statement.where(col(Algorithm.changed_at) > since)
    return dict(iter(await session.execute(statement)))


async def read(
    session: AsyncSession, algorithm_ids: Sequence[UUID], calls: Mapping[UUID, int]
) -> tuple[list[Document], set[UUID]]:
    """Give the documents of those algorithms, and the ids of those that aren't listed."""
    cards = await queries.cards_of(session, algorithm_ids)
    readmes = await _readmes(session, [card.version_id for card in cards])
    documents = [
        Document(card, readmes.get(card.version_id, ""), calls.get(card.id, 0)) for card in cards
    ]
    return documents, set(algorithm_ids) - {card.id for card in cards}


async def _readmes(session: AsyncSession, version_ids: Sequence[UUID]) -> dict[UUID, str]:
    texts: dict[UUID, str] = {}
    for start in range(0, len(version_ids), queries.CHUNK):
        rows = await session.execute(
            select(Version.id, Version.readme).where(
                col(Version.id).in_(version_ids[start : start + queries.CHUNK])
            )
        )
        texts |= {version_id: readme[:README_LENGTH] for version_id, readme in rows}
    return texts
