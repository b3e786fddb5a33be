"""Builds on machines that didn't make them: brought once, whole, and given up for others."""

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import select

from catalog.models import Version, VersionState
from core.db import Sessions
from core.errors import BadSetting
from execution.builds import archives, environment, places, tasks
from execution.builds.making import COMPLETE, made_once
from execution.builds.shelf import NotThere, Shelf
from execution.builds.source import read_project
from execution.data import store as stores
from execution.data.store import Store, StoreFailed
from execution.models import BuildState
from execution.outcome import Artefact
from tests.execution.test_builds import ended, project
from tests.people import add_person

KIB = 1024
Machine = Callable[..., Shelf]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Machines that share a store; `most_mib` is what one keeps."""

    def made(name: str, most_mib: int = 100) -> Shelf:
        return Shelf(tmp_path / name, Store(str(tmp_path / "store")), most_mib=most_mib)

    return made


async def kept(shelf: Shelf, kib: int = 1, **files: str) -> Artefact:
    """A version that was published on a machine."""
    version = str(uuid4())
    place = places.source_of(shelf.home, version)
    (place / "src").mkdir(parents=True)
    (place / "data").write_bytes(os.urandom(kib * KIB))
    for name, text in files.items():
        (place / "src" / name).write_text(text)
    archive = await shelf.keep(place)
    return Artefact(version, "Some", f"builds/versions/{version}", "", source_archive=archive)


async def test_a_build_is_brought_to_another_machine_as_it_was(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    artefact = await kept(one, program="text")
    place = places.source_of(one.home, artefact.version_id)
    (place / "link").symlink_to("/usr/bin/python3")
    (place / "src" / "program").chmod(0o755)
    artefact = Artefact("v", "Some", artefact.source, "", source_archive=await one.keep(place))

    async with other.placed(artefact) as here:
        found = Path(here.source)
        assert found.is_relative_to(other.home)
        assert (found / "src" / "program").read_text() == "text"
        assert stat.S_IMODE((found / "src" / "program").stat().st_mode) == 0o755
        assert (found / "link").readlink() == Path("/usr/bin/python3")
    assert [place.name for place in found.parent.iterdir() if place.is_dir()] == [found.name]


async def test_many_who_want_it_at_once_bring_it_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact = await kept(machine("one"))
    fetched: list[str] = []
    get = Store.get

    async def counted(self: Store, name: str, into: Path) -> None:
        fetched.append(name)
        await get(self, name, into)

    monkeypatch.setattr(Store, "get", counted)
    # Two processes of one machine, which know nothing of each other.
    shelves = [machine("other"), machine("other")]

    async def use(shelf: Shelf) -> None:
        async with shelf.placed(artefact) as here:
            assert (Path(here.source) / "data").exists()

    await asyncio.gather(*(use(shelf) for shelf in shelves * 5))
    assert len(fetched) == 1


async def test_what_was_not_used_for_longest_gives_way_but_nothing_in_use(
    machine: Machine,
) -> None:
    one, other = machine("one"), machine("other", most_mib=1)
    first, second, third = [await kept(one, kib=400) for _ in range(3)]
    neighbour = machine("other", most_mib=1)

    def there() -> list[bool]:
        return [
            places.source_of(other.home, artefact.version_id).exists()
            for artefact in (first, second, third)
        ]

    async with neighbour.placed(first):
        for artefact in (second, third):
            async with other.placed(artefact):
                pass
            other.let_go()
        # The oldest is in use by another process, so the next one had to go.
        assert there() == [True, False, True]
    neighbour.let_go()
    async with other.placed(second) as here:
        assert (Path(here.source) / "data").stat().st_size == 400 * KIB
        assert there() == [False, True, True]


async def test_it_stays_for_as_long_as_workers_have_it(machine: Machine) -> None:
    one, other = machine("one"), machine("other", most_mib=0)
    artefact, another = await kept(one), await kept(one)
    async with other.placed(artefact) as here:
        pass
    other.let_go(but=[here])
    async with other.placed(another):
        assert Path(here.source).exists()
    other.let_go()
    async with other.placed(await kept(one)):
        assert not Path(here.source).exists()


async def test_a_changed_archive_is_refused(machine: Machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    artefact = await kept(one, program="ours")
    await kept(one, program="another's")
    mine, another = (
        tmp_path / "store" / "builds" / f"{digest}.tar.gz"
        for digest in (
            artefact.source_archive,
            next(
                file.name.partition(".")[0]
                for file in (tmp_path / "store" / "builds").iterdir()
                if artefact.source_archive not in file.name
            ),
        )
    )
    mine.write_bytes(another.read_bytes())

    with pytest.raises(NotThere, match="damaged, or somebody changed it"):
        async with other.placed(artefact):
            pass
    assert not places.source_of(other.home, artefact.version_id).exists()


async def test_what_is_nowhere_says_so(machine: Machine, tmp_path: Path) -> None:
    missing = Artefact("v", "Some", "builds/versions/v", "", source_archive="0" * 64)
    unknown = Artefact("v", "Some", "builds/versions/v", "")
    for artefact, words in ((missing, "data store"), (unknown, "another machine")):
        with pytest.raises(NotThere, match=words):
            async with machine("other").placed(artefact):
                pass
    async with Shelf(tmp_path).placed(unknown) as here:
        assert here.source == str(tmp_path / "builds" / "versions" / "v")


async def test_what_is_being_made_is_waited_for_and_what_is_used_is_taken(
    machine: Machine,
) -> None:
    shelf = machine("one")
    place = places.environment_of(shelf.home, "d" * 32)
    goes_on = asyncio.Event()

    async def make(into: Path) -> None:
        into.mkdir()
        await goes_on.wait()
        (into / "made").touch()

    making = asyncio.create_task(made_once(place, make, lambda _: None))
    artefact = Artefact("v", "Some", "", f"builds/environments/{place.name}")
    async with asyncio.timeout(20):
        while not place.exists():
            await asyncio.sleep(0.01)
        using = asyncio.create_task(first(shelf, artefact))
        goes_on.set()
        await making
        assert (await using / "made").exists()
        # Somebody else builds what is the same while it is in use.
        async with shelf.placed(artefact):
            await made_once(place, make, lambda _: None)


async def first(shelf: Shelf, artefact: Artefact) -> Path:
    async with shelf.placed(artefact) as here:
        return Path(here.environment)


async def test_what_a_process_left_half_done_is_removed(machine: Machine) -> None:
    shelf = machine("one")
    artefact = await kept(shelf)
    left = places.source_of(shelf.home, artefact.version_id).with_suffix(".fetched")
    left.mkdir()
    shelf.tidy()
    assert not left.exists()
    assert places.source_of(shelf.home, artefact.version_id).exists()


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "other"):
        place = tmp_path / name
        (place / "folder").mkdir(parents=True)
        (place / "folder" / "file").write_text("the same")
        os.utime(place / "folder" / "file", (1, 1))
        os.link(place / "folder" / "file", place / "again")
        digests.append(archives.pack(place, tmp_path / f"{name}.tar.gz"))
    assert digests[0] == digests[1] == (digests[0][0], 16)
    assert archives.unpack(tmp_path / "one.tar.gz", digests[0][0], tmp_path / "out") == 16
    assert (tmp_path / "out" / "again").stat().st_nlink == 1


async def test_a_store_that_cant_be_reached_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    store = Store(str(tmp_path / "file" / "below"))
    with pytest.raises(StoreFailed, match="below"):
        await store.put("name", tmp_path / "file")
    monkeypatch.setitem(stores._PACKAGES, "s3", "a_package_that_isnt_there")
    with pytest.raises(BadSetting, match=r"algorium\[cluster\]"):
        Store("s3://bucket")


async def test_any_worker_builds_what_was_handed_in_elsewhere(
    sessions: Sessions, machine: Machine, tmp_path: Path
) -> None:
    owner = await add_person(sessions, "author")
    door, worker, node = machine("door"), machine("worker"), machine("node")
    submitted = await tasks.submit(sessions, door, owner.id, read_project(project(tmp_path)))
    await tasks.take(sessions)
    await tasks.run(sessions, worker, submitted)
    build, version = await ended(sessions, submitted)
    assert build.state is BuildState.SUCCEEDED, build.log
    assert version.source_archive
    assert version.environment_archive

    async with node.placed(
        Artefact(
            str(version.id), "Shout", f"builds/versions/{version.id}",
            f"builds/environments/{version.environment_digest}",
            source_archive=version.source_archive,
            environment_archive=version.environment_archive,
        )
    ) as here:  # fmt: skip
        assert (Path(here.source) / "src" / "Shout.py").is_file()
        assert (Path(here.environment) / COMPLETE).is_file()
    # Another version with the same needs makes no other archive of them.
    again = read_project(project(tmp_path, number="1.1.0"))
    submitted = await tasks.submit(sessions, door, owner.id, again)
    await tasks.take(sessions)
    await tasks.run(sessions, machine("another worker"), submitted)
    _, second = await ended(sessions, submitted)
    assert second.environment_archive == version.environment_archive


async def test_a_build_without_its_store_fails_in_words(
    sessions: Sessions, machine: Machine, tmp_path: Path
) -> None:
    owner = await add_person(sessions, "author")
    shelf = machine("door")
    submitted = await tasks.submit(sessions, shelf, owner.id, read_project(project(tmp_path)))
    await tasks.take(sessions)
    (tmp_path / "store").rename(tmp_path / "gone")
    await tasks.run(sessions, machine("worker"), submitted)
    build, _ = await ended(sessions, submitted)
    assert build.state is BuildState.FAILED
    assert "data store" in build.message
    assert str(tmp_path / "store") not in build.message + build.log


async def test_what_was_published_before_there_was_a_store_gets_there(
    sessions: Sessions, machine: Machine, tmp_path: Path
) -> None:
    owner = await add_person(sessions, "author")
    before = Shelf(tmp_path / "one")
    submitted = await tasks.submit(sessions, before, owner.id, read_project(project(tmp_path)))
    await tasks.take(sessions)
    await tasks.run(sessions, before, submitted)
    _, version = await ended(sessions, submitted)
    assert (version.state, version.source_archive) == (VersionState.LIVE, "")

    assert await tasks.keep_missing(sessions, machine("another")) == 0
    assert await tasks.keep_missing(sessions, machine("one")) == 1
    assert await tasks.keep_missing(sessions, machine("one")) == 0
    async with sessions() as session:
        found = (await session.scalars(select(Version))).one()
    assert found.source_archive
    assert found.environment_archive
    assert await machine("one")._store.has(f"builds/{found.source_archive}.tar.gz")  # type: ignore[union-attr]


async def test_programs_of_an_environment_run_wherever_it_lies(tmp_path: Path) -> None:
    locked = await environment.resolve("wheel==0.45.1", tmp_path, lambda _: None)
    digest = await environment.install(locked, tmp_path, lambda _: None)
    place = places.environment_of(tmp_path, digest)
    head = (place / "bin" / "wheel").read_bytes()[:200]
    assert str(tmp_path).encode() not in head
