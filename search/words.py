"""Words: how texts are cut into them, and when a word that was typed means one that is there.

Index, queries and highlighting all cut by this one rule. Pure.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Letters and digits; `LanguageDetection` and `HTTPServer` are two words each, and one.
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
LONGEST = 40
# Letters from which one typo is forgiven, and two.
ONE_TYPO, TWO_TYPOS = 5, 9

# Words that narrow nothing down; they are left out of a query that has others.
EMPTY = frozenset(
    {"a", "an", "and", "are", "for", "from", "how", "in", "into", "is", "it", "my", "of", "on",
     "or", "that", "the", "this", "to", "what", "when", "where", "which", "who", "with"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A word and where it stands in its text."""

    word: str
    start: int
    end: int


def folded(text: str) -> str:
    """Write a text in small letters without accents, as long as it was where it is Latin."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def spans(text: str) -> Iterator[Span]:
    """Cut a text into words: each whole one, and the humps that it is made of."""
    for match in _WORD.finditer(text):
        whole = match[0]
        yield Span(folded(whole)[:LONGEST], match.start(), match.end())
        humps = list(_HUMP.finditer(whole)) if whole.isascii() else []
        if len(humps) > 1:
            for hump in humps:
                yield Span(
                    folded(hump[0])[:LONGEST],
                    match.start() + hump.start(),
                    match.start() + hump.end(),
                )


def words_of(text: str) -> list[str]:
    """Give the words of a text, as they stand in the index."""
    return [span.word for span in spans(text)]


def asked(text: str, most: int = 12) -> tuple[str, ...]:
    """Give the words that a query asks for: without empty ones, each once, whole ones only."""
    found = [folded(match[0])[:LONGEST] for match in _WORD.finditer(text)]
    telling = [word for word in found if word not in EMPTY] or found
    return tuple(dict.fromkeys(telling))[:most]


def typos_forgiven(word: str) -> int:
    """Tell how many typos a word may have: a short one means just what it says."""
    if len(word) >= TWO_TYPOS:
        return 2
    return 1 if len(word) >= ONE_TYPO else 0


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """Cut a text into pieces, those True that a query's words found; the last is a prefix."""
    found: list[tuple[int, int]] = []
    for span in sorted(spans(text), key=lambda span: (span.start, span.start - span.end)):
        length = max((_meant(word, span.word, word == words[-1]) for word in words), default=0)
        if length:
            end = span.end if length >= len(span.word) else span.start + length
            if found and span.start < found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((span.start, end))
    pieces: list[tuple[str, bool]] = []
    at = 0
    for start, end in found:
        pieces += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [(piece, is_hit) for piece, is_hit in [*pieces, (text[at:], False)] if piece]


def _meant(word: str, there: str, unfinished: bool) -> int:  # noqa: FBT001
    """Tell how many letters of `there` the word means: all, those that it begins with, or 0."""
    if there == word or (unfinished and there.startswith(word)):
        return len(word)
    typos = typos_forgiven(word)
    if typos and abs(len(word) - len(there)) <= typos and _distance(word, there) <= typos:
        return len(there)
    return 0


def _distance(one: str, other: str) -> int:
    """Count the letters to add, drop, change or swap with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
