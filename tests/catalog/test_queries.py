"""What pages read of the catalog, and who gets to see it."""

import pytest

from catalog import queries, service
from catalog.models import Algorithm, Category, VersionState, Visibility
from catalog.names import Selector
from core.accounts.actor import VISITOR, Actor
from core.accounts.models import Account
from core.db import Sessions
from core.errors import NotFound
from tests.people import add_algorithm, add_person


@pytest.fixture
async def author(sessions: Sessions) -> Account:
    return await add_person(sessions, "Author")


async def test_names_are_found_in_any_case(sessions: Sessions, author: Account) -> None:
    await add_algorithm(sessions, author.id, "Shout")
    async with sessions() as session:
        found = await queries.listing(session, VISITOR, "AUTHOR", "shout", Selector())

    assert found.full_name == "Author/Shout"


async def test_what_is_large_is_read_of_one_version_alone(
    sessions: Sessions, author: Account
) -> None:
    for number in ((1, 0, 0), (2, 0, 0)):
        await add_algorithm(sessions, author.id, number=number, sample_input=b"x" * 100_000)
    async with sessions() as session:
        found = await queries.listing(session, VISITOR, "author", "Shout", Selector.parse("1"))

    assert found.version is not None
    large = {"readme", "sample_input", "sample_output"}
    assert [large & vars(one).keys() for one in found.versions] == [set(), large]


async def test_a_selector_picks_among_live_versions(sessions: Sessions, author: Account) -> None:
    for number in ((1, 0, 0), (1, 2, 0), (2, 0, 0)):
        await add_algorithm(sessions, author.id, number=number)
    await add_algorithm(sessions, author.id, number=(1, 3, 0), live=False)

    async def picked(text: str, actor: Actor = VISITOR) -> str:
        async with sessions() as session:
            found = await queries.listing(session, actor, "author", "Shout", Selector.parse(text))
        return found.version.number if found.version else ""

    assert [await picked(text) for text in ("", "1", "1.0.*", "1.2.0")] == [
        "2.0.0", "1.2.0", "1.0.0", "1.2.0"
    ]  # fmt: skip
    for text in ("3", "1.9.9", "1.3.0"):
        with pytest.raises(NotFound):
            await picked(text)
    assert await picked("1.3.0", Actor(account_id=author.id)) == "1.3.0"


async def test_what_is_hidden_is_its_owners_alone(sessions: Sessions, author: Account) -> None:
    other = await add_person(sessions, "other")
    await add_algorithm(sessions, author.id, "Secret", visibility=Visibility.PRIVATE)
    await add_algorithm(sessions, author.id, "Unbuilt", live=False)

    async with sessions() as session:
        for name in ("Secret", "Unbuilt"):
            for actor in (VISITOR, Actor(account_id=other.id)):
                with pytest.raises(NotFound):
                    await queries.listing(session, actor, "author", name, Selector())
        owner = Actor(account_id=author.id)
        assert (await queries.listing(session, owner, "author", "Secret", Selector())).version
        unbuilt = await queries.listing(session, owner, "author", "Unbuilt", Selector())
        assert unbuilt.version is None
        assert [one.state for one in unbuilt.versions] == [VersionState.QUEUED]
        assert await queries.cards_by(session, author.id) == []
        assert await queries.recently_added(session, 10) == []
        assert sum((await queries.categories(session)).values()) == 0


async def test_one_five_star_rating_does_not_lead(sessions: Sessions, author: Account) -> None:
    readers = [await add_person(sessions, f"reader{n}") for n in range(8)]
    proven, _ = await add_algorithm(sessions, author.id, "Proven", category=Category.DATA)
    lucky, _ = await add_algorithm(sessions, author.id, "Lucky")
    await add_algorithm(sessions, author.id, "Unrated")
    async with sessions.begin() as session:
        for algorithm_id, stars, count in ((proven.id, 5, 8), (lucky.id, 5, 1)):
            algorithm = await session.get_one(Algorithm, algorithm_id)
            for reader in readers[:count]:
                await service.rate(session, Actor(account_id=reader.id), algorithm, stars)

    async with sessions() as session:
        best = await queries.top_rated(session, 10)
        assert [card.name for card in best] == ["Proven", "Lucky"]
        assert best[0].stars == queries.Stars(5.0, 8)
        assert (await queries.categories(session))[Category.DATA] == 1


async def test_cards_come_in_the_order_of_their_ids(sessions: Sessions, author: Account) -> None:
    ids = [(await add_algorithm(sessions, author.id, name))[0].id for name in ("A", "B", "C")]
    async with sessions() as session:
        cards = await queries.cards_of(session, reversed(ids))

    assert [card.name for card in cards] == ["C", "B", "A"]
