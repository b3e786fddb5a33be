"""The embedded PostgreSQL starts anywhere, keeps what it was given, survives being killed."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from web.up import database_files, instance, postgres, processes
from web.up.errors import CannotStart

KEEP = "CREATE TABLE IF NOT EXISTS kept (word text); INSERT INTO kept VALUES ('here')"


async def ask(server: postgres.Postgres, question: str) -> object:
    connection = await asyncpg.connect(
        host=str(server.places.sockets), user=postgres.ROLE, database=postgres.NAME
    )
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def tell(server: postgres.Postgres, order: str) -> None:
    connection = await asyncpg.connect(
        host=str(server.places.sockets), user=postgres.ROLE, database=postgres.NAME
    )
    try:
        await connection.execute(order)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that the tests of this file share, since setting one up takes longest."""
    home = tmp_path_factory.mktemp("used")
    yield home
    database_files.remove(home)


async def test_what_was_written_is_there_at_the_next_start(used_home: Path) -> None:
    with postgres.start(used_home) as server:
        await tell(server, KEEP)
    assert server.process.poll() == 0

    with postgres.start(used_home) as server:
        assert await ask(server, "SELECT word FROM kept") == "here"
        assert server.url == postgres.database_url(used_home)


async def test_a_killed_server_recovers_at_the_next_start(used_home: Path) -> None:
    first = postgres.start(used_home)
    await tell(first, KEEP)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    first.lock.close()

    with postgres.start(used_home) as server:
        assert await ask(server, "SELECT max(word) FROM kept") == "here"


async def test_a_server_that_lost_its_supervisor_is_ended_before_the_next(used_home: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from web.up import postgres\n"
        "postgres.start(Path(sys.argv[1]), dies_with_parent=False)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(used_home)], check=False)
    left = processes.working_in(database_files.layout(used_home).data)
    first = next(process for process in left if process.ppid() not in {p.pid for p in left})
    assert first.name() == "postgres"

    with postgres.start(used_home) as server:
        assert await ask(server, "SELECT 1") == 1
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE


def test_a_server_ends_when_its_supervisor_is_killed(used_home: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from web.up import postgres\n"
        "postgres.start(Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(used_home)], check=False)

    data = database_files.layout(used_home).data
    deadline = time.monotonic() + 20
    while processes.working_in(data) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes.working_in(data) == []


async def test_a_note_that_names_another_programs_number_is_no_obstacle(used_home: Path) -> None:
    postgres.start(used_home).stop()
    places = database_files.layout(used_home)
    # PostgreSQL minds only the processes of its own user.
    other = subprocess.Popen(["sleep", "60"], user=places.data.stat().st_uid)
    try:
        note = f"{other.pid}\n{places.data}\n1\n5432\n{places.sockets}\n\n0 0\nready\n"
        (places.data / "postmaster.pid").write_text(note)

        with postgres.start(used_home) as server:
            assert await ask(server, "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_setup_that_was_cut_short_is_begun_anew(home: Path) -> None:
    instance.prepare(home)
    places = database_files.layout(home)
    places.data.parent.mkdir(parents=True, exist_ok=True)
    half_done = places.data.with_name("database.draft")
    half_done.mkdir()
    (half_done / "postgresql.conf").write_text("")

    with postgres.start(home) as server:
        assert await ask(server, "SELECT 1") == 1
    assert not half_done.exists()


def test_one_home_has_one_server(used_home: Path) -> None:
    with postgres.start(used_home), pytest.raises(CannotStart, match="running already"):
        postgres.start(used_home)


@pytest.mark.parametrize("name", ["with spaces, and commas", "long" * 50, 'a "quoted" word'])
async def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    try:
        with postgres.start(home) as server:
            assert await ask(server, "SELECT 1") == 1
    finally:
        database_files.remove(home)


async def test_no_mode_outside_our_folders_is_changed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "below" / "home"
    home.mkdir(parents=True, mode=0o700)
    folders = [home, *home.parents, Path("/var"), Path("/var/lib")]
    before = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in folders}
    try:
        with postgres.start(home) as server:
            assert await ask(server, "SELECT 1") == 1
            assert {folder: stat.S_IMODE(folder.stat().st_mode) for folder in folders} == before
    finally:
        database_files.remove(home)


def test_only_its_owner_reaches_the_socket(used_home: Path) -> None:
    with postgres.start(used_home) as server:
        for folder in (server.places.sockets, server.places.data):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's home holds its database itself")
class TestAsRoot:
    async def test_a_moved_home_takes_its_database_along(self, home: Path) -> None:
        with postgres.start(home) as server:
            await tell(server, KEEP)
        moved = home.with_name("moved")
        home.rename(moved)
        try:
            with postgres.start(moved) as server:
                assert await ask(server, "SELECT count(*) FROM kept") == 1
        finally:
            database_files.remove(moved)

    def test_a_copied_home_never_writes_to_the_originals_database(self, home: Path) -> None:
        postgres.start(home).stop()
        copy = home.with_name("copy")
        shutil.copytree(home, copy)

        with pytest.raises(CannotStart, match="is a copy of"):
            postgres.start(copy)

    async def test_a_home_that_was_deleted_starts_empty(self, home: Path) -> None:
        with postgres.start(home) as server:
            await tell(server, KEEP)
        old = database_files.layout(home).data.parent
        shutil.rmtree(home)
        try:
            with postgres.start(home) as server:
                assert await ask(server, "SELECT to_regclass('kept')") is None
        finally:
            shutil.rmtree(old)


def test_an_ordinary_users_database_lies_in_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    places = database_files.layout(home)
    assert (places.data, places.owner) == (home / "database", None)
    long = database_files.layout(home / ("long" * 50)).sockets
    assert len(os.fsencode(long / ".s.PGSQL.5432")) < 108


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "run"
    folder.symlink_to(elsewhere)
    places = database_files.Layout(tmp_path / "database", folder, None)

    with pytest.raises(CannotStart, match="belongs to somebody else"):
        database_files.make_folders(tmp_path, places)
