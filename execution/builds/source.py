"""An author's project folder: what must be in it, and what it says of itself.

algorium.toml      name, summary, category, tags, licence, version, price, sample
algorithmia.conf   the older file of the same purpose; `algoname` must agree where it is there
src/<Name>.py      `apply(input)`, and `load()` where something is to be loaded once; in another
                   language, what its folder in execution/languages/ says
requirements.txt   packages, where any are needed
README.md          what the listing shows
sample/            an input that must run before the version goes live
"""

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from billing.pricing import HIGHEST_ROYALTY, parse_credits
from catalog.models import Category, Isolation, Visibility
from catalog.names import check_name, parse_number
from catalog.scaling import MAX_REPLICAS, Scaling
from catalog.service import Draft
from core.errors import BuildFailed, MarketError
from core.hardware import DEFAULT, PROFILES
from execution.languages.registry import known, language_of
from execution.outcome import ContentType

MOST_FILES = 2_000
MOST_BYTES = 64 * 2**20
LARGEST_SAMPLE = 2 * 2**20
LARGEST_README = 200_000
MOST_TAGS = 10
LEAST_MEMORY_MIB = 64
TIMEOUT_S = range(1, 3001)
LEFT_OUT = frozenset({".git", ".venv", "venv", "__pycache__", ".env", "node_modules"})
SUFFIXES = {".json": ContentType.JSON, ".txt": ContentType.TEXT}


@dataclass(frozen=True, slots=True)
class Project:
    """A folder that was read and found to be in order."""

    folder: Path
    draft: Draft


def read_project(folder: Path) -> Project:
    """Read a project folder. Raises BuildFailed with what is wrong and where."""
    try:
        return _read(folder)
    except BuildFailed:
        raise
    except MarketError as error:
        raise BuildFailed(f"algorium.toml: {error.message}") from error
    except UnicodeDecodeError as error:
        raise BuildFailed(f"A text file of the project is not in UTF-8: {error.reason}.") from error
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits, brackets in brackets without end.
        raise BuildFailed(f"The project can't be read: {str(error)[:200]}.") from error


