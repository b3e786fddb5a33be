"""The index follows the catalog, and holds what is listed and nothing else."""

from uuid import UUID

import pytest
from sqlmodel import col, select, update

from catalog import service
from catalog.access import listed
from catalog.models import Algorithm, Category, Visibility
from core.accounts.actor import Actor
from core.clock import now
from core.db import Sessions
from search.query import SearchQuery
from search.tantivy_index import TantivyIndex
from search.tasks import Follower
from tests.people import add_algorithm, add_person


@pytest.fixture
def index() -> TantivyIndex:
    return TantivyIndex()


@pytest.fixture
def follower(sessions: Sessions, index: TantivyIndex) -> Follower:
    return Follower(sessions, index)


async def names(index: TantivyIndex, text: str = "") -> set[str]:
    results = await index.search(SearchQuery.from_params({"q": text}))
    assert sum(results.categories.values()) == results.total == len(results.hits)
    return {hit.card.name for hit in results.hits}


async def change(sessions: Sessions, algorithm_id: UUID, **values: object) -> None:
    async with sessions.begin() as session:
        await session.execute(
            update(Algorithm)
            .where(col(Algorithm.id) == algorithm_id)
            .values(changed_at=now(), **values)
        )


async def test_what_goes_live_is_found_and_what_is_hidden_is_not(
    sessions: Sessions, index: TantivyIndex, follower: Follower
) -> None:
    author = await add_person(sessions, "author")
    await follower.catch_up()
    assert await names(index) == set()

    shown, _ = await add_algorithm(sessions, author.id, "Shown", readme="A zebra.")
    await follower.catch_up()
    assert await names(index, "zebra") == {"Shown"}

    await change(sessions, shown.id, visibility=Visibility.PRIVATE)
    await follower.catch_up()
    assert await names(index, "zebra") == set()

    await change(sessions, shown.id, visibility=Visibility.PUBLIC, summary="A quagga")
    await follower.catch_up()
    assert await names(index, "quagga") == {"Shown"}


async def test_hits_and_counts_agree_with_the_rule_of_what_is_listed(
    sessions: Sessions, index: TantivyIndex, follower: Follower
) -> None:
    author = await add_person(sessions, "author")
    for visibility in Visibility:
        for live in (True, False):
            for category in (Category.TEXT, Category.DATA):
                name = f"{visibility.value}_{live}_{category.value}"
                await add_algorithm(
                    sessions, author.id, name,
                    visibility=visibility, live=live, category=category,
                )  # fmt: skip
    await follower.catch_up()

    async with sessions() as session:
        expected = set(await session.scalars(select(Algorithm.name).where(listed())))
    assert await names(index) == expected == {"public_True_text", "public_True_data"}


async def test_a_rating_moves_equals(
    sessions: Sessions, index: TantivyIndex, follower: Follower
) -> None:
    author = await add_person(sessions, "author")
    reader = await add_person(sessions, "reader")
    await add_algorithm(sessions, author.id, "Aaa", summary="Same words")
    other, _ = await add_algorithm(sessions, author.id, "Zzz", summary="Same words")
    await follower.catch_up()

    async with sessions.begin() as session:
        algorithm = await session.get_one(Algorithm, other.id)
        await service.rate(session, Actor(account_id=reader.id), algorithm, 5)
    await follower.catch_up()

    results = await index.search(SearchQuery.from_params({"q": "same words"}))
    assert [hit.card.name for hit in results.hits] == ["Zzz", "Aaa"]
    assert results.hits[0].card.stars.count == 1
