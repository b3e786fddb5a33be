"""What a person searches for, read from an address and bounded. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from catalog.models import Category
from search.words import asked

LONGEST = 200
PAGE_SIZE = 20
LAST_PAGE = 50


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Words, a category or none, and a page counted from 1."""

    text: str = ""
    category: Category | None = None
    page: int = 1

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> "SearchQuery":
        """Read `q`, `category` and `page`. What can't be one of them is left out."""
        text = " ".join("".join(c if c.isprintable() else " " for c in params.get("q", "")).split())
        category = params.get("category", "")
        page = params.get("page", "")
        return cls(
            text[:LONGEST].strip(),
            Category(category) if category in set(Category) else None,
            min(max(int(page[:6]), 1), LAST_PAGE) if page.isascii() and page.isdigit() else 1,
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are looked for."""
        return asked(self.text)

    @property
    def offset(self) -> int:
        """How many hits come before this page."""
        return (self.page - 1) * PAGE_SIZE

    def address(self, **changes: str | int | None) -> str:
        """Give the address of this search with some of its parts changed; None drops one."""
        parts: dict[str, str | int | None] = {"q": self.text, "category": self.category}
        kept = {name: value for name, value in (parts | changes).items() if value}
        return f"/search?{urlencode(kept)}" if kept else "/search"
