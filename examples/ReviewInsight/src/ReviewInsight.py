"""What a review says, by asking three other algorithms of the marketplace."""

from typing import Any

import algorium

LANGUAGE = "algorium/LanguageDetection"
SENTIMENT = "algorium/Sentiment"
KEYWORDS = "algorium/Keywords"
MAX_CHARACTERS = 20_000
PLEASED = 0.25


class InputError(ValueError):
    """The input is not what this algorithm takes."""


class AlgorithmError(RuntimeError):
    """An algorithm that this one depends on failed."""


def apply(input: Any) -> dict[str, Any]:
    """The language always; verdict and keywords for English reviews."""
    review = review_in(input)
    language = ask(LANGUAGE, {"document": review, "alternatives": 0})["language"]
    if language != "en":
        return {"language": language, "verdict": None, "sentiment": None, "keywords": []}

    sentiment = ask(SENTIMENT, {"document": review})["sentiment"]
    keywords = ask(KEYWORDS, {"document": review, "count": 5, "max_words": 2})["keywords"]
    return {
        "language": language,
        "verdict": verdict(sentiment),
        "sentiment": sentiment,
        "keywords": [found["keyword"] for found in keywords],
    }


def review_in(value: Any) -> str:
    """The text of the review."""
    if isinstance(value, dict):
        if "review" not in value:
            raise InputError('The input has no "review".')
        value = value["review"]
    if not isinstance(value, str):
        raise InputError(f'"review" must be a text, not {type(value).__name__}.')
    if not any(character.isalpha() for character in value):
        raise InputError('"review" holds no words.')
    if len(value) > MAX_CHARACTERS:
        raise InputError(f'"review" is longer than {MAX_CHARACTERS} characters.')
    return value


def ask(algorithm: str, question: dict[str, Any]) -> Any:
    """Call another algorithm; its price is added to what the caller pays."""
    try:
        return algorium.call(algorithm, question)
    except algorium.CallError as error:
        raise AlgorithmError(f"{algorithm} failed: {error}") from error


def verdict(sentiment: float) -> str:
    """The score in a word."""
    if sentiment >= PLEASED:
        return "positive"
    return "negative" if sentiment <= -PLEASED else "mixed"
