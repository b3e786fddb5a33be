"""Authors for each way into a sandbox that works here, and workers that do what a test says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from execution.sandbox.launcher import entrance
from tests.sandbox.authors import WAYS, Author
from tests.sandbox.fakes import FakeWorker, Make


@pytest.fixture(params=WAYS)
async def author(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Author]:
    """An author, once for each way into a sandbox that works here."""
    made = Author(tmp_path, request.param)
    yield made
    for worker in made.workers:
        await worker.stop()


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Author]:
    """An author, by the usual way in."""
    made = Author(tmp_path, entrance())
    yield made
    for worker in made.workers:
        await worker.stop()


@pytest.fixture
def workers() -> list[FakeWorker]:
    return []


@pytest.fixture
def make(workers: list[FakeWorker]) -> Make:
    def made() -> FakeWorker:
        workers.append(FakeWorker())
        return workers[-1]

    return made
