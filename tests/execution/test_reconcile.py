"""From what versions need and what there is to the steps, and one worker that takes them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from sqlmodel import select

from catalog.models import Version
from core.db import Sessions
from core.errors import BuildFailed
from core.hardware import DEFAULT, PROFILES, Node, offered
from execution.applications import POOL, Found, Wish, own_application, version_of
from execution.channel.links import Entry
from execution.hardware import chosen, offers
from execution.models import Application
from execution.ray_applications import RayApplications
from execution.reconcile import Deploy, Reconciler, Remove, plan
from execution.scaling import BUSY_S, IDLE_S
from tests.execution.serve import Serve
from tests.people import add_algorithm, add_person

ONE, TWO = Wish(1, "f"), Wish(2, "f")


def test_what_is_there_is_left_alone() -> None:
    found = {"a": Found(ONE, running=0), "b": Found(TWO, running=2)}
    assert plan({"a": ONE, "b": TWO}, found) == []


def test_what_frees_room_comes_first() -> None:
    found = {"big": Found(TWO, 2), "gone": Found(ONE, 1), "going": Found(ONE, 1, is_leaving=True)}
    assert plan({"new": ONE, "big": ONE}, found) == [
        Remove("gone"),
        Deploy("big", ONE),
        Deploy("new", ONE),
    ]


def test_what_runs_other_code_or_has_failed_is_asked_for_again() -> None:
    found = {"old": Found(Wish(1, "e"), 1), "failed": Found(ONE, 0, has_failed=True)}
    assert plan({"old": ONE, "failed": ONE}, found) == [Deploy("old", ONE), Deploy("failed", ONE)]


def test_an_application_tells_whose_own_it_is() -> None:
    version = Version(algorithm_id=None, major=1, minor=0, revision=0, royalty=0)  # type: ignore[arg-type]
    assert version_of(own_application(version.id)) == version.id
    assert version_of(POOL) is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def versions(sessions: Sessions) -> list[Version]:
    author = await add_person(sessions, "author")
    return [(await add_algorithm(sessions, author.id, f"Algo{n}"))[1] for n in range(2)]


def reconciler(sessions: Sessions, serve: Serve, clock: Clock) -> Reconciler:
    return Reconciler(sessions, serve, clock=clock)


async def tick(one: Reconciler, clock: Clock, times: float) -> None:
    for _ in range(int(times)):
        await one.tick()
        clock.now += 1


async def test_a_busy_version_gets_its_own_and_gives_it_back(
    sessions: Sessions, versions: list[Version], clock: Clock
) -> None:
    serve = Serve()
    one = reconciler(sessions, serve, clock)
    busy = str(versions[0].id)
    await tick(one, clock, 1)
    assert set(serve.there) == {POOL}

    serve.load = {busy: 6.0}
    await tick(one, clock, BUSY_S + 2)
    assert serve.there[own_application(busy)].wish == TWO
    async with sessions() as session:
        (row,) = await session.scalars(select(Application))
    assert (row.version_id, row.replicas, row.running) == (versions[0].id, 2, 2)

    serve.load = {}
    await tick(one, clock, IDLE_S + 2)
    assert set(serve.there) == {POOL}
    async with sessions() as session:
        assert (await session.scalars(select(Application))).all() == []


async def test_one_that_is_broken_keeps_no_other_back(
    sessions: Sessions, versions: list[Version], clock: Clock
) -> None:
    bad, good = (own_application(version.id) for version in versions)
    serve = Serve(broken={bad}, load={str(version.id): 5.0 for version in versions})
    await tick(reconciler(sessions, serve, clock), clock, BUSY_S + 2)
    assert set(serve.there) == {POOL, good}
    serve.broken.clear()
    await tick(reconciler(sessions, serve, clock), clock, 1)
    assert set(serve.there) == {POOL, good, bad}


async def test_a_new_worker_keeps_what_it_finds(
    sessions: Sessions, versions: list[Version], clock: Clock
) -> None:
    serve = Serve(load={str(versions[0].id): 5.0})
    await tick(reconciler(sessions, serve, clock), clock, BUSY_S + 2)
    before = dict(serve.there)
    await tick(reconciler(sessions, serve, clock), clock, 3)
    assert serve.there == before
    # What a new code runs otherwise is brought to it.
    serve.there = {name: replace(one, wish=Wish(1, "e")) for name, one in before.items()}
    await tick(reconciler(sessions, serve, clock), clock, 1)
    assert serve.there == before


async def test_a_version_that_is_unknown_here_gets_nothing(
    sessions: Sessions, versions: list[Version], clock: Clock
) -> None:
    assert versions
    serve = Serve(load={"00000000-0000-0000-0000-000000000001": 50.0})
    await tick(reconciler(sessions, serve, clock), clock, BUSY_S + 2)
    assert set(serve.there) == {POOL}


async def test_only_one_worker_decides_at_a_time(
    sessions: Sessions, versions: list[Version], clock: Clock
) -> None:
    assert versions
    slow, quick = Serve(goes_on=asyncio.Event()), Serve()
    first = asyncio.create_task(reconciler(sessions, slow, clock).tick())
    await asyncio.sleep(0.2)
    await reconciler(sessions, quick, clock).tick()
    assert quick.there == {}
    assert slow.goes_on is not None
    slow.goes_on.set()
    await first
    assert set(slow.there) == {POOL}


async def test_on_other_hardware_a_call_that_waits_starts_a_replica_there(
    sessions: Sessions, clock: Clock
) -> None:
    author = await add_person(sessions, "author")
    _, version = await add_algorithm(sessions, author.id, hardware="gpu")
    own = own_application(version.id)
    serve = Serve()
    one = reconciler(sessions, serve, clock)
    await tick(one, clock, 3)
    assert set(serve.there) == {POOL}

    serve.load = {str(version.id): 1.0}
    await tick(one, clock, 1)
    assert serve.there[own].wish.profile == PROFILES["gpu"]
    assert serve.there[POOL].wish.profile == DEFAULT
    serve.load = {}
    await tick(one, clock, IDLE_S + 2)
    assert set(serve.there) == {POOL}


async def test_what_can_be_published_for_is_written_from_settings_and_machines(
    sessions: Sessions, clock: Clock
) -> None:
    serve = Serve(machines=[Node(2, 6000, 0), Node(1, 9000, 0.5)])
    one = Reconciler(sessions, serve, clock=clock, hardware=offered("cpu-2=1.8,gpu-quarter,gpu"))
    await one.tick()
    async with sessions() as session:
        found = await offers(session)
        assert [(offer.profile.name, offer.rate) for offer in found] == [
            ("cpu-1", 1000), ("cpu-2", 1800), ("gpu-quarter", 4000),
        ]  # fmt: skip
        for name, why in (("gpu", "has a GPU"), ("cpu-4", "operator does not offer")):
            with pytest.raises(BuildFailed, match=why):
                await chosen(session, name)
    serve.machines = [Node(16, 64_000, 4)]
    await one.tick()
    async with sessions() as session:
        assert (await chosen(session, "gpu")).rate == 12_000


class Book:
    """A directory in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def replicas(self) -> Mapping[str, Entry]:
        return dict(self.entries)

    async def forget(self, name: str) -> None:
        del self.entries[name]


async def test_what_a_dead_replica_said_last_counts_no_longer(clock: Clock) -> None:
    book = Book()
    applications = RayApplications(book, secret=b"s", clock=clock)
    for beat in range(20):
        book.entries["alive"] = Entry("h", 1, load={"a": 2.0}, beat=beat)
        if beat == 0:
            book.entries["dead"] = Entry("h", 2, load={"a": 5.0, "b": 1.0}, beat=7)
        loads = await applications.loads()
        assert loads["a"] == (7.0 if beat <= 15 else 2.0)
        clock.now += 1
    assert set(book.entries) == {"alive"}
