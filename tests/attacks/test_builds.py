"""Hostile projects and packages: what a build must not run, read, write or choke on."""

import base64
import hashlib
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from core.errors import BuildFailed
from execution.builds import environment, making, places
from execution.builds.source import copy_project, files_of, read_project
from execution.outcome import Artefact
from tests.attacks.host import MARK
from tests.sandbox.authors import Author, again, value_of

TOML = """
[algorithm]
name = "Attack"
summary = "Tries"
category = "text"
licence = "MIT"
[version]
number = "1.0.0"
"""
APPLY = "def apply(x):\n    return x\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is in order but for what a test adds."""
    folder = tmp_path / "Attack"
    (folder / "src").mkdir(parents=True)
    (folder / "algorium.toml").write_text(TOML)
    (folder / "README.md").write_text("# Attack\n")
    (folder / "src" / "Attack.py").write_text(APPLY)
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that strangers write to; the real one can't be asked."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder


Member = tuple[str, bytes, int]


def wheel(index: Path, members: list[Member], name: str = "evil") -> None:
    """Put a wheel with these files into the index: name, contents, mode."""
    info = f"{name}-1.0.dist-info"
    texts = [
        (f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(), 0),
        (f"{info}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", 0),
        *members,
    ]
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()},\n"
        for path, data, _ in texts
    )
    with zipfile.ZipFile(index / f"{name}-1.0-py3-none-any.whl", "w") as file:
        for path, data, mode in [*texts, (f"{info}/RECORD", record.encode(), 0)]:
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (mode or stat.S_IFREG | 0o644) << 16
            file.writestr(entry, data)


async def built(home: Path, needs: str = "evil==1.0") -> Path:
    said: list[str] = []
    locked = await environment.resolve(needs, home, said.append)
    return places.environment_of(home, await environment.install(locked, home, said.append))


def left_outside(*folders: Path) -> list[str]:
    return [
        name for folder in (*folders, Path("/tmp"), Path("/var/tmp")) for name in os.listdir(folder)  # noqa: PTH208
        if MARK in name
    ]  # fmt: skip


async def test_a_source_archive_is_never_run(index: Path, tmp_path: Path) -> None:
    setup = f"import pathlib\npathlib.Path({str(tmp_path)!r}, {MARK!r}).touch()\n".encode()
    with tarfile.open(index / "evil-1.0.tar.gz", "w:gz") as file:
        for name, data in (
            ("setup.py", setup),
            ("PKG-INFO", b"Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"),
            ("pyproject.toml", b"[build-system]\nrequires = []\nbuild-backend = 'setup'\n"),
        ):
            entry = tarfile.TarInfo(f"evil-1.0/{name}")
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))

    with pytest.raises(BuildFailed, match="can't be met"):
        await built(tmp_path)
    assert left_outside(tmp_path) == []


async def test_what_a_wheel_runs_at_start_runs_in_the_sandbox(
    author: Author, index: Path, tmp_path: Path
) -> None:
    escape = f"import os; os.environ['SEEN'] = '1'; open({str(tmp_path / MARK)!r}, 'w')"
    harmless = "import os; os.environ['SEEN'] = '1'"
    wheel(index, [("evil.pth", f"{harmless}\n{escape}\n".encode(), 0), ("evil.py", b"X = 1\n", 0)])
    place = await built(tmp_path)
    code = "import evil, os\ndef apply(x): return [evil.X, os.environ.get('SEEN'), os.getuid()]"
    written = author.write(code)
    worker, failure = await author.load(
        Artefact(written.version_id, written.name, written.source, str(place))
    )

    assert failure is None, failure
    x, seen, user = value_of(await again(worker))
    assert (x, seen) == (1, "1")  # it did run: in there
    assert user != 0
    assert left_outside(tmp_path) == []


TRAVERSALS: dict[str, list[Member]] = {
    "up": [(f"../../../../../../{MARK}", b"x", 0)],
    "absolute": [(f"/tmp/{MARK}", b"x", 0)],
    "up inside": [(f"evil/../../../../../{MARK}", b"x", 0)],
    "by data": [(f"evil-1.0.data/data/../../../../{MARK}", b"x", 0)],
    "by scripts": [(f"evil-1.0.data/scripts/../../../{MARK}", b"#!python\n", 0)],
    "a link and a file behind it": [
        ("evil/link", b"/tmp", stat.S_IFLNK | 0o777),
        (f"evil/link/{MARK}", b"x", 0),
    ],
}


