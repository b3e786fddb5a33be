"""What the docs say is what there is."""

import re
from pathlib import Path

import click
import pytest

from core import errors
from core.errors import MarketError
from core.settings import Settings
from execution.languages import registry
from web.cli import main

ROOT = Path(__file__).resolve().parents[2]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
CODE = [path for package in ("core", "catalog", "billing", "search", "execution", "web")
        for path in sorted((ROOT / package).rglob("*.py"))]  # fmt: skip


def commands(group: click.Group, prefix: str = "algorium") -> list[str]:
    """Every command as an operator types it."""
    found: list[str] = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append(f"{prefix} {name}")
    return found


@pytest.mark.parametrize("command", commands(main))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}" in OPERATING


def test_every_setting_is_documented_and_read() -> None:
    read = set(re.findall(r'"((?:ALGORIUM|OIDC)_[A-Z_]+|DATABASE_URL|RAY_ADDRESS|DATA_URL)"',
                          (ROOT / "core" / "settings.py").read_text()))  # fmt: skip
    documented = set(
        re.findall(r"`((?:ALGORIUM|OIDC)_[A-Z_]+|DATABASE_URL|RAY_ADDRESS|DATA_URL)`", OPERATING)
    )
    assert read == documented
    assert Settings.from_environment({}).port == 8000


def test_every_link_in_the_docs_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}


def test_every_language_is_in_the_table_of_languages() -> None:
    table = (ROOT / "docs" / "publishing.md").read_text()
    for language in registry.known():
        assert f"| {re.split(r'[ (]', language.words())[0]} | " in table
        assert f"`{language.manifest}`" in table


def test_every_refusal_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values()
             if isinstance(kind, type) and issubclass(kind, MarketError)]  # fmt: skip
    codes = [kind.code for kind in kinds]
    assert len(codes) == len(set(codes))


def test_every_error_type_of_a_call_is_documented() -> None:
    calling = (ROOT / "docs" / "calling.md").read_text()
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, MarketError):
            assert f"`{kind.error_type}`" in calling


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_only_roots_and_commands_commit() -> None:
    for package in ("core", "catalog", "billing", "search"):
        for path in (ROOT / package).rglob("*.py"):
            assert "session.commit()" not in path.read_text(), path
