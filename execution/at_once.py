"""How many calls may be under way at once."""

from collections import Counter
from uuid import UUID

from core.errors import TooManyCalls


class AtOnce:
    """Counts what is under way of each account, or of each version, up to a limit."""

    def __init__(self, most: int, refusal: str) -> None:
        """`refusal` says what is at its limit, and what to do."""
        self._most = most
        self._refusal = refusal
        self._counts: Counter[UUID] = Counter()

    def enter(self, one: UUID) -> None:
        """Another begins. Raises TooManyCalls."""
        if self._counts[one] >= self._most:
            raise TooManyCalls(self._refusal)
        self._counts[one] += 1

    def leave(self, one: UUID) -> None:
        """One has ended."""
        self._counts[one] -= 1
        if not self._counts[one]:
            del self._counts[one]