@pytest.mark.parametrize("members", TRAVERSALS.values(), ids=TRAVERSALS)
async def test_a_wheel_writes_nothing_outside_of_its_environment(
    index: Path, tmp_path: Path, members: list[Member]
) -> None:
    wheel(index, members)
    try:
        place = await built(tmp_path)
    except BuildFailed:
        place = None

    found = [
        path for path in tmp_path.rglob(f"*{MARK}*")
        if place is None or not path.is_relative_to(place)
        if not path.is_relative_to(tmp_path / "builds" / "cache")
    ]  # fmt: skip
    assert found == []
    assert left_outside() == []


async def test_a_wheel_brings_no_links_to_files_of_the_machine(index: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    wheel(index, [("evil/link.py", str(secret).encode(), stat.S_IFLNK | 0o777)])
    try:
        place = await built(tmp_path)
    except BuildFailed:
        return
    (made,) = place.glob("lib/python3*/site-packages/evil/link.py")
    assert not made.is_symlink() or "swordfish" not in made.read_text()


async def test_an_interpreter_that_a_wheel_brings_is_not_run_outside(
    author: Author, index: Path, tmp_path: Path
) -> None:
    script = f"#!/bin/sh\ntouch {tmp_path / MARK}\n".encode()
    wheel(index, [(f"evil-1.0.data/scripts/{n}", script, 0) for n in ("python", "python3")])
    try:
        place = await built(tmp_path)
    except BuildFailed:
        return
    written = author.write(APPLY)
    worker, failure = await author.load(
        Artefact(written.version_id, written.name, written.source, str(place))
    )
    assert failure is None, failure
    assert value_of(await again(worker, 1)) == 1
    await built(tmp_path)  # again, from the one that is there
    assert left_outside(tmp_path) == []


def copied(project: Path, tmp_path: Path) -> set[str]:
    copy_project(read_project(project), tmp_path / "copy")
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))
    return {
        os.fsdecode(path.relative_to(tmp_path / "copy")) for path in files_of(tmp_path / "copy")
    }


PLAIN = {"algorium.toml", "README.md", "src/Attack.py"}


def test_links_and_special_files_are_left_behind(project: Path, tmp_path: Path) -> None:
    (project / "passwd").symlink_to("/etc/passwd")
    (project / "src" / "all").symlink_to("/")
    (project / "up").symlink_to("../../..")
    (project / "loop").symlink_to("loop")
    os.mkfifo(project / "fifo")

    assert copied(project, tmp_path) == PLAIN


def test_odd_names_are_carried_as_they_are(project: Path, tmp_path: Path) -> None:
    odd = {"new\nline", "-rf", "a b", "x" * 255, os.fsdecode(b"\xff\xfe")}
    for name in odd:
        (project / name).write_text("x")

    assert copied(project, tmp_path) == PLAIN | odd


@pytest.mark.parametrize("many", ["files", "bytes", "sparse"])
def test_more_than_a_project_may_have_is_refused(project: Path, many: str) -> None:
    if many == "files":
        for number in range(2_001):
            (project / str(number)).touch()
    for number in range({"bytes": 9, "sparse": 1}.get(many, 0)):
        with (project / str(number)).open("wb") as file:
            file.truncate(2**40 if many == "sparse" else 8 * 2**20)

    with pytest.raises(BuildFailed, match="more than"):
        read_project(project)


def test_folders_in_folders_without_end_are_refused_or_left_behind(
    project: Path, tmp_path: Path
) -> None:
    here = os.open(project, os.O_RDONLY)
    for _ in range(100):
        os.mkdir("x" * 100, dir_fd=here)
        deeper = os.open("x" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("deep", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        assert copied(project, tmp_path) == PLAIN
    except BuildFailed:
        assert not (tmp_path / "copy").exists()


async def test_an_environment_without_end_is_stopped(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "LARGEST_FILE", 2**20)
    name = "evil-1.0-py3-none-any.whl"
    wheel(index, [("evil/bomb.bin", bytes(8 * 2**20), 0)])
    with (
        zipfile.ZipFile(index / name) as plain,
        zipfile.ZipFile(index / "packed", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    (index / "packed").replace(index / name)
    assert (index / name).stat().st_size < 2**16

    with pytest.raises(BuildFailed):
        await built(tmp_path)
