"""Many versions in few slots."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from execution.outcome import Artefact, Failure
from execution.pool import Bounds, Pool
from execution.sandbox.limits import Limits
from tests.sandbox.authors import Author, as_payload, failure_of, value_of
from tests.sandbox.fakes import INPUT, FakeWorker, Make, ask, settle, version


async def test_a_second_call_finds_the_worker_warm(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(), Limits(), make=make)
    first = ask(pool, version("a"))
    await settle()
    workers[0].goes_on.set()

    assert (await first).cold
    assert not (await pool.run(version("a"), INPUT, timeout_s=5)).cold
    assert len(workers) == 1


async def test_calls_at_once_get_workers_of_their_own(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(slots=3, per_version=2), Limits(), make=make)
    calls = [ask(pool, version("a")) for _ in range(3)]
    await settle()

    assert len(workers) == 2
    workers[0].goes_on.set()
    await settle()
    assert [call.done() for call in calls] == [True, False, True]
    workers[1].goes_on.set()
    await asyncio.gather(*calls)
    assert (await calls[2]).queued_ms > 0


async def test_the_least_recently_used_gives_way(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(slots=2), Limits(), make=make)
    for name in ("a", "b", "a", "c"):
        call = ask(pool, version(name))
        await settle()
        workers[-1].goes_on.set()
        await call
    await settle()

    assert [(w.artefact and w.artefact.name, w.stopped) for w in workers] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]


async def test_memory_is_bounded_as_slots_are(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(slots=9, memory_mib=250), Limits(), make=make)
    calls = [ask(pool, version(name)) for name in "abc"]
    await settle()

    assert len(workers) == 2
    for _ in range(3):
        workers[-1].goes_on.set()
        workers[0].goes_on.set()
        await settle()
    await asyncio.gather(*calls)
    assert failure_of(await pool.run(version("big", 251), INPUT, timeout_s=1)).type == "SystemError"


async def test_who_came_first_gets_the_room(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(slots=2, memory_mib=200), Limits(), make=make)
    holding = [ask(pool, version("a")), ask(pool, version("b"))]
    await settle()
    large, small = ask(pool, version("large", 200)), ask(pool, version("small", 100))
    await settle()

    workers[0].goes_on.set()
    await settle()
    assert len(workers) == 2
    workers[1].goes_on.set()
    await settle()
    assert workers[2].artefact == version("large", 200)
    workers[2].goes_on.set()
    await settle()
    workers[3].goes_on.set()
    await asyncio.gather(*holding, large, small)


async def test_waiting_ends_at_the_deadline(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(slots=1), Limits(), make=make)
    holding = ask(pool, version("a"))
    await settle()

    failure = failure_of(await pool.run(version("b"), INPUT, timeout_s=0.05))

    assert failure.type == "TimeoutError"
    workers[0].goes_on.set()
    await holding
    assert pool.workers == 1


async def test_a_broken_worker_is_replaced(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(slots=1), Limits(), make=make)
    call = ask(pool, version("a"))
    await settle()
    workers[0].breaks = True
    workers[0].goes_on.set()
    await call
    again = ask(pool, version("a"))
    await settle()

    assert len(workers) == 2
    assert workers[0].stopped
    workers[1].goes_on.set()
    assert (await again).failure is None


async def test_a_cancelled_call_frees_its_slot(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(slots=1), Limits(), make=make)
    running, waiting, last = (ask(pool, version(name)) for name in "abc")
    await settle()
    waiting.cancel()
    running.cancel()
    await settle()

    assert [w.artefact and w.artefact.name for w in workers] == ["a", "c"]
    workers[1].goes_on.set()
    assert (await last).failure is None
    assert workers[0].stopped
    assert pool.workers == 1


async def test_being_cancelled_just_when_served_loses_no_slot(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(slots=1), Limits(), make=make)
    running, waiting = ask(pool, version("a")), ask(pool, version("a"))
    await settle()
    workers[0].goes_on.set()
    await running
    waiting.cancel()
    await settle()

    assert (await pool.run(version("a"), INPUT, timeout_s=5)).failure is None
    assert pool.workers == 1


async def test_a_load_goes_on_after_its_caller_gave_up(
    workers: list[FakeWorker],
) -> None:
    loaded = asyncio.Event()

    def slow() -> FakeWorker:
        workers.append(FakeWorker())
        workers[-1].start_waits = loaded
        workers[-1].goes_on.set()
        return workers[-1]

    pool = Pool(Bounds(), Limits(), make=slow)
    failure = failure_of(await pool.run(version("a"), INPUT, timeout_s=0.05))
    loaded.set()
    await settle()

    assert failure.type == "TimeoutError"
    assert not (await pool.run(version("a"), INPUT, timeout_s=5)).cold
    assert len(workers) == 1


async def test_a_failed_load_is_tried_again_by_the_next_call(
    make: Make, workers: list[FakeWorker]
) -> None:
    def first_fails() -> FakeWorker:
        worker = make()
        worker.goes_on.set()
        if len(workers) == 1:
            worker.failure = Failure("LoadingError", "no weights")
        return worker

    pool = Pool(Bounds(slots=1), Limits(), make=first_fails)

    assert failure_of(await pool.run(version("a"), INPUT, timeout_s=5)).message == "no weights"
    assert (await pool.run(version("a"), INPUT, timeout_s=5)).failure is None


async def test_idle_workers_are_let_go(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(idle_s=0.02), Limits(), make=make)
    call = ask(pool, version("a"))
    await settle()
    workers[0].goes_on.set()
    await call

    async with asyncio.timeout(10):
        while not workers[0].stopped:
            await asyncio.sleep(0.01)
    assert pool.workers == 0


async def test_closing_stops_what_is_idle_and_then_what_runs(
    make: Make, workers: list[FakeWorker]
) -> None:
    pool = Pool(Bounds(), Limits(), make=make)
    running = ask(pool, version("a"))
    await settle()
    await pool.close()
    workers[0].goes_on.set()
    await running
    await settle()

    assert workers[0].stopped
    assert failure_of(await pool.run(version("a"), INPUT, timeout_s=1)).type == "SystemError"


@pytest.fixture
async def real() -> AsyncIterator[Pool]:
    """A pool of real sandboxes."""
    pool = Pool(Bounds(slots=20), Limits())
    yield pool
    await pool.close()


async def test_sixty_versions_share_twenty_real_slots(real: Pool, writer: Author) -> None:
    versions = [writer.write(f"def apply(x): return [{n}, x]", memory_mib=64) for n in range(60)]

    async def call(n: int) -> None:
        outcome = await real.run(versions[n], as_payload(n), timeout_s=60)
        assert value_of(outcome) == [n, n]

    for _ in range(2):
        for first in range(0, 60, 15):
            await asyncio.gather(*(call(n) for n in range(first, first + 15)))
        assert real.workers == 20


async def test_a_real_crash_harms_no_neighbour_and_no_later_call(
    real: Pool, writer: Author
) -> None:
    crashing = writer.write("import os\ndef apply(x): return os._exit(9) if x == 'die' else x")
    steady = writer.write("import time\ndef apply(x): time.sleep(0.2); return x")

    outcomes = await asyncio.gather(
        *(real.run(steady, as_payload(n), timeout_s=20) for n in range(3)),
        real.run(crashing, as_payload("die"), timeout_s=20),
    )
    assert [value_of(outcome) for outcome in outcomes[:3]] == [0, 1, 2]
    assert "exit code 9" in failure_of(outcomes[3]).message
    assert value_of(await real.run(crashing, as_payload("live"), timeout_s=20)) == "live"


async def test_a_slow_printer_delays_nobody(real: Pool, writer: Author) -> None:
    printer = writer.write("def apply(x):\n    for _ in range(50): print('y' * 1024 * 1024)")
    echo = writer.write("def apply(x): return x")
    printing = asyncio.create_task(real.run(printer, INPUT, timeout_s=60))

    slowest = 0.0
    while not printing.done():
        outcome = await real.run(echo, INPUT, timeout_s=60)
        slowest = max(slowest, outcome.ran_ms)
    assert (await printing).failure is None
    assert slowest < 2000


async def test_a_real_cancelled_call_ends_its_process(real: Pool, writer: Author) -> None:
    sleeping = writer.write("import time\ndef apply(x): time.sleep(600)")
    call = asyncio.create_task(real.run(sleeping, INPUT, timeout_s=60))
    while real.workers == 0:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert (
        value_of(await real.run(writer.write("def apply(x): return x"), INPUT, timeout_s=20)) == 1
    )


async def run_once(pool: Pool, artefact: Artefact, workers: list[FakeWorker]) -> None:
    run = ask(pool, artefact)
    await settle()
    for worker in workers:
        worker.goes_on.set()
    await run


async def test_idle_workers_count_by_what_they_hold(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(memory_mib=250), Limits(), make=make)
    for name in "abcde":
        await run_once(pool, version(name), workers)
        workers[-1].held_mib = 10
    assert pool.workers == 5
    assert not any(worker.stopped for worker in workers)
    # Two may run beside three idle ones, and a third waits, whoever it is.
    for worker in workers:
        worker.goes_on.clear()
    runs = [ask(pool, version(name)) for name in "abc"]
    await settle()
    assert [worker.running for worker in workers] == [1, 1, 0, 0, 0]
    for worker in workers:
        worker.goes_on.set()
    await asyncio.gather(*runs)
    assert [worker.artefact.name for worker in workers if worker.artefact] == list("abcde")


async def test_only_so_many_run_at_once(make: Make, workers: list[FakeWorker]) -> None:
    pool = Pool(Bounds(running=2), Limits(), make=make)
    runs = [ask(pool, version(name)) for name in "abc"]
    await settle()
    assert len(workers) == 2
    workers[0].goes_on.set()
    await settle()
    assert len(workers) == 3
    for worker in workers:
        worker.goes_on.set()
    await asyncio.gather(*runs)
