"""An author: publishes a folder, sees what is wrong with another, is paid for each call."""

import time
from pathlib import Path

from bench.installation import Installation
from tests.journeys.conftest import algorium, call, new_key

TOML = """
[algorithm]
name = "Double"
summary = "Doubles a number"
category = "utilities"
licence = "MIT"
[version]
number = "{number}"
royalty_credits = "10"
[sample]
input = "sample.json"
"""


def project(folder: Path, number: str, code: str) -> Path:
    place = folder / "Double"
    (place / "src").mkdir(parents=True, exist_ok=True)
    (place / "algorium.toml").write_text(TOML.format(number=number))
    (place / "src" / "Double.py").write_text(code)
    (place / "README.md").write_text("# Double\n")
    (place / "sample.json").write_text("21")
    return place


def test_an_author_publishes_and_earns(running: Installation, tmp_path: Path) -> None:
    running.command("users", "add", "writer")
    key = new_key(running, "reader")
    good = project(tmp_path, "1.0.0", "def apply(x):\n    return 2 * x\n")
    told = algorium(running, "publish", str(good), "--owner", "writer")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "/v1/algo/writer/Double/1.0.0" in told.stdout
    assert call(running, key, "writer/Double", 4).json()["result"] == 8

    bad = project(tmp_path, "1.1.0", "def apply(x):\n    return undefined_name\n")
    told = algorium(running, "publish", str(bad), "--owner", "writer")
    assert told.returncode == 1
    assert "undefined_name" in told.stdout
    assert call(running, key, "writer/Double", 4).json()["result"] == 8

    again = algorium(running, "publish", str(good := project(
        tmp_path, "1.0.0", "def apply(x):\n    return 3 * x\n")), "--owner", "writer")  # fmt: skip
    assert again.returncode == 2
    assert "never changes" in again.stderr

    newer = project(tmp_path, "2.0.0", "def apply(x):\n    return 3 * x\n")
    assert algorium(running, "publish", str(newer), "--owner", "writer").returncode == 0
    assert call(running, key, "writer/Double/1.0.0", 4).json()["result"] == 8
    # A new version is the newest everywhere within a second.
    deadline = time.monotonic() + 10
    while (
        call(running, key, "writer/Double", 4).json()["result"] != 12
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert call(running, key, "writer/Double", 4).json()["result"] == 12
    assert running.command("books", "verify") == "The books agree."


def test_what_a_folder_lacks_is_said(running: Installation, tmp_path: Path) -> None:
    (tmp_path / "Empty").mkdir()
    told = algorium(running, "publish", str(tmp_path / "Empty"), "--owner", "algorium")
    assert told.returncode == 2
    assert "algorium.toml" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_operator_is_told_what_is_wrong(running: Installation) -> None:
    for words in (
        ("users", "add", "admin"),
        ("users", "add", "no spaces"),
        ("keys", "add", "nobody_here"),
        ("credits", "grant", "algorium", "-5x"),
    ):
        told = algorium(running, *words)
        assert told.returncode == 2, words
        assert "Traceback" not in told.stderr
        assert told.stderr.strip()
