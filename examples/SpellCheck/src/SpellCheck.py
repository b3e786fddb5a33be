"""Spelling errors in an English text, with suggestions and a corrected text."""

import re
from importlib.resources import files
from typing import Any

from symspellpy import SymSpell, Verbosity

MAX_CHARACTERS = 20_000
MAX_SUGGESTIONS = 5
MAX_DISTANCE = 2
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> SymSpell:
    """Index the word list once per process; this takes a second or two."""
    speller = SymSpell(max_dictionary_edit_distance=MAX_DISTANCE, prefix_length=7)
    words = files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    if not speller.load_dictionary(str(words), term_index=0, count_index=1):
        raise RuntimeError("The word list is missing from the package.")
    return speller


def apply(input: Any, speller: SymSpell) -> dict[str, Any]:
    """Check every word of the text that could be an English word."""
    options = input if isinstance(input, dict) else {"document": input}
    document = document_in(options)
    ignored = ignored_in(options)

    mistakes: list[dict[str, Any]] = []
    pieces: list[str] = []
    end = 0
    for match in WORD.finditer(document):
        word = match.group()
        if skipped(word, ignored):
            continue
        suggestions = suggestions_for(word, speller)
        if not suggestions:
            continue
        mistakes.append({"word": word, "offset": match.start(), "suggestions": suggestions})
        pieces += [document[end : match.start()], suggestions[0]]
        end = match.end()
    corrected = "".join([*pieces, document[end:]])
    return {"corrected": corrected, "mistakes": mistakes}


def document_in(options: dict[str, Any]) -> str:
    """The text to check."""
    if "document" not in options:
        raise InputError('The input has no "document".')
    document = options["document"]
    if not isinstance(document, str):
        raise InputError(f'"document" must be a text, not {type(document).__name__}.')
    if not document.strip():
        raise InputError('"document" is empty.')
    if len(document) > MAX_CHARACTERS:
        raise InputError(f'"document" is longer than {MAX_CHARACTERS} characters.')
    return document


def ignored_in(options: dict[str, Any]) -> set[str]:
    """Words to leave alone, such as names."""
    ignored = options.get("ignore", [])
    if not isinstance(ignored, list) or not all(isinstance(word, str) for word in ignored):
        raise InputError('"ignore" must be a list of words.')
    return {word.lower() for word in ignored}


def skipped(word: str, ignored: set[str]) -> bool:
    """Names inside a sentence cannot be told from errors; acronyms and contractions are left."""
    return (
        len(word) == 1
        or not word.isascii()
        or "'" in word
        or (len(word) > 1 and word.isupper())
        or word.lower() in ignored
    )


def suggestions_for(word: str, speller: SymSpell) -> list[str]:
    """Nothing when the word is known or nothing is near it; else the nearest words."""
    lowered = word.lower()
    found = speller.lookup(lowered, Verbosity.CLOSEST, max_edit_distance=MAX_DISTANCE)
    if not found or found[0].distance == 0:
        return []
    terms = [item.term for item in found[:MAX_SUGGESTIONS]]
    return [term.capitalize() for term in terms] if word[0].isupper() else terms
