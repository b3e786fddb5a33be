"""What the home page shows, the same for everybody, read at most once in a few seconds."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from starlette.applications import Starlette

from billing.figures import most_called
from catalog import queries
from catalog.models import Category
from catalog.queries import Card
from execution.starter import Progress, progress
from web.state import State

LASTS_S = 3.0
LONG = 12


@dataclass(frozen=True, slots=True)
class Shelf:
    """A row of cards under a heading; `calls` are those of the last 30 days, by algorithm."""

    title: str
    cards: list[Card]
    calls: dict[UUID, int]


@dataclass(frozen=True, slots=True)
class Home:
    """Categories with their counts, the shelves that hold anything, and the starter's builds."""

    categories: dict[Category, int]
    shelves: list[Shelf]
    starter: Progress

    @property
    def total(self) -> int:
        """How many algorithms are listed."""
        return sum(self.categories.values())

    @property
    def seen(self) -> str:
        """What changes whenever a starter build ends."""
        return f"{self.starter.live}-{self.starter.failed}"


class Shelves:
    """Remembers the home page for a moment, so that a thousand visitors ask once."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._known: Home | None = None
        self._until = 0.0

    async def home(self, state: State) -> Home:
        """Give the home page, at most three seconds old."""
        async with self._lock:
            if self._known is None or time.monotonic() >= self._until:
                self._known = await _read(state)
                self._until = time.monotonic() + LASTS_S
            return self._known


def shelves_of(app: Starlette) -> Shelves:
    """Give the application's memory of its home page."""
    kept = getattr(app.state, "shelves", None)
    if not isinstance(kept, Shelves):
        kept = app.state.shelves = Shelves()
    return kept


async def _read(state: State) -> Home:
    async with state["sessions"]() as session:
        # Some of the most called may be private by now: read more than are shown.
        counts = await most_called(session, LONG * 4)
        called = (await queries.cards_of(session, counts))[:LONG]
        rated = await queries.top_rated(session, LONG)
        added = await queries.recently_added(session, LONG)
        categories = await queries.categories(session)
        is_wanted = state["settings"].starter
        starter = await progress(session) if is_wanted else Progress(0, 0, 0, 0)
    shelves = [
        Shelf("Top rated", rated, {}),
        Shelf("Most called in 30 days", called, counts),
        Shelf("Recently added", added, {}),
    ]
    return Home(categories, [shelf for shelf in shelves if shelf.cards], starter)
