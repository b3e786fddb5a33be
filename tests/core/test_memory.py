"""What is remembered for a moment: never too old, read once for all who ask together."""

import asyncio
from dataclasses import dataclass, field

import pytest

from core.memory import Memory


@dataclass
class Source:
    """Gives its value once it is let go; `clock` goes on when told to."""

    value: str = "first"
    at: float = 100.0
    reads: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def read(self, _: str) -> str:
        self.reads += 1
        value = self.value
        await self.gate.wait()
        if value == "broken":
            raise ConnectionError
        return value

    def memory(self, largest: int = 10) -> Memory[str, str]:
        return Memory(self.read, lasts_s=1.0, largest=largest, clock=lambda: self.at)


async def settled() -> None:
    """Let what was begun beside end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_together_share_one_reading() -> None:
    source = Source()
    memory = source.memory()
    assert await asyncio.gather(*(memory.get("a") for _ in range(50))) == ["first"] * 50
    assert source.reads == 1


async def test_nothing_is_given_that_is_too_old() -> None:
    source = Source()
    memory = source.memory()
    await memory.get("a")
    source.value, source.at = "second", source.at + 1.0
    assert await memory.get("a") == "second"


async def test_what_is_in_use_is_read_ahead_and_nobody_waits() -> None:
    source = Source()
    memory = source.memory()
    await memory.get("a")
    source.value, source.at = "second", source.at + 0.6
    source.gate.clear()
    assert [await memory.get("a") for _ in range(5)] == ["first"] * 5
    await settled()
    assert source.reads == 2
    source.gate.set()
    await settled()
    assert await memory.get("a") == "second"


async def test_its_age_counts_from_before_it_was_read() -> None:
    source = Source()
    memory = source.memory()
    source.gate.clear()
    first = asyncio.create_task(memory.get("a"))
    await settled()
    source.value, source.at = "second", source.at + 5.0
    # One who asks while that is under way must not be given what was true before he asked.
    later = asyncio.create_task(memory.get("a"))
    await settled()
    source.gate.set()
    assert (await first, await later) == ("first", "second")


async def test_one_who_goes_away_takes_nobody_along() -> None:
    source = Source()
    memory = source.memory()
    first = asyncio.create_task(memory.get("a"))
    second = asyncio.create_task(memory.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "first"


async def test_a_failure_is_told_and_not_remembered() -> None:
    source = Source(value="broken")
    memory = source.memory()
    with pytest.raises(ConnectionError):
        await memory.get("a")
    source.value = "mended"
    assert await memory.get("a") == "mended"


async def test_a_failure_of_reading_ahead_makes_the_next_one_read() -> None:
    source = Source()
    memory = source.memory()
    await memory.get("a")
    source.value, source.at = "broken", source.at + 0.6
    assert await memory.get("a") == "first"
    await settled()
    source.value = "mended"
    assert await memory.get("a") == "mended"


async def test_it_never_grows_without_end() -> None:
    source = Source()
    memory = source.memory(largest=10)
    for number in range(30):
        await memory.get(str(number))
    source.reads = 0
    for number in range(20, 30):
        await memory.get(str(number))
    assert source.reads == 0
    await memory.get("0")
    assert source.reads == 1
