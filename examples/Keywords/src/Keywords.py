"""The phrases that say what a text is about."""

from typing import Any

import yake

MAX_CHARACTERS = 100_000
MAX_KEYWORDS = 50
MAX_WORDS = 4
LANGUAGES = frozenset(
    [
        "ar",
        "bg",
        "br",
        "cz",
        "da",
        "de",
        "el",
        "en",
        "es",
        "et",
        "fa",
        "fi",
        "fr",
        "hi",
        "hr",
        "hu",
        "hy",
        "id",
        "it",
        "ja",
        "lt",
        "lv",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
        "sv",
        "tr",
        "uk",
        "zh",
    ]
)


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def apply(input: Any) -> dict[str, Any]:
    """The best phrases first; a higher score is better."""
    options = input if isinstance(input, dict) else {"document": input}
    document = document_in(options)
    language = options.get("language", "en")
    if not isinstance(language, str) or language not in LANGUAGES:
        raise InputError(f'"language" must be one of {", ".join(sorted(LANGUAGES))}.')
    count = number_in(options, "count", 10, MAX_KEYWORDS)
    words = number_in(options, "max_words", 3, MAX_WORDS)

    extractor = yake.KeywordExtractor(lan=language, n=words, top=count)
    # The method's own score is lower for better phrases and has no upper end.
    keywords = [
        {"keyword": phrase, "score": round(1 / (1 + float(score)), 4)}
        for phrase, score in extractor.extract_keywords(document)
    ]
    return {"keywords": keywords}


def document_in(options: dict[str, Any]) -> str:
    """The text to look at."""
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


def number_in(options: dict[str, Any], name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    number = options.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise InputError(f'"{name}" must be a whole number from 1 to {most}.')
    return number
