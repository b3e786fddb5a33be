"""The way from a folder to a live version, for the first program in every language."""

import json
import shutil
from pathlib import Path

import pytest

from catalog.models import Version, VersionState
from core.db import Sessions
from core.errors import BuildFailed
from execution import starter
from execution.builds import tasks
from execution.builds.shelf import Shelf
from execution.builds.source import read_project
from execution.languages import registry
from execution.languages.javascript.language import JavaScript
from execution.languages.language import Language
from execution.languages.python.interpreters import others, own
from execution.languages.registry import NotOffered
from execution.languages.ruby.language import Ruby
from execution.models import Build, BuildState
from execution.outcome import Artefact
from execution.sandbox.limits import Limits
from execution.sandbox.worker import Worker
from tests.languages.workshop import kin, project_of
from tests.people import add_person

OWN = f"python3.{own().minor}"
TOML = """
[algorithm]
name = "Hello"
summary = "Says hello"
category = "text"
licence = "MIT"
[version]
number = "1.0.0"
[resources]
memory_mib = 256
[sample]
input = "sample.txt"
"""


def project(folder: Path, language: str, said: str | None = None) -> Path:
    place = folder / "Hello"
    shutil.copytree(project_of(language, "Hello"), place)
    (place / "algorium.toml").write_text(TOML)
    (place / "README.md").write_text("# Hello\n")
    (place / "sample.txt").write_text("Bob")
    if said is not None:
        conf = {"username": "ada", "algoname": "Hello", "language": said}
        (place / "algorithmia.conf").write_text(json.dumps(conf))
    return place


async def test_a_folder_in_any_language_becomes_a_live_version(
    language: Language, sessions: Sessions, tmp_path: Path, builds: Path
) -> None:
    owner = await add_person(sessions, "author")
    read = read_project(project(tmp_path, kin(language.name), language.name))
    submitted = await tasks.submit(sessions, Shelf(builds), owner.id, read)
    await tasks.take(sessions)
    await tasks.run(sessions, Shelf(builds), submitted)

    async with sessions() as session:
        build = await session.get_one(Build, submitted)
        version = await session.get_one(Version, build.version_id)
    assert build.state is BuildState.SUCCEEDED, build.log
    assert version.state is VersionState.LIVE
    assert registry.words(version.language) == language.words()
    assert version.sample_output == b"Hello Bob"
    assert language.words() in build.log


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *(
            (word, "python")
            for word in ("python3", "python3-1", "python-3.x-1", "python2-langpack")
        ),
        *(("node-5.x-1", "javascript"), ("JavaScript", "javascript")),
    ],
)
def test_the_names_of_older_projects_are_understood(tmp_path: Path, said: str, meant: str) -> None:
    language = read_project(project(tmp_path, meant, said)).draft.language

    assert language == (OWN if meant == "python" else meant)


@pytest.mark.parametrize("word", ["{}", "{}-gpu", "Python-3.{}"])
def test_a_project_may_ask_for_one_version_of_python(tmp_path: Path, word: str) -> None:
    for number, one in enumerate(others()):
        named = word.format(one.minor if "3." in word else f"python3.{one.minor}")
        place = project(tmp_path / str(number), "python", named)
        assert read_project(place).draft.language == f"python3.{one.minor}"


def test_a_version_of_python_that_isnt_there_is_the_usual_one(tmp_path: Path) -> None:
    assert read_project(project(tmp_path, "python", "python3.7")).draft.language == OWN


def test_a_misspelt_key_of_an_old_template_is_understood(tmp_path: Path) -> None:
    place = project(tmp_path, "javascript")
    (place / "src" / "Hello.py").write_text("def apply(x): pass")
    (place / "algorithmia.conf").write_text('{"langauge": "javascript"}')

    assert read_project(place).draft.language == "javascript"


def test_a_language_that_nothing_here_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"'cobol'.*Python"):
        read_project(project(tmp_path, "python", "cobol"))


def test_an_entry_point_in_another_language_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"src/Hello\.js is missing"):
        read_project(project(tmp_path, "python", "javascript"))


def test_a_language_that_is_missing_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ruby, "missing", lambda _: "Install it.")
    with pytest.raises(BuildFailed, match=r"Ruby.* isn't offered here\. Install it\."):
        read_project(project(tmp_path, "ruby"))


def test_the_starter_catalog_leaves_out_what_a_machine_cant_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = {folder.name for folder in starter.folders()}
    monkeypatch.setattr(JavaScript, "missing", lambda _: "Install it.")

    assert everything - {folder.name for folder in starter.folders()} == {
        "MarkdownToHTML", "TextDiff",
    }  # fmt: skip


async def test_a_version_whose_language_is_gone_says_so() -> None:
    worker = Worker()
    failure = await worker.start(Artefact("v", "Hello", "/s", "", language="cobol"), Limits())

    assert failure is not None
    assert (failure.type, "cobol" in failure.message) == ("SystemError", True)
    with pytest.raises(NotOffered):
        registry.named("cobol")
