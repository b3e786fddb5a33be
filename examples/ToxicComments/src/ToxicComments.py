"""How likely a comment is to be offensive."""

import os
from collections.abc import Callable
from typing import Any

# Read by the linear algebra library when it is imported: one small product needs one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

MAX_COMMENTS = 500
MAX_CHARACTERS = 10_000
DEFAULT_THRESHOLD = 0.5

Score = Callable[[list[str]], Any]


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> Score:
    """Importing the package reads its model, so it is done here, once per process."""
    from profanity_check import predict_prob

    return predict_prob


def apply(input: Any, score: Score) -> dict[str, Any]:
    """Rate every comment; those at or above the threshold are marked toxic."""
    options = input if isinstance(input, dict) else {"comments": input}
    comments = comments_in(options)
    threshold = threshold_in(options)
    results = []
    for comment, probability in zip(comments, score(comments), strict=True):
        toxicity = round(float(probability), 4)
        results.append(
            {"comment": comment, "toxicity": toxicity, "toxic": bool(toxicity >= threshold)}
        )
    return {"results": results, "toxic_count": sum(result["toxic"] for result in results)}


def comments_in(options: dict[str, Any]) -> list[str]:
    """The comments, one text standing for a list of one."""
    if "comments" not in options:
        raise InputError('The input has no "comments".')
    comments = options["comments"]
    if isinstance(comments, str):
        comments = [comments]
    if not isinstance(comments, list) or not all(isinstance(text, str) for text in comments):
        raise InputError('"comments" must be a text or a list of texts.')
    if not comments:
        raise InputError('"comments" is empty.')
    if len(comments) > MAX_COMMENTS:
        raise InputError(f"At most {MAX_COMMENTS} comments a call, got {len(comments)}.")
    for position, text in enumerate(comments):
        if not text.strip():
            raise InputError(f"Comment {position} is empty.")
        if len(text) > MAX_CHARACTERS:
            raise InputError(f"Comment {position} is longer than {MAX_CHARACTERS} characters.")
    return comments


def threshold_in(options: dict[str, Any]) -> float:
    """From which toxicity on a comment is marked."""
    threshold = options.get("threshold", DEFAULT_THRESHOLD)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise InputError('"threshold" must be a number.')
    if not 0 < threshold <= 1:
        raise InputError('"threshold" must be above 0 and at most 1.')
    return float(threshold)
