"""Group commit: everybody gets their own result, and one bad item fails alone."""

import asyncio
from collections.abc import Sequence

import pytest

from billing.groups import LARGEST, Group


async def test_what_arrives_during_a_write_goes_together() -> None:
    batches: list[int] = []
    first = asyncio.Event()

    async def write(items: Sequence[int]) -> list[int]:
        batches.append(len(items))
        if len(batches) == 1:
            await first.wait()
        return [item * 2 for item in items]

    group: Group[int, int] = Group(write)
    waiting = [asyncio.create_task(group.put(number)) for number in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting += [asyncio.create_task(group.put(number)) for number in range(10, 15)]
    await asyncio.sleep(0)
    first.set()
    assert await asyncio.gather(*waiting) == [number * 2 for number in range(15)]
    assert sum(batches) == 15
    assert len(batches) == 2


async def test_one_bad_item_fails_alone() -> None:
    async def write(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return list(items)

    group: Group[int, int] = Group(write)
    results = await asyncio.gather(*(group.put(n) for n in range(6)), return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [0, 1, 2, 4, 5]
    assert isinstance(results[3], ValueError)


async def test_a_caller_who_goes_away_spoils_nothing() -> None:
    release = asyncio.Event()

    async def write(items: Sequence[int]) -> list[int]:
        await release.wait()
        return list(items)

    group: Group[int, int] = Group(write)
    gone = asyncio.create_task(group.put(1))
    stays = asyncio.create_task(group.put(2))
    await asyncio.sleep(0)
    gone.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays == 2


async def test_a_batch_is_bounded() -> None:
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return list(items)

    group: Group[int, int] = Group(write)
    await asyncio.gather(*(group.put(n) for n in range(LARGEST * 2 + 5)))
    assert max(sizes) <= LARGEST
    assert sum(sizes) == LARGEST * 2 + 5
