"""The search index in the words of our own product; engines stand behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from search.documents import Document
from search.query import PAGE_SIZE, SearchQuery
from search.words import marked


@dataclass(frozen=True, slots=True)
class Results:
    """One page of hits, best first, and how many there are in all and in each category.

    `categories` counts what the words find, whichever category is asked for. `near` says that
    nothing has all the words, and that these are hits for some of them.
    """

    hits: Sequence[Document]
    total: int
    categories: Mapping[str, int]
    words: Sequence[str] = field(default=())
    near: bool = False

    @property
    def pages(self) -> int:
        """How many pages the hits fill."""
        return -(-self.total // PAGE_SIZE)

    def marked(self, text: str) -> list[tuple[str, bool]]:
        """Cut a text into pieces, those True that the words found."""
        return marked(text, self.words)


class Index(Protocol):
    """Finds algorithms by words. Whatever is handed in again replaces what was there."""

    async def search(self, query: SearchQuery) -> Results:
        """Find a page of hits. Any text is a good query; none at all finds everything."""
        ...

    async def apply(self, documents: Sequence[Document], gone: Iterable[UUID]) -> None:
        """Put documents in, and take out what is gone. Doing it twice is doing it once."""
        ...

    async def rebuild(self, documents: Sequence[Document]) -> None:
        """Hold exactly these documents."""
        ...