def copy_project(project: Project, into: Path) -> None:
    """Put the project's files at `into`, whole or not at all, readable by the sandbox."""
    part = into.with_name(into.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for path in files_of(project.folder):
        target = part / path.relative_to(project.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for place in [part, *part.rglob("*")]:
        place.chmod(0o755 if place.is_dir() else 0o644)
    shutil.rmtree(into, ignore_errors=True)
    part.rename(into)


def files_of(folder: Path) -> Iterator[Path]:
    """Walk the files that belong to a project, in a fixed order; links are not followed."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(names):
            path = Path(root, name)
            if name not in LEFT_OUT and path.is_file() and not path.is_symlink():
                yield path


def _read(folder: Path) -> Project:
    _check_files(folder)
    settings = _settings(folder)
    about = _table(settings, "algorithm")
    version = _table(settings, "version")
    name = check_name(_text(about, "name"))
    _agree(folder, name)
    royalty = parse_credits(str(version.get("royalty_credits", "0")))
    if royalty > HIGHEST_ROYALTY:
        raise BuildFailed("algorium.toml: royalty_credits is above a million credits a call.")
    profile = PROFILES[_word(PROFILES, _part(settings, "resources"), "hardware", DEFAULT.name)]
    draft = Draft(
        name=name,
        summary=_text(about, "summary", longest=160),
        category=_word(Category, about, "category"),
        tags=_tags(about),
        licence=_text(about, "licence", longest=40),
        number=parse_number(_text(version, "number")),
        royalty=royalty,
        language=language_of(folder, name, about.get("language")).name,
        readme=_readme(folder),
        calls_others=version.get("calls_others", False) is True,
        idempotent=version.get("idempotent", False) is True,
        hardware=profile.name,
        memory_mib=_number(
            settings, "resources", "memory_mib", profile.memory_mib,
            range(LEAST_MEMORY_MIB, profile.most_mib + 1),
        ),
        timeout_s=_number(settings, "resources", "timeout_s", 300, TIMEOUT_S),
        scaling=_scaling(settings, profile.name),
        isolation=_word(Isolation, _part(settings, "resources"), "isolation", Isolation.SHARED),
        visibility=_word(Visibility, about, "visibility", Visibility.PUBLIC),
        source_digest=_digest(folder),
    )  # fmt: skip
    return Project(folder, _with_sample(folder, draft, settings.get("sample", {})))


def _check_files(folder: Path) -> None:
    """Refuse what can't be read whole, and links, which would show a file from elsewhere."""
    own = ("algorium.toml", "algorithmia.conf", "README.md", "src")
    for name in (*own, *(language.manifest for language in known())):
        if (folder / name).is_symlink():
            raise BuildFailed(f"{name} is a link. Put the file itself into the project.")
    count = size = 0
    for path in files_of(folder):
        count, size = count + 1, size + path.stat().st_size
        if count > MOST_FILES or size > MOST_BYTES:
            raise BuildFailed(
                f"The project has more than {MOST_FILES:,} files or {MOST_BYTES // 2**20} MiB."
            )


def _settings(folder: Path) -> dict[str, Any]:
    place = folder / "algorium.toml"
    if not place.is_file():
        raise BuildFailed(
            f"{folder.name}/ has no algorium.toml, which says what the algorithm is called and "
            "what it costs. The page Publish shows one to copy."
        )
    try:
        return tomllib.loads(place.read_text())
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"algorium.toml can't be read: {error}.") from error


def _agree(folder: Path, name: str) -> None:
    """Refuse a project whose two files name two algorithms."""
    place = folder / "algorithmia.conf"
    if not place.is_file():
        return
    try:
        named = json.loads(place.read_text()).get("algoname", name)
    except (ValueError, AttributeError) as error:
        raise BuildFailed("algorithmia.conf is no JSON object.") from error
    if named != name:
        raise BuildFailed(f"algorithmia.conf says {named!r}, and algorium.toml says {name!r}.")


def _table(settings: dict[str, Any], name: str) -> dict[str, Any]:
    table = settings.get(name)
    if not isinstance(table, dict):
        raise BuildFailed(f"algorium.toml has no table [{name}].")
    return table


def _text(table: dict[str, Any], name: str, *, longest: int = 80) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BuildFailed(f"algorium.toml: {name} is missing, or is no text.")
    text = " ".join(value.split())
    if len(text) > longest or not text.isprintable():
        raise BuildFailed(f"algorium.toml: {name} is above {longest} characters, or has odd ones.")
    return text


def _word(of: Any, table: dict[str, Any], name: str, default: Any = None) -> Any:  # noqa: ANN401
    value = table.get(name, default)
    if value not in list(of):
        raise BuildFailed(f"algorium.toml: {name} is one of {', '.join(of)}.")
    return of(value) if isinstance(of, type) else value


def _tags(about: dict[str, Any]) -> tuple[str, ...]:
    tags = about.get("tags", [])
    if not isinstance(tags, list) or len(tags) > MOST_TAGS:
        raise BuildFailed(f"algorium.toml: tags is a list of at most {MOST_TAGS} words.")
    for tag in tags:
        plain = isinstance(tag, str) and tag.replace("-", "").replace(" ", "").isalnum()
        if not plain or len(tag) > 32:  # noqa: PLR2004
            raise BuildFailed(f"algorium.toml: {str(tag)[:40]!r} is no tag: letters, digits, '-'.")
    return tuple(dict.fromkeys(tag.lower() for tag in tags))


def _part(settings: dict[str, Any], table: str) -> dict[str, Any]:
    part = settings.get(table, {})
    if not isinstance(part, dict):
        raise BuildFailed(f"algorium.toml: {table} is a table, written [{table}].")
    return part


def _number(settings: dict[str, Any], table: str, name: str, default: int, among: range) -> int:
    wish = _part(settings, table).get(name, default)
    if not isinstance(wish, int) or isinstance(wish, bool) or wish not in among:
        raise BuildFailed(f"algorium.toml: {name} is a number from {among[0]} to {among[-1]}.")
    return wish


def _scaling(settings: dict[str, Any], hardware: str) -> Scaling:
    usual = Scaling()
    found = Scaling(
        *(
            _number(settings, "scaling", one.name, getattr(usual, one.name), MAX_REPLICAS)
            for one in fields(Scaling)
        )
    )
    found.check(hardware)
    return found


def _readme(folder: Path) -> str:
    place = folder / "README.md"
    if not place.is_file():
        raise BuildFailed("README.md is missing; it is what people read before they call.")
    text = place.read_text()
    if len(text) > LARGEST_README:
        raise BuildFailed(f"README.md is above {LARGEST_README:,} characters.")
    return text.replace("\0", "")


def _with_sample(folder: Path, draft: Draft, sample: Any) -> Draft:  # noqa: ANN401
    name = sample.get("input") if isinstance(sample, dict) else None
    if name is None:
        return draft
    place = folder / str(name)
    if not place.is_file() or not place.resolve().is_relative_to(folder.resolve()):
        raise BuildFailed(f"The sample {str(name)[:80]!r} is not in the project.")
    data = place.read_bytes()
    if len(data) > LARGEST_SAMPLE:
        raise BuildFailed(f"The sample is above {LARGEST_SAMPLE // 2**20} MiB.")
    kind = SUFFIXES.get(place.suffix.lower(), ContentType.BINARY)
    if kind is ContentType.JSON:
        try:
            json.loads(data)
        except ValueError as error:
            raise BuildFailed(f"The sample {name} is no valid JSON: {error}.") from error
    return replace(draft, sample_type=kind.value, sample_input=data)


def _digest(folder: Path) -> str:
    """Hash names and contents."""
    hashed = hashlib.sha256()
    for path in files_of(folder):
        data = path.read_bytes()
        name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        hashed.update(b"%d:%b%d:" % (len(name), name, len(data)))
        hashed.update(data)
    return hashed.hexdigest()
