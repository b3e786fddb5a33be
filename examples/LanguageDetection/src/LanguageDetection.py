"""Which natural language a text is written in."""

from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

MAX_CHARACTERS = 100_000
MAX_ALTERNATIVES = 10


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> LanguageIdentifier:
    """Unpack the model once per process."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def apply(input: Any, identifier: LanguageIdentifier) -> dict[str, Any]:
    """The likeliest language, how sure that is, and the next candidates."""
    options = input if isinstance(input, dict) else {"document": input}
    document = document_in(options)
    candidates = languages_in(options)
    wanted = alternatives_in(options)

    # Ranking costs the same for all languages as for a few, so the choice is made afterwards.
    # Labels may occur more than once in a model: the first, the likeliest, counts.
    ranked: dict[str, float] = {}
    for label, probability in identifier.rank(document):
        ranked.setdefault(str(label), float(probability))
    if candidates:
        unknown = sorted(candidates - ranked.keys())
        if unknown:
            raise InputError(f'"languages" has codes that are not known: {", ".join(unknown)}.')
        ranked = {label: ranked[label] for label in ranked if label in candidates}
        total = sum(ranked.values()) or 1.0
        ranked = {label: probability / total for label, probability in ranked.items()}
    (language, confidence), *others = ranked.items()
    return {
        "language": language,
        "confidence": round(confidence, 4),
        "alternatives": [
            {"language": label, "confidence": round(probability, 4)}
            for label, probability in others[:wanted]
        ],
    }


def document_in(options: dict[str, Any]) -> str:
    """The text to look at."""
    if "document" not in options:
        raise InputError('The input has no "document".')
    document = options["document"]
    if not isinstance(document, str):
        raise InputError(f'"document" must be a text, not {type(document).__name__}.')
    if not any(character.isalpha() for character in document):
        raise InputError('"document" holds no letters.')
    if len(document) > MAX_CHARACTERS:
        raise InputError(f'"document" is longer than {MAX_CHARACTERS} characters.')
    return document


def languages_in(options: dict[str, Any]) -> set[str]:
    """The languages to choose among; none means all."""
    languages = options.get("languages", [])
    if not isinstance(languages, list) or not all(isinstance(code, str) for code in languages):
        raise InputError('"languages" must be a list of codes, such as ["en", "fr"].')
    return {code.lower() for code in languages}


def alternatives_in(options: dict[str, Any]) -> int:
    """How many runners-up to tell."""
    wanted = options.get("alternatives", 2)
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise InputError('"alternatives" must be a whole number.')
    if not 0 <= wanted <= MAX_ALTERNATIVES:
        raise InputError(f'"alternatives" must be from 0 to {MAX_ALTERNATIVES}.')
    return wanted
