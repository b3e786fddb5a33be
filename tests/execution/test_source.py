"""An author's folder: what is wrong with it is said, and nothing else is touched."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BuildFailed
from execution.builds.environment import plain_requirements
from execution.builds.source import copy_project, files_of, read_project
from execution.starter import folders

TOML = """
[algorithm]
name = "Shout"
summary = "Says it louder"
category = "text"
tags = ["nlp", "loud"]
licence = "MIT"
[version]
number = "1.2.3"
royalty_credits = "0.5"
[sample]
input = "sample/input.json"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that is in order."""
    place = tmp_path / "Shout"
    (place / "src").mkdir(parents=True)
    (place / "sample").mkdir()
    (place / "algorium.toml").write_text(TOML)
    (place / "src" / "Shout.py").write_text("def apply(text):\n    return text.upper()\n")
    (place / "README.md").write_text("# Shout\n")
    (place / "sample" / "input.json").write_text('"hello"')
    return place


def test_a_project_in_order_is_read_whole(folder: Path) -> None:
    draft = read_project(folder).draft
    assert (draft.name, draft.number, draft.royalty) == ("Shout", (1, 2, 3), 500_000)
    assert (draft.sample_type, draft.sample_input) == ("json", b'"hello"')
    assert len(draft.source_digest) == 64


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def remove(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()

    return change


def replace(old: str, new: str) -> Callable[[Path], None]:
    assert old in TOML
    return write("algorium.toml", TOML.replace(old, new))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (remove("algorium.toml"), "no algorium.toml"),
        (write("algorium.toml", "[algorithm"), "can't be read"),
        (write("algorium.toml", "name = 1"), r"\[algorithm\]"),
        (write("algorium.toml", "\ud800".encode("utf-8", "replace").decode()), "can't be read"),
        (remove("src/Shout.py"), r"src/Shout\.py is missing"),
        (remove("README.md"), "README.md is missing"),
        (remove("sample/input.json"), "not in the project"),
        (write("sample/input.json", "{"), "no valid JSON"),
        (replace('name = "Shout"', 'name = "../up"'), "name"),
        (replace('name = "Shout"', "name = 3"), "name is missing"),
        (replace('"1.2.3"', '"1.2"'), "three numbers"),
        (replace('"0.5"', '"-1"'), "no amount of credits"),
        (replace('"0.5"', '"1000001"'), "a million"),
        (replace('"text"', '"words"'), "category is one of"),
        (replace('"MIT"', '""'), "licence"),
        (replace('["nlp", "loud"]', '"nlp"'), "tags"),
        (replace('["nlp", "loud"]', '["<b>"]'), "no tag"),
        (replace('"Says it louder"', '"' + "x" * 161 + '"'), "summary"),
        (replace('"sample/input.json"', '"../../etc/passwd"'), "not in the project"),
        (write("algorithmia.conf", '{"algoname": "Other"}'), "algorithmia.conf says"),
        (write("algorithmia.conf", "[]"), "no JSON object"),
        (write("README.md", "x" * 200_001), "README.md is above"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, change: Callable[[Path], None], words: str) -> None:
    change(folder)
    with pytest.raises(BuildFailed, match=words):
        read_project(folder)


def test_a_text_that_is_no_text_is_refused_in_words(folder: Path) -> None:
    (folder / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(BuildFailed, match="UTF-8"):
        read_project(folder)


def test_links_and_secrets_stay_behind(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("a secret")
    (folder / "src" / "link.py").symlink_to(tmp_path / "outside")
    (folder / ".env").write_text("KEY=1")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "everything").symlink_to(tmp_path)
    project = read_project(folder)
    copy_project(project, tmp_path / "copy")
    copied = {
        path.relative_to(tmp_path / "copy").as_posix() for path in files_of(tmp_path / "copy")
    }
    assert copied == {"README.md", "algorium.toml", "sample/input.json", "src/Shout.py"}


def test_the_same_sources_have_the_same_digest(folder: Path) -> None:
    first = read_project(folder).draft.source_digest
    assert read_project(folder).draft.source_digest == first
    (folder / "src" / "Shout.py").write_text("def apply(x): return x")
    assert read_project(folder).draft.source_digest != first


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://127.0.0.1/simple",
        "-e .",
        "-r /etc/passwd",
        "numpy @ file:///etc/passwd",
        "git+https://127.0.0.1/x.git",
        "../x.whl",
        "x==1 --hash=sha256:00",
    ],
)
def test_requirements_name_packages_and_nothing_else(line: str) -> None:
    with pytest.raises(BuildFailed):
        plain_requirements(line)


def test_comments_and_markers_in_requirements_are_fine() -> None:
    text = "# words\n\nnumpy==2.1.0  # arrays\nuvloop>=0.1; sys_platform != 'win32'\n"
    assert len(plain_requirements(text)) == 2


def test_every_starter_algorithm_is_in_order() -> None:
    names = {read_project(folder).draft.name for folder in folders()}
    assert len(names) >= 12
    assert {
        "Sentiment", "LanguageDetection", "FileType", "OCR", "FaceDetection", "Barcode"
    } <= names  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["[algorithm]\nx = " + "9" * 5000, "x = " + "[" * 5000 + "]" * 5000],
    ids=["digits", "brackets"],
)
def test_numbers_and_brackets_without_end_are_refused_in_words(folder: Path, text: str) -> None:
    (folder / "algorium.toml").write_text(text)
    with pytest.raises(BuildFailed, match="can't be read"):
        read_project(folder)


@pytest.mark.parametrize("name", ["README.md", "requirements.txt", "algorium.toml", "src"])
def test_a_link_shows_no_file_from_elsewhere(folder: Path, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    if (folder / name).exists():
        (folder / name).rename(secret)
    else:
        secret.write_text("numpy")
    (folder / name).symlink_to(secret)
    with pytest.raises(BuildFailed, match="is a link"):
        read_project(folder)


def test_a_huge_file_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / "README.md").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(BuildFailed, match="MiB"):
        read_project(folder)


def test_what_a_version_needs_is_read(folder: Path) -> None:
    more = """
