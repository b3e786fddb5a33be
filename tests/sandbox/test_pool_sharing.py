"""Who runs first in a pool, and what is kept for whom."""

import asyncio

from execution.outcome import Artefact
from execution.pool import Bounds, Pool
from execution.sandbox.limits import Limits
from tests.sandbox.fakes import FakeWorker, Make, ask, caller, settle, version


async def test_one_payers_many_calls_keep_no_other_waiting(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(slots=2), Limits(), make=make)
    many = [ask(pool, version(f"m{n}"), payer="many") for n in range(6)]
    await settle()
    few = ask(pool, version("few"), payer="few")
    await settle()
    workers[0].goes_on.set()
    await settle()
    assert [one.artefact.name for one in workers if one.artefact] == ["m0", "m1", "few"]
    for _ in range(8):
        for worker in workers:
            worker.goes_on.set()
        await settle()
    await asyncio.gather(*many, few)


async def test_runs_that_call_others_leave_room_at_every_depth(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(slots=8, memory_mib=1600), Limits(), make=make)
    runs = [ask(pool, caller(f"{depth}.{n}"), depth=depth) for depth in range(5) for n in range(8)]
    await settle()
    begun = [one.artefact.name[0] for one in workers if one.artefact]
    assert [begun.count(str(depth)) for depth in range(5)] == [3, 1, 1, 1, 1]
    # What calls nothing may have the last.
    last = ask(pool, version("leaf"), depth=5)
    await settle()
    assert len(workers) == 8
    for _ in range(20):
        for worker in workers:
            worker.goes_on.set()
        await settle()
    await asyncio.gather(*runs, last)


async def test_a_run_inside_another_passes_those_that_wait_for_room(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(slots=8, memory_mib=400), Limits(), make=make)
    first = ask(pool, caller("outer"), payer="p")
    big = ask(pool, version("big", 400), payer="other")
    await settle()
    inner = ask(pool, version("inner", 400), payer="p", depth=1)
    await settle()
    assert [one.artefact.name for one in workers if one.artefact] == ["outer", "inner"]
    for _ in range(4):
        for worker in workers:
            worker.goes_on.set()
        await settle()
    await asyncio.gather(first, big, inner)


async def test_a_version_may_call_itself_though_it_has_all_the_workers_it_may_have(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(slots=20, per_version=2), Limits(), make=make)
    outer = [ask(pool, caller("self")) for _ in range(4)]
    await settle()
    assert len(workers) == 2
    inner = ask(pool, caller("self"), depth=1)
    await settle()
    assert len(workers) == 3
    for _ in range(6):
        for worker in workers:
            worker.goes_on.set()
        await settle()
    await asyncio.gather(*outer, inner)


async def test_workers_that_are_kept_apart_never_run_for_two_payers(
    make: Make, workers: list[FakeWorker]
) -> None:
    apart = Artefact("a", "a", "/s", "", 100, apart=True)
    pool = Pool(Bounds(per_version=2), Limits(), make=make)
    for payer in ("p", "q", "p", "r", "p"):
        run = ask(pool, apart, payer=payer)
        await settle()
        for worker in workers:
            worker.goes_on.set()
        await run
    # p's is warm twice; r's takes the place of the one that was idle longest, which is q's.
    assert len(workers) == 3
    assert [worker.stopped for worker in workers] == [False, True, False]


async def test_one_who_fills_the_pool_keeps_no_other_waiting(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(), Limits(), make=make)
    busy = [ask(pool, version("a"), payer="busy") for _ in range(80)]
    await settle()
    assert len(workers) == 6
    quiet = ask(pool, version("a"), payer="quiet")
    await settle()
    assert len(workers) == 7
    for worker in workers[6:]:
        worker.goes_on.set()
    assert (await quiet).queued_ms < 1000
    await settle()
    again = ask(pool, version("a"), payer="quiet")
    assert not (await again).cold
    for one in busy:
        one.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    await pool.close()
