"""Attacks, written as algorithms: each fails, and harms neither the machine nor its neighbours.

To add one, add an entry to a list in `table/`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from execution.outcome import Outcome
from execution.sandbox import cgroups
from execution.sandbox.launcher import Entrance
from execution.sandbox.process import descendants
from execution.sandbox.worker import Worker
from tests.attacks.attack import NAME, Attack, Language
from tests.attacks.host import Host, a_host
from tests.attacks.table.files import FILES
from tests.attacks.table.kernel import KERNEL
from tests.attacks.table.network import NETWORK
from tests.attacks.table.processes import PROCESSES
from tests.attacks.table.resources import BOMBS, RESOURCES
from tests.attacks.table.wire import WIRE
from tests.sandbox.authors import WAYS, Author, again, value_of

ATTACKS = [*FILES, *PROCESSES, *NETWORK, *KERNEL, *BOMBS, *RESOURCES, *WIRE]
SCRIPTS = (Language.PERL, Language.SHELL)
_AT_ONCE = 10  # files that looks at the neighbours may hold just now; an attack would hand in 50
NEIGHBOUR = """
count = 0
def apply(x):
    global count
    count += 1
    return count
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Host]:
    """The machine, with something to lose."""
    with a_host(tmp_path_factory.mktemp("host"), database) as made:
        yield made


class Neighbour:
    """Another version's worker, which has a secret and must go on answering."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.calls = 0

    async def assert_well(self) -> None:
        """It answers, and it is still the same process."""
        self.calls += 1
        assert value_of(await again(self.worker)) == self.calls


@pytest.fixture(scope="module")
async def neighbours(
    tmp_path_factory: pytest.TempPathFactory, host: Host
) -> AsyncIterator[dict[Entrance, Neighbour]]:
    """A neighbour by each way in, all through the module."""
    made = {}
    for way in WAYS:
        author = Author(tmp_path_factory.mktemp("neighbour"), way)
        held = f"KEPT = {host.word!r}\nopen('/tmp/kept', 'w').write(KEPT)\n"
        made[way] = Neighbour(await author.start(held + NEIGHBOUR, name="Neighbour"))
    yield made
    for neighbour in made.values():
        await neighbour.worker.stop()


def test_there_are_many_attacks_in_several_languages() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 100
    assert len({attack.language for attack in ATTACKS}) == 4


@pytest.mark.parametrize(
    "attack", [it for it in ATTACKS if it.works_outside], ids=lambda it: it.name
)
def test_outside_of_a_sandbox_it_succeeds(attack: Attack, host: Host, tmp_path: Path) -> None:
    got = attack.outside(tmp_path, host.targets())
    host.forget()

    assert got.get("loot"), got


@pytest.mark.parametrize(
    ("attack", "way"),
    # The wire is the same by both ways in, and scripts try again what others do by both.
    [
        (it, way)
        for it in ATTACKS
        for way in (WAYS[-1:] if it in WIRE or it.language in SCRIPTS else WAYS)
    ],
    ids=lambda it: it.name if isinstance(it, Attack) else str(it),
)
async def test_inside_it_fails_and_harms_nobody(
    attack: Attack, way: Entrance, host: Host, neighbours: dict[Entrance, Neighbour], tmp_path: Path
) -> None:
    await assert_fails(attack, way, host, neighbours[way], tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", BOMBS, ids=lambda it: it.name)
async def test_without_control_groups_it_fails_too(
    attack: Attack, way: Entrance, host: Host, neighbours: dict[Entrance, Neighbour],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(cgroups, "create", lambda _: None)

    await assert_fails(attack, way, host, neighbours[way], tmp_path)


async def assert_fails(
    attack: Attack, way: Entrance, host: Host, neighbour: Neighbour, folder: Path
) -> None:
    author = Author(folder, way)
    author.limits = attack.limits
    artefact = author.write("", name=NAME, files=attack.files())
    worker, failure = await author.load(artefact)
    assert failure is None, failure
    pid = worker.pid or 0
    open_before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    try:
        outcome = await again(worker, host.targets(), timeout_s=attack.timeout_s, stdout=True)
        assert_harmless(attack, outcome)
        if attack.costs_the_worker:
            async with asyncio.timeout(10):
                while worker.usable:  # one that ended right after it answered
                    await asyncio.sleep(0.01)
        assert len(os.listdir("/proc/self/fd")) <= open_before + _AT_ONCE  # noqa: PTH208
        host.assert_unharmed()
        await neighbour.assert_well()
        if not worker.usable:
            await worker.stop()
            assert descendants(pid) == set()
            worker, failure = await author.load(artefact)
            assert failure is None, failure
        assert value_of(await again(worker, "are you there?", timeout_s=10)) == "yes"
    finally:
        for started in author.workers:
            await started.stop()
    assert descendants(pid) == set()


def assert_harmless(attack: Attack, outcome: Outcome) -> None:
    """It got nothing, and what the platform keeps of it is bounded."""
    assert len(outcome.stdout) <= attack.limits.stdout_bytes + 100
    if outcome.failure is not None:
        assert outcome.failure.type in attack.ends, outcome.failure
        assert len(outcome.failure.message) <= 10_000
        assert len(outcome.failure.stacktrace) <= 20_000
        return
    assert outcome.result is not None
    data = outcome.result.data
    if attack.plain:
        assert attack.harmless(data), data[:500]
    else:
        assert attack.failed(json.loads(data)), data[:500]