[resources]
memory_mib = 512
timeout_s = 20
isolation = "caller"
[scaling]
target_ongoing = 7
max_replicas = 0
"""
    (folder / "algorium.toml").write_text(TOML + more)
    draft = read_project(folder).draft
    assert (draft.memory_mib, draft.timeout_s, draft.isolation) == (512, 20, "caller")
    assert (draft.scaling.target_ongoing, draft.scaling.max_replicas) == (7, 0)


def test_a_version_has_the_memory_of_its_hardware(folder: Path) -> None:
    more = '[resources]\nhardware = "gpu-quarter"\n[scaling]\nmin_replicas = 2'
    (folder / "algorium.toml").write_text(TOML + more)
    draft = read_project(folder).draft
    assert (draft.hardware, draft.memory_mib, draft.scaling.min_replicas) == (
        "gpu-quarter", 8192, 2
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        "resources = 3",
        "[resources]\ntimeout_s = 0",
        "[resources]\ntimeout_s = 3001",
        '[resources]\nisolation = "none"',
        "[scaling]\ntarget_ongoing = true",
        "[scaling]\nmax_replicas = -1",
        "[scaling]\nmax_replicas = 1\nmin_replicas = 2",
        '[resources]\nhardware = "abacus"',
        '[resources]\nhardware = "cpu-2"\nmemory_mib = 4097',
        '[resources]\nhardware = "gpu"\n[scaling]\nmax_replicas = 0',
    ],
)
def test_what_a_version_cant_have_is_refused(folder: Path, wrong: str) -> None:
    name = wrong.rsplit("\n", maxsplit=1)[-1].split(" ", maxsplit=1)[0]
    (folder / "algorium.toml").write_text(f"{wrong}\n{TOML}" if "[" not in wrong else TOML + wrong)
    with pytest.raises(BuildFailed, match=name):
        read_project(folder)
