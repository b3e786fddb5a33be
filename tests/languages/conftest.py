"""What each language's projects are built into, once in a run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from execution.languages import registry
from execution.languages.language import Language
from tests.languages.workshop import PROJECTS, Workshop, kin


def named() -> list[str]:
    """Every language that there are projects of, each interpreter of Python by itself."""
    return [one.name for one in registry.known() if (PROJECTS / kin(one.name)).is_dir()]


@pytest.fixture(scope="session", params=named())
def language(request: pytest.FixtureRequest) -> Language:
    """Each language that there is code for; those whose tools aren't here are skipped."""
    found = next(one for one in registry.known() if one.name == request.param)
    if missing := found.missing():
        pytest.skip(f"{found.words()} isn't on this machine. {missing}")
    return found


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what is built lies, so that it is built once."""
    return tmp_path_factory.mktemp("builds")


@pytest.fixture
async def workshop(language: Language, builds: Path) -> AsyncIterator[Workshop]:
    """Builds and starts projects in one language; what it started ends with the test."""
    made = Workshop(language, builds)
    yield made
    for worker in made.workers:
        await worker.stop()
