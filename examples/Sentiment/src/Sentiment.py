"""How positive or negative an English text reads, on a scale from -1 to 1."""

from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

MAX_DOCUMENTS = 200
MAX_CHARACTERS = 20_000


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> SentimentIntensityAnalyzer:
    """Read the word list once per process."""
    return SentimentIntensityAnalyzer()


def apply(input: Any, analyzer: SentimentIntensityAnalyzer) -> Any:
    """Rate one document, or a list of them in one call."""
    if isinstance(input, list):
        if not input:
            raise InputError("The list of documents is empty.")
        if len(input) > MAX_DOCUMENTS:
            raise InputError(f"At most {MAX_DOCUMENTS} documents a call, got {len(input)}.")
        return [rate(document_in(item), analyzer) for item in input]
    return rate(document_in(input), analyzer)


def document_in(item: Any) -> str:
    """The text of an item, which is either the text itself or holds it as `document`."""
    if isinstance(item, dict):
        if "document" not in item:
            raise InputError('The input has no "document".')
        item = item["document"]
    if not isinstance(item, str):
        raise InputError(f'"document" must be a text, not {type(item).__name__}.')
    if not item.strip():
        raise InputError('"document" is empty.')
    if len(item) > MAX_CHARACTERS:
        raise InputError(f'"document" is longer than {MAX_CHARACTERS} characters.')
    return item


def rate(document: str, analyzer: SentimentIntensityAnalyzer) -> dict[str, Any]:
    """The overall score, and the shares of the text that pull each way."""
    scores = analyzer.polarity_scores(document)
    return {
        "sentiment": scores["compound"],
        "positive": scores["pos"],
        "neutral": scores["neu"],
        "negative": scores["neg"],
        "document": document,
    }
