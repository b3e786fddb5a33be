"""Pages of long lists: a page number from the address, bounded, and what it selects."""

from dataclasses import dataclass

PAGE_SIZE = 50
LAST_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Page `number`, counted from 1, of `size` rows each."""

    number: int = 1
    size: int = PAGE_SIZE

    @classmethod
    def from_text(cls, text: str | None) -> "Page":
        """Read `?page=`; whatever is no page number is the first page."""
        if text and text.isascii() and text.isdigit() and 0 < int(text[:6]) <= LAST_PAGE:
            return cls(int(text[:6]))
        return cls()

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.number - 1) * self.size
