"""Every example of the starter catalog has all its parts. Nothing is installed or run here."""

import ast
import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
CATEGORIES = {"text", "vision", "audio", "operations", "data", "utilities"}
SECTIONS = ("## Input", "## Output", "## Example", "## Limits", "## Model and licence")
ERROR_KINDS = {
    "AlgorithmError",
    "EntityNotFoundError",
    "InputError",
    "ParsingError",
    "TooLargeError",
    "UnsupportedError",
}
PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*$")
MOST_BYTES_A_FILE = 3_000_000
MOST_BYTES = 10_000_000

LANGUAGES = {
    "python3": ("py", "requirements.txt"),
    "javascript": ("js", "package.json"),
    "perl": ("pl", "cpanfile"),
    "go": ("go", "go.mod"),
}
CALLS_OTHERS = {
    "python3": "import algorium",
    "javascript": "require('algorium')",
    "perl": "use Algorium",
    "go": "algorium.Call",
}
FAILURE = re.compile(
    r"class (\w+)\(\w*Error\)|class (\w+) extends Error|die \{type => '(\w+)'"
    r"|^type (\w+) string$",
    re.MULTILINE,
)


def language(folder: Path) -> str:
    """What an example says that it is written in."""
    return str(json.loads((folder / "algorithmia.conf").read_text())["language"])


def source(folder: Path) -> str:
    """The text of its entry point."""
    return (folder / "src" / f"{folder.name}.{LANGUAGES[language(folder)][0]}").read_text()


PYTHON = [folder for folder in FOLDERS if language(folder) == "python3"]
JAVASCRIPT = [folder for folder in FOLDERS if language(folder) == "javascript"]
every_example = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
in_python = pytest.mark.parametrize("folder", PYTHON, ids=lambda folder: folder.name)
in_javascript = pytest.mark.parametrize("folder", JAVASCRIPT, ids=lambda folder: folder.name)


def facts(folder: Path) -> dict[str, Any]:
    """What an example says about itself."""
    return tomllib.loads((folder / "algorium.toml").read_text())


def module(folder: Path) -> ast.Module:
    """Its source, parsed but not run."""
    return ast.parse(source(folder))


def files(folder: Path) -> list[Path]:
    """What an example ships, without what running it left behind."""
    return [
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]


def test_there_is_a_catalog_worth_opening() -> None:
    assert len(FOLDERS) >= 14
    assert {facts(folder)["algorithm"]["category"] for folder in FOLDERS} == CATEGORIES


def test_the_examples_stay_small() -> None:
    sizes = {path: path.stat().st_size for path in files(EXAMPLES)}
    assert {path for path, size in sizes.items() if size > MOST_BYTES_A_FILE} == set()
    assert sum(sizes.values()) < MOST_BYTES


@every_example
def test_the_layout_is_the_one_authors_use(folder: Path) -> None:
    conf = json.loads((folder / "algorithmia.conf").read_text())
    assert conf.pop("language") in LANGUAGES
    assert conf == {"username": "algorium", "algoname": folder.name}
    assert source(folder)
    for part in ("algorium.toml", LANGUAGES[language(folder)][1], "README.md"):
        assert (folder / part).is_file()


@every_example
def test_the_facts_are_whole(folder: Path) -> None:
    told = facts(folder)
    algorithm, version = told["algorithm"], told["version"]

    assert algorithm["name"] == folder.name
    assert 0 < len(algorithm["summary"]) < 120
    assert not algorithm["summary"].endswith(".")
    assert algorithm["category"] in CATEGORIES
    assert algorithm["tags"]
    assert all(re.fullmatch(r"[a-z0-9-]+", tag) for tag in algorithm["tags"])
    assert algorithm["licence"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version["number"])
    assert 0 <= Decimal(version["royalty_credits"]) <= 25
    assert isinstance(version["calls_others"], bool)
    assert 128 <= told["resources"]["memory_mib"] <= 4096


@every_example
def test_the_sample_is_there_with_its_real_output(folder: Path) -> None:
    sample = folder / facts(folder)["sample"]["input"]
    assert sample.stat().st_size > 0
    if sample.suffix == ".json":
        json.loads(sample.read_text())

    outputs = sorted((folder / "sample").glob("output.*"))
    assert [path.suffix for path in outputs] in ([".json"], [".txt"])
    if outputs[0].suffix == ".json":
        assert json.loads(outputs[0].read_text())
    else:
        assert outputs[0].read_text().strip()


@in_python
def test_requirements_are_pinned_exactly(folder: Path) -> None:
    lines = (folder / "requirements.txt").read_text().splitlines()
    wrong = [line for line in lines if line and not line.startswith("#") and not PIN.match(line)]
    assert wrong == []


@in_javascript
def test_packages_are_locked_to_their_contents(folder: Path) -> None:
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", number) for number in wanted.values())
    assert packages.pop("")["dependencies"] == wanted
    assert all(one["integrity"] for one in packages.values())


@in_python
def test_the_module_can_be_called(folder: Path) -> None:
    functions = {
        node.name: node for node in module(folder).body if isinstance(node, ast.FunctionDef)
    }
    parameters = functions["apply"].args
    assert len(parameters.args) == (2 if "load" in functions else 1)
    assert ast.get_docstring(functions["apply"])
    assert ast.get_docstring(module(folder))


@every_example
def test_failures_have_names_the_platform_knows(folder: Path) -> None:
    failures = {"".join(found) for found in FAILURE.findall(source(folder))}

    assert "InputError" in failures
    assert failures <= ERROR_KINDS


@every_example
def test_the_right_to_call_others_is_asked_for_exactly_when_used(folder: Path) -> None:
    used = CALLS_OTHERS[language(folder)] in source(folder)

    assert used == facts(folder)["version"]["calls_others"]


@every_example
def test_the_readme_tells_what_a_caller_needs(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    assert readme.startswith(f"# {folder.name}\n")
    headings = [line for line in readme.splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)
    assert "| Member | Type | Meaning |" in readme
