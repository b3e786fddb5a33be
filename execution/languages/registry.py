"""The languages of this machine: one folder beside this file for each, found by looking."""

import importlib
import json
import pkgutil
from functools import cache
from pathlib import Path

from core.errors import BuildFailed
from execution import languages
from execution.languages.language import Language
from execution.outcome import Artefact
from execution.sandbox.program import Program


class NotOffered(Exception):
    """A version is written in what this machine can't run; the message says how to get it."""


@cache
def known() -> tuple[Language, ...]:
    """Every language that there is code for, those first that say more of their version."""
    found: list[Language] = []
    for folder in sorted(pkgutil.iter_modules(languages.__path__), key=lambda one: one.name):
        if folder.ispkg:
            module = importlib.import_module(f"{languages.__name__}.{folder.name}.language")
            found += module.languages()
    return tuple(found)


def offered() -> list[Language]:
    """Those whose tools are on this machine."""
    return [language for language in known() if not language.missing()]


def named(name: str) -> Language:
    """The language of a version. Raises NotOffered where it can't be run here."""
    for language in known():
        if language.name == name:
            if missing := language.missing():
                raise NotOffered(f"{language.words()} isn't offered here. {missing}")
            return language
    raise NotOffered(f"Nothing on this machine runs {name}.")


def words(name: str) -> str:
    """A version's language as people read it, whether or not it is offered here."""
    return next((one.words() for one in known() if one.name == name), name.capitalize())


def program(artefact: Artefact) -> Program:
    """Tell how a version is started. Raises NotOffered."""
    return named(artefact.language).program(artefact)


def language_of(folder: Path, name: str, said: object = None) -> Language:
    """Find what a project is written in: by what it says, else by its files.

    `said` is what its own settings say; what algorithmia.conf says comes after it. Raises
    BuildFailed where it is unknown or not offered, or its entry point isn't there.
    """
    word = said or _conf(folder)
    if isinstance(word, str) and word.strip():
        language = _meant(word.strip())
    else:
        language = next(
            (one for one in reversed(known()) if _entry(one, folder, name)), _meant("python")
        )
    if missing := language.missing():
        raise BuildFailed(f"{language.words()} isn't offered here. {missing}")
    if _entry(language, folder, name) is None:
        raise BuildFailed(
            f"{language.entries(name)[0]} is missing. The entry point of an algorithm in "
            f"{language.words()} is in a file named as the algorithm."
        )
    return language


def can_run(folder: Path) -> bool:
    """Whether what algorithmia.conf says of a project's language is offered here."""
    word = _conf(folder)
    try:
        return not (isinstance(word, str) and _meant(word).missing())
    except BuildFailed:
        return False


def _meant(word: str) -> Language:
    for language in known():
        if language.means(word.lower()):
            return language
    raise BuildFailed(
        f"The project says that it is written in {word[:40]!r}. What runs here is "
        f"{', '.join(dict.fromkeys(language.words() for language in offered()))}."
    )


def _entry(language: Language, folder: Path, name: str) -> str | None:
    return next((path for path in language.entries(name) if (folder / path).is_file()), None)


def _conf(folder: Path) -> object:
    """Read the language in algorithmia.conf; the platform's own template had it misspelt."""
    try:
        told = json.loads((folder / "algorithmia.conf").read_text())
    except (OSError, ValueError):
        return None
    return (told.get("language") or told.get("langauge")) if isinstance(told, dict) else None
