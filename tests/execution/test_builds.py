"""Builds: from a folder to a live version, whatever dies on the way."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import select

from catalog import service as catalog
from catalog.models import Algorithm, Version, VersionState
from core.clock import now
from core.db import Sessions
from core.errors import Conflict
from execution import starter
from execution.builds import environment, places, tasks
from execution.builds.shelf import Shelf
from execution.builds.source import read_project
from execution.models import Build, BuildState
from tests.people import add_algorithm, add_person

TOML = """
[algorithm]
name = "Shout"
summary = "Says it louder"
category = "text"
licence = "MIT"
[version]
number = "{number}"
[sample]
input = "sample/input.json"
"""
GOOD = "def apply(text):\n    print('loud')\n    return text.upper()\n"


def project(folder: Path, code: str = GOOD, *, number: str = "1.0.0", needs: str = "") -> Path:
    place = folder / "Shout"
    (place / "src").mkdir(parents=True, exist_ok=True)
    (place / "sample").mkdir(exist_ok=True)
    (place / "algorium.toml").write_text(TOML.format(number=number))
    (place / "src" / "Shout.py").write_text(code)
    (place / "README.md").write_text("# Shout\n")
    (place / "sample" / "input.json").write_text('"hello"')
    (place / "requirements.txt").write_text(needs)
    return place


async def build(sessions: Sessions, home: Path, owner: UUID, folder: Path) -> tuple[Build, Version]:
    submitted = await tasks.submit(sessions, Shelf(home), owner, read_project(folder))
    taken = await tasks.take(sessions)
    assert taken == submitted
    await tasks.run(sessions, Shelf(home), taken)
    return await ended(sessions, submitted)


async def ended(sessions: Sessions, build_id: UUID) -> tuple[Build, Version]:
    async with sessions() as session:
        found = await session.get_one(Build, build_id)
        return found, await session.get_one(Version, found.version_id)


async def test_a_folder_becomes_a_live_version(sessions: Sessions, tmp_path: Path) -> None:
    owner = await add_person(sessions, "author")
    built, version = await build(sessions, tmp_path, owner.id, project(tmp_path))
    assert built.state is BuildState.SUCCEEDED, built.log
    assert version.state is VersionState.LIVE
    assert (version.sample_output_type, version.sample_output) == ("text", b"HELLO")
    assert "loud" in built.log
    async with sessions() as session:
        algorithm = await session.get_one(Algorithm, version.algorithm_id)
        assert algorithm.live_version_id == version.id


@pytest.mark.parametrize(
    ("code", "needs", "words"),
    [
        ("import nothing_of_this_name\n", "", "nothing_of_this_name"),
        ("def apply(x:\n", "", "can't be loaded"),
        ("def other(x):\n    return x\n", "", "apply"),
        ("def apply(x):\n    raise ValueError('no sample today')\n", "", "no sample today"),
        ("def apply(x):\n    return {1, 2}\n", "", "set"),
        (GOOD, "a-package-that-nobody-has-made-1f9c==1.0", "requirements can't be met"),
        (GOOD, "--extra-index-url http://127.0.0.1", "no plain requirement"),
    ],
)
async def test_a_failed_build_says_why_and_leaves_the_rest_alone(
    sessions: Sessions, tmp_path: Path, code: str, needs: str, words: str
) -> None:
    owner = await add_person(sessions, "author")
    _, first = await build(sessions, tmp_path, owner.id, project(tmp_path))
    built, second = await build(
        sessions, tmp_path, owner.id, project(tmp_path, code, number="1.1.0", needs=needs)
    )
    assert built.state is BuildState.FAILED
    assert words in built.message
    assert built.message in built.log
    assert second.state is VersionState.FAILED
    async with sessions() as session:
        algorithm = await session.get_one(Algorithm, second.algorithm_id)
        assert algorithm.live_version_id == first.id
    # Nobody ever could call it: its number may be used again.
    _, mended = await build(sessions, tmp_path, owner.id, project(tmp_path, number="1.1.0"))
    assert (mended.id, mended.state) == (second.id, VersionState.LIVE)


async def test_a_number_is_used_once(sessions: Sessions, tmp_path: Path) -> None:
    owner = await add_person(sessions, "author")
    _, version = await build(sessions, tmp_path, owner.id, project(tmp_path))
    before = (places.source_of(tmp_path, version.id) / "src" / "Shout.py").read_text()
    with pytest.raises(Conflict, match="never changes"):
        await tasks.submit(
            sessions, Shelf(tmp_path), owner.id, read_project(project(tmp_path, "def apply(x): 1"))
        )
    assert (places.source_of(tmp_path, version.id) / "src" / "Shout.py").read_text() == before


async def test_a_lower_number_published_later_is_not_the_newest(
    sessions: Sessions, tmp_path: Path
) -> None:
    owner = await add_person(sessions, "author")
    _, newest = await build(sessions, tmp_path, owner.id, project(tmp_path, number="2.0.0"))
    await build(sessions, tmp_path, owner.id, project(tmp_path, number="1.0.1"))
    async with sessions() as session:
        algorithm = await session.get_one(Algorithm, newest.algorithm_id)
        assert algorithm.live_version_id == newest.id


async def test_a_build_whose_worker_died_is_taken_up_by_another(
    sessions: Sessions, tmp_path: Path
) -> None:
    owner = await add_person(sessions, "author")
    submitted = await tasks.submit(
        sessions, Shelf(tmp_path), owner.id, read_project(project(tmp_path))
    )
    assert await tasks.take(sessions) == submitted
    assert await tasks.take(sessions) is None
    async with sessions.begin() as session:
        lost = await session.get_one(Build, submitted)
        lost.seen_at = now() - tasks.LOST_AFTER - timedelta(seconds=1)
    assert await tasks.take(sessions) == submitted
    await tasks.run(sessions, Shelf(tmp_path), submitted)
    built, _ = await ended(sessions, submitted)
    assert built.state is BuildState.SUCCEEDED


async def test_an_environment_that_was_left_half_made_is_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    digest = await environment.install("", tmp_path, said.append)
    place = places.environment_of(tmp_path, digest)
    (place / environment.COMPLETE).unlink()
    (place / "bin" / "python").unlink()
    assert await environment.install("", tmp_path, said.append) == digest
    assert (place / "bin" / "python").exists()
    assert await environment.install("", tmp_path, said.append) == digest
    assert any("earlier build" in line for line in said)


async def test_requirements_are_locked_with_hashes(tmp_path: Path) -> None:
    locked = await environment.resolve("six==1.17.0", tmp_path, lambda _: None)
    assert locked.startswith("six==1.17.0")
    assert "--hash=sha256:" in locked
    digest = await environment.install(locked, tmp_path, lambda _: None)
    found = list(places.environment_of(tmp_path, digest).glob("lib/python3*/site-packages/six.py"))
    assert len(found) == 1


async def test_all_states_of_a_build_are_told(sessions: Sessions, tmp_path: Path) -> None:
    owner = await add_person(sessions, "author")
    await tasks.submit(sessions, Shelf(tmp_path), owner.id, read_project(project(tmp_path)))
    async with sessions() as session:
        (state,) = (await session.scalars(select(Build.state))).all()
    assert state is BuildState.QUEUED


async def test_a_starter_algorithm_that_is_built_again_has_not_failed(sessions: Sessions) -> None:
    house = await add_person(sessions, starter.OWNER)
    _, first = await add_algorithm(sessions, house.id, "Sentiment", live=False)
    async with sessions.begin() as session:
        await catalog.mark_failed(session, first.id)
    async with sessions() as session:
        assert (await starter.progress(session)).failed == 1
    _, second = await add_algorithm(sessions, house.id, "Sentiment", number=(1, 0, 1), live=False)
    async with sessions.begin() as session:
        await catalog.mark_building(session, second.id)
    async with sessions() as session:
        so_far = await starter.progress(session)
    assert (so_far.live, so_far.failed) == (0, 0)
    assert so_far.building == so_far.total
