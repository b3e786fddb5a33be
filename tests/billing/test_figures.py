"""Figures of an algorithm's calls, with their n."""

from datetime import timedelta
from uuid import uuid4

from billing.figures import calls_by_algorithm, figures_of, most_called
from billing.models import Call, CallState
from catalog.models import Algorithm, Version
from core.clock import now
from core.db import Sessions
from tests.people import add_algorithm, add_person


def call(of: tuple[Algorithm, Version], ms: float, *, days: int = 0, **more: object) -> Call:
    algorithm, version = of
    return Call(
        id=uuid4(), account_id=algorithm.owner_id, algorithm_id=algorithm.id,
        version_id=version.id, state=more.get("state", CallState.SUCCEEDED), duration_ms=ms,
        started_ms=more.get("started_ms", 0.0), created_at=now() - timedelta(days=days),
    )  # fmt: skip


async def test_warm_and_cold_calls_are_told_apart(sessions: Sessions) -> None:
    author = await add_person(sessions, "author")
    one = await add_algorithm(sessions, author.id, "One")
    async with sessions.begin() as session:
        session.add_all(call(one, ms) for ms in (10, 20, 90))
        session.add_all(call(one, ms, started_ms=300.0) for ms in (400, 800))
        session.add(call(one, 5, state=CallState.FAILED))
        session.add(call(one, 5, days=31))
    async with sessions() as session:
        figures = await figures_of(session, one[0].id)

    assert (figures.calls, figures.succeeded) == (6, 5)
    assert (figures.warm.count, figures.warm.p50_ms) == (3, 20.0)
    assert (figures.cold.count, figures.cold.p50_ms) == (2, 600.0)
    assert not figures.is_telling


async def test_an_algorithm_that_nobody_called_has_figures_too(sessions: Sessions) -> None:
    async with sessions() as session:
        figures = await figures_of(session, uuid4())

    assert (figures.calls, figures.success, figures.warm.count) == (0, 0.0, 0)


async def test_the_most_called_come_first(sessions: Sessions) -> None:
    author = await add_person(sessions, "author")
    few = await add_algorithm(sessions, author.id, "Few")
    many = await add_algorithm(sessions, author.id, "Many")
    async with sessions.begin() as session:
        session.add_all([call(few, 1), call(many, 1), call(many, 1), call(few, 1, days=40)])
    async with sessions() as session:
        assert list((await most_called(session, 5)).items()) == [(many[0].id, 2), (few[0].id, 1)]
        assert await calls_by_algorithm(session) == {many[0].id: 2, few[0].id: 1}
